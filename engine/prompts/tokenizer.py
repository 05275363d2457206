"""The words of a base model's text encoders, read without torch: how many tokens a prompt takes.

SDXL's two text encoders share CLIP's vocabulary and differ in what fills up a chunk, so the first one's file is
enough to count. It is looked for where it lies already; nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.models.chunks import ROOM, Chunk, in_chunks
from engine.models.locate import BaseKind, BaseModel, hub_folder
from engine.models.registry import family_of
from engine.prompts.attention import Piece
from engine.storage.untrusted_files import read_json, read_text


@dataclass(frozen=True)
class Word:
    """A token: its number, and its letters with the spaces before them."""

    id: int
    text: str


class Words:
    """A tokenizer.

    Args:
        tokenizer: of the package tokenizers.
        most: tokens of a text that the denoiser sees; None: it is read in chunks of 75.
        template: what is read around a prompt.
    """

    def __init__(self, tokenizer: Any, most: int | None = None, template: str = "{}") -> None:
        self._tokenizer = tokenizer
        self.chunked = most is None
        """Whether a longer prompt goes on in another chunk."""
        around = template.replace("{}", "")
        self.room = ROOM if most is None else most - len(tokenizer.encode(around, add_special_tokens=False).ids)
        """Tokens in a chunk, or in the whole prompt."""
        self._comma = tokenizer.encode(",", add_special_tokens=False).ids[-1]

    def of(self, text: str) -> list[Word]:
        """The tokens of a text."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        words: list[Word] = []
        before = 0
        for number, (_, end) in zip(found.ids, found.offsets, strict=True):
            words.append(Word(number, text[before:end]))
            before = max(before, end)
        return words

    def chunks(self, pieces: list[Piece]) -> list[Chunk[Word]]:
        """A prompt's pieces in chunks; all in one, without weights, where it is not read in chunks."""
        if not self.chunked:
            found = self.of("".join(" " if piece.is_break else piece.text for piece in pieces))
            return [Chunk(found, [1.0] * len(found))]
        given = [None if piece.is_break else (self.of(piece.text), piece.weight) for piece in pieces]
        return in_chunks(given, lambda word: word.id == self._comma)


def find_words(base: BaseModel) -> Words | None:
    """The base model's tokenizer where it is on this machine, else None.

    Raises:
        BaseModelError: the base model is of no family.
        LimnerError: a package's family can't be loaded.
    """
    family = family_of(base)
    for folder in _folders(base):
        found = _read(folder, family.text_tokens, family.text_template)
        if found is not None:
            return found
    return None


def _folders(base: BaseModel) -> list[Path]:
    if base.kind is BaseKind.FOLDER:
        return [Path(base.source) / "tokenizer"]
    if base.kind is BaseKind.FILE:
        return [base.config / "tokenizer"] if base.config else []
    kept = hub_folder(base.source)
    return [kept / "tokenizer"] if kept is not None else []


@lru_cache(maxsize=4)
def _read(folder: Path, most: int | None = None, template: str = "{}") -> Words | None:
    """A tokenizer's folder, in the one file of newer models or the two of CLIP's; None where it can't be read."""
    try:
        import tokenizers

        if (folder / "tokenizer.json").is_file():
            found = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            found.no_padding()
            found.no_truncation()
            return Words(found, _most(folder, most), template)
        if most is None and (folder / "vocab.json").is_file():
            return Words(_from_two_files(folder))
    except Exception:
        # The library raises bare exceptions, and a client has none; a prompt is shown without its tokens then.
        return None
    return None


def _most(folder: Path, most: int | None) -> int | None:
    """Tokens of a text, fewer where the tokenizer was made for fewer."""
    if most is None:
        return None
    return int(min(most, read_json(folder / "tokenizer_config.json").get("model_max_length", most)))


def _from_two_files(folder: Path) -> Any:
    """CLIP's tokenizer from its vocabulary and merges.

    Source: https://github.com/openai/CLIP, ``simple_tokenizer.py``: lower case, one kind of space, byte-level BPE with
    ``</w>`` at the end of a word.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = read_json(folder / "vocab.json")
    lines = read_text(folder / "merges.txt").splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#version")]
    merges = [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]
    found = Tokenizer(models.BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    found.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return found
