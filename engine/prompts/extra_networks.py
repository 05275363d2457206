"""What A1111 takes out of a prompt before it reads it: comments, and extra networks such as ``<lora:jx265:0.8>``.

Source: A1111 ``modules/extra_networks.py`` and ``extensions-builtin/Lora/extra_networks_lora.py``:
``<lora:NAME:TE:UNET>``, TE being 1 and UNET being TE where they are left out, or ``te=`` and ``unet=`` by name; and
``modules/processing_scripts/comments.py``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from engine.prompts.attention import Remark

LORA = "lora"
"""The only network that Limner knows."""

MOST = 4.0
"""A LoRA at more than this, either way, paints noise; the settings allow no more."""

_TAG = re.compile(r"<(\w+):([^>]+)>")
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True)
class LoraTag:
    """A LoRA that a prompt asks for."""

    name: str
    te: float
    """Its weight in the text encoders."""
    unet: float
    """Its weight in the U-Net."""
    at: int = 0
    """The tag's place in the prompt; the first character is 0."""


@dataclass(frozen=True)
class Stripped:
    """A prompt without comments and networks."""

    text: str
    origin: tuple[int, ...]
    """For each character of the text its place in the prompt as it was written."""
    loras: tuple[LoraTag, ...]
    remarks: tuple[Remark, ...]

    def place(self, at: int) -> int:
        """A place in the text as a place in the prompt as it was written."""
        if at < len(self.origin):
            return self.origin[at]
        return self.origin[-1] + 1 if self.origin else 0


def strip(prompt: str) -> Stripped:
    """Takes comments and extra networks out of a prompt, leaving the spaces around them. No text is refused."""
    remarks: list[Remark] = []
    loras: list[LoraTag] = []
    left = [True] * len(prompt)
    for comment in _COMMENT.finditer(prompt):
        left[comment.start() : comment.end()] = [False] * len(comment[0])
        if prompt[prompt.rfind("\n", 0, comment.start()) + 1 : comment.start()].strip():
            remarks.append(Remark(comment.start(), "# and the rest of its line is a comment, and left out"))
    bare = "".join(letter if stays else "\0" for letter, stays in zip(prompt, left, strict=True))
    # What is behind the last > is no tag: every < in it would be followed to the end.
    for tag in _TAG.finditer(bare, 0, bare.rfind(">") + 1):
        left[tag.start() : tag.end()] = [False] * len(tag[0])
        found = _lora(tag)
        if isinstance(found, LoraTag):
            loras.append(found)
        else:
            remarks.append(found)
    kept = [at for at, stays in enumerate(left) if stays]
    return Stripped("".join(prompt[at] for at in kept), tuple(kept), tuple(loras), tuple(remarks))


def _lora(tag: re.Match[str]) -> LoraTag | Remark:
    if tag[1] != LORA:
        return Remark(tag.start(), f"{_short(tag[0])} is not supported: only <lora:NAME:0.8> is", fatal=True)
    plain: list[str] = []
    named: dict[str, str] = {}
    for item in tag[2].split(":"):
        key, equals, value = item.partition("=")
        if equals and "=" not in value:
            named[key.strip()] = value
        else:
            plain.append(item)
    te = named.get("te", plain[1] if len(plain) > 1 else "1")
    unet = named.get("unet", plain[2] if len(plain) > 2 else te)
    if not plain or not plain[0].strip():
        return Remark(tag.start(), f"{_short(tag[0])} names no LoRA: write <lora:NAME:0.8>", fatal=True)
    weights = [_weight(each) for each in (te, unet)]
    if weights[0] is None or weights[1] is None:
        wrong = te if weights[0] is None else unet
        fix = f"write a number from {-MOST:g} to {MOST:g}, as in <lora:{plain[0].strip()}:0.8>"
        return Remark(tag.start(), f"{wrong.strip()!r} is not a valid LoRA weight: {fix}", fatal=True)
    return LoraTag(plain[0].strip(), weights[0], weights[1], tag.start())


def _weight(text: str) -> float | None:
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if math.isfinite(weight) and abs(weight) <= MOST else None


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
