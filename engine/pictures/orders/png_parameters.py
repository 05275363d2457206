"""The text that A1111 writes into its PNGs under ``parameters``: written and read to the letter.

Programs read it to do a picture again, so what they would misread is never written. Source: A1111
``modules/infotext_utils.py`` (``quote``, ``parse_generation_parameters``) and ``modules/processing.py``
(``create_infotext``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL.PngImagePlugin import PngInfo

from engine.errors import PictureError
from engine.settings.samplers import NAMED
from engine.storage.untrusted_files import parse_json

CHUNK = "parameters"
"""The PNG's text chunk."""

NEGATIVE = "Negative prompt:"

FEWEST_PAIRS = 3
"""A last line with fewer pairs belongs to the prompt."""

# A1111's own, but no key is longer than 120 letters: without an end, a long line without a colon takes minutes.
_PAIR = re.compile(r'(?<!\s)\s*(\w[\w \-/]{1,120}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Parameters:
    """What made a picture. None and empty: not known, and left out."""

    prompt: str
    """As A1111 shows it: a LoRA stands in it as ``<lora:NAME:STRENGTH>``."""
    negative: str = ""
    steps: int | None = None
    sampler: str | None = None
    """Without its schedule: ``DPM++ 2M``."""
    schedule: str | None = None
    """``Karras``."""
    guidance: float | None = None
    seed: int | None = None
    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    model_hash: str | None = None
    model: str | None = None
    lora_hashes: Mapping[str, str] = field(default_factory=dict)
    """LoRA names to the first 12 digits of their hash."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Pairs that this class has no field for, in their order."""
    version: str | None = None

    def to_text(self) -> str:
        """The text as it stands in the PNG.

        Raises:
            PictureError: a key of ``extra`` that A1111 could not read back.
        """
        lines = [self.prompt]
        if self.negative:
            lines.append(f"{NEGATIVE} {self.negative}")
        pairs = [(key, value) for key, value in self._pairs() if value != ""]
        for key, _ in pairs:
            if not re.fullmatch(r"\w[\w \-/]+", key):
                raise PictureError(f"{key!r} can't be written into a picture", "use two letters or more")
        lines.append(", ".join(key if key == value else f"{key}: {_quote(value)}" for key, value in pairs))
        return "\n".join(lines)

    @classmethod
    def from_text(cls, text: str) -> Parameters:
        """Reads such a text, A1111's own too."""
        *lines, last = text.strip().split("\n")
        if len(_PAIR.findall(last)) < FEWEST_PAIRS:
            lines, last = [*lines, last], ""
        prompt: list[str] = []
        negative: list[str] = []
        into = prompt
        for line in lines:
            stripped = line.strip()
            if stripped.startswith(NEGATIVE):
                into, stripped = negative, stripped.removeprefix(NEGATIVE).strip()
            into.append(stripped)
        pairs = {key: _unquote(value) for key, value in _PAIR.findall(last) if value}
        if "Schedule type" not in pairs:
            # Before its version 1.9 A1111 wrote both in one.
            for schedule in NAMED:
                if pairs.get("Sampler", "").endswith(f" {schedule}"):
                    pairs |= {"Sampler": pairs["Sampler"].removesuffix(f" {schedule}"), "Schedule type": schedule.value}
        return cls(prompt="\n".join(prompt), negative="\n".join(negative), **_fields(pairs))

    def _pairs(self) -> list[tuple[str, str]]:
        hashes = ", ".join(f"{_plain(name)}: {value}" for name, value in self.lora_hashes.items())
        size = f"{self.size[0]}x{self.size[1]}" if self.size else ""
        before = [
            ("Steps", _text(self.steps)),
            ("Sampler", _text(self.sampler)),
            ("Schedule type", _text(self.schedule)),
            ("CFG scale", _text(self.guidance)),
            ("Seed", _text(self.seed)),
            ("Size", size),
            ("Model hash", _text(self.model_hash)),
            ("Model", _text(self.model)),
        ]
        return [*before, *self.extra.items(), ("Lora hashes", hashes), ("Version", _text(self.version))]


def add_lora_tag(prompt: str, name: str, strength: float, unet: float | None = None) -> str:
    """The prompt with a LoRA as A1111 writes it, so that a pasted text paints the same person there.

    Args:
        prompt: the prompt.
        name: the LoRA's name.
        strength: its weight; that of the text encoders, where the U-Net's is another.
        unet: its weight in the U-Net; None: the same.
    """
    both = f"{strength:g}" if unet is None or unet == strength else f"{strength:g}:{unet:g}"
    # In a comment it would be none.
    between = "\n" if "#" in prompt.rpartition("\n")[2] else " "
    return f"{prompt}{between}<lora:{_plain(name)}:{both}>"


def png_text(parameters: Parameters) -> PngInfo:
    """The text as a PNG's chunk: tEXt where latin-1 holds it, iTXt otherwise."""
    info = PngInfo()
    info.add_text(CHUNK, parameters.to_text())
    return info


def _quote(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r"[,\n:]", value) else value


def _unquote(value: str) -> str:
    if not (value.startswith('"') and value.endswith('"') and len(value) > 1):
        return value
    try:
        return str(parse_json(value))
    except ValueError:
        return value


def _plain(name: str) -> str:
    """A name without what separates names from hashes, as A1111 strips it."""
    return re.sub(r"[,:]", "", name)


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _fields(pairs: dict[str, str]) -> dict[str, Any]:
    """The pairs as this class's fields; a value of the wrong kind stays among the extra ones."""
    found: dict[str, Any] = {}
    for key, name, kind in (
        ("Steps", "steps", int),
        ("Sampler", "sampler", str),
        ("Schedule type", "schedule", str),
        ("CFG scale", "guidance", float),
        ("Seed", "seed", int),
        ("Model hash", "model_hash", str),
        ("Model", "model", str),
        ("Version", "version", str),
    ):
        if key in pairs:
            try:
                found[name] = kind(pairs[key])
                del pairs[key]
            except ValueError:
                continue
    if m := _SIZE.fullmatch(pairs.get("Size", "")):
        found["size"] = (int(m[1]), int(m[2]))
        del pairs["Size"]
    hashes = dict(part.split(": ", 1) for part in pairs.get("Lora hashes", "").split(", ") if ": " in part)
    if hashes:
        found["lora_hashes"] = hashes
        del pairs["Lora hashes"]
    return {**found, "extra": pairs}
