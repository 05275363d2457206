"""A prompt taken apart: what A1111, and the painter here, make of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import PromptError
from engine.models.chunks import ROOM, Chunk
from engine.models.family import Family
from engine.prompts.attention import Piece, Remark, parse_attention
from engine.prompts.extra_networks import LoraTag, strip
from engine.prompts.prompt_editing import Stretch, parse_schedule
from engine.prompts.tokenizer import Word, Words

_AND = re.compile(r"\bAND\b")


@dataclass(frozen=True)
class Breakdown:
    """What a prompt says."""

    prompt: str
    steps: int
    schedule: tuple[Stretch, ...]
    attention: tuple[Piece, ...]
    """Of the text that the last steps see."""
    loras: tuple[LoraTag, ...]
    remarks: tuple[Remark, ...]
    chunks: tuple[Chunk[Word], ...] = ()
    """Of the stretch with the most tokens; empty where the base model's tokenizer is not at hand."""
    room: int = ROOM
    """Tokens that a chunk may have."""
    besides: tuple[str, ...] = ()
    """What is odd about painting it and has no place in it: a negative prompt that means nothing, say."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that is odd about it."""
        return (*map(str, self.remarks), *self.besides)

    @property
    def tokens(self) -> int | None:
        """Tokens in all chunks; None where there is no tokenizer."""
        return sum(len(chunk.tokens) for chunk in self.chunks) if self.chunks else None

    def record(self) -> dict[str, Any]:
        """As ``limner prompt show --json`` prints it."""
        return {
            "prompt": self.prompt,
            "attention": [[piece.text, round(piece.weight, 6)] for piece in self.attention],
            "steps": self.steps,
            "schedule": [[stretch.until, stretch.text] for stretch in self.schedule],
            "loras": [{"name": each.name, "te": each.te, "unet": each.unet} for each in self.loras],
            "tokens": self.tokens,
            "room": self.room,
            "chunks": [{"tokens": len(each.tokens), "text": chunk_text(each)} for each in self.chunks],
            "warnings": list(self.warnings),
        }


def take_apart(
    prompt: str,
    steps: int,
    words: Words | None = None,
    known_loras: Collection[str] | None = None,
    family: Family | None = None,
) -> Breakdown:
    """Reads a prompt as A1111 does. No text is refused.

    Args:
        prompt: the prompt.
        steps: how many steps are painted.
        words: the base model's tokenizer, for chunks.
        known_loras: the names that ``<lora:NAME>`` may give; None: nobody can tell.
        family: the base model's: what of the syntax means nothing to it is remarked; None: nobody can tell.
    """
    bare = strip(prompt)
    remarks = list(bare.remarks)
    for tag in bare.loras:
        if known_loras is not None and tag.name not in known_loras:
            remarks.append(Remark(tag.at, _unknown(tag.name, known_loras), fatal=True))
    pieces, odd = parse_attention(bare.text)
    if family is not None:
        odd += _meaningless(bare.text, pieces, family)
    schedule, odd_schedule = parse_schedule(bare.text, steps)
    odd += odd_schedule
    if joint := _AND.search(bare.text):
        odd.append(
            Remark(joint.start(), "AND joins prompts in A1111, not here: write it in lower case, or use a comma", True)
        )
    chunks: list[Chunk[Word]] = []
    if words is not None:
        every = [words.chunks(parse_attention(text)[0]) for text in {stretch.text for stretch in schedule}]
        chunks = max(every, key=lambda each: (len(each), sum(len(chunk.tokens) for chunk in each)))
        odd += _cut_off(chunks, words.room, len(bare.text))
    remarks += [replace(remark, at=bare.place(remark.at)) for remark in odd]
    return Breakdown(
        prompt=prompt,
        steps=steps,
        schedule=tuple(schedule),
        attention=tuple(parse_attention(schedule[-1].text)[0]),
        loras=bare.loras,
        remarks=tuple(sorted(remarks, key=lambda remark: remark.at)),
        chunks=tuple(chunks),
        room=words.room if words is not None else ROOM,
    )


def refuse_what_cannot_be_painted(breakdown: Breakdown) -> None:
    """Raises PromptError with the first remark of a prompt that nothing can be painted from."""
    for remark in breakdown.remarks:
        if remark.fatal:
            what, _, fix = remark.text.partition(": ")
            raise PromptError(f"character {remark.at + 1} of the prompt: {what}", fix)


def chunk_text(chunk: Chunk[Word]) -> str:
    """The letters of a chunk."""
    return "".join(word.text for word in chunk.tokens).strip()


def _meaningless(text: str, pieces: Sequence[Piece], family: Family) -> list[Remark]:
    """What A1111 would heed and a family does not."""
    found = []
    weighed = next((each for each in pieces if each.weight != 1 and not each.is_break), None)
    if weighed is not None and not family.prompt_weights:
        at = max(0, text.find(weighed.text.strip()))
        found.append(Remark(at, f"{family.title} ignores weights: (word:1.2) is read as word"))
    if any(each.is_break for each in pieces) and family.text_tokens is not None:
        found.append(Remark(text.index("BREAK"), f"{family.title} reads a prompt as a whole: BREAK has no effect"))
    return found


def _cut_off(chunks: Sequence[Chunk[Word]], room: int, end: int) -> list[Remark]:
    """What does not fit into the one chunk that a text may have; of several none has more than it may."""
    left = chunks[0].tokens[room:]
    if not left:
        return []
    words = "".join(each.text for each in left[:6]).strip()
    what = f"{len(left)} of {len(chunks[0].tokens)} tokens are cut off, from “{words}” on: this base model reads {room}"
    return [Remark(end, what)]


def _unknown(name: str, known: Collection[str]) -> str:
    there = ", ".join(sorted(known)[:5])
    fix = f"there are {there}{' …' if len(known) > 5 else ''}" if known else "no run has a checkpoint yet"
    return f"no LoRA of this project is called {name}: {fix}"
