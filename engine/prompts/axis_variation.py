"""Variations of a plain prompt along axes: small, medium and bold changes, each measured.

A part of the prompt that is about an axis (``studio light``) is replaced, so that a small change stays small; where no
part is, what is new is put behind. The first part, which names the person, and parts that are locked never change.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from engine.errors import PromptError
from engine.prompts.axes import DEFAULT_AXES, axis_of, options
from engine.prompts.grammar import distance, tidy

TRIES = 60
"""How often a variation is drawn anew for each that was asked for, before there are no more."""


class Size(StrEnum):
    """How much changes."""

    SMALL = "small"
    MEDIUM = "medium"
    BOLD = "bold"

    def axes(self, there: int) -> int:
        """How many of the axes change."""
        return min(there, {Size.SMALL: 1, Size.MEDIUM: 2, Size.BOLD: there}[self])


@dataclass(frozen=True)
class Variation:
    """A prompt made from another."""

    text: str
    distance: float
    """0 to 1: the share of their words that only one of them has."""
    engine: str = "grammar"

    def about(self) -> dict[str, object]:
        """What the shelf keeps of it."""
        return {"engine": self.engine, "distance": round(self.distance, 3)}


def parts_of(prompt: str) -> list[str]:
    """The parts between the commas; a comma inside brackets divides nothing."""
    found = []
    depth = begin = 0
    for mark in re.finditer(r"\\.|[(\[{<)\]}>,]", prompt, re.DOTALL):
        depth = max(0, depth + (mark[0] in "([{<") - (mark[0] in ")]}>"))
        if mark[0] == "," and not depth:
            found.append(prompt[begin : mark.start()])
            begin = mark.end()
    return [part.strip() for part in (*found, prompt[begin:]) if part.strip()]


def vary(
    parent: str,
    count: int,
    seed: int,
    axes: Sequence[str] = DEFAULT_AXES,
    size: Size = Size.BOLD,
    locked: Collection[str] = (),
    known: Collection[str] = (),
) -> list[Variation]:
    """Variations of a plain prompt, all different, in an order that the seed gives.

    Args:
        parent: the prompt, without choices.
        count: how many, at most.
        seed: the same seed gives the same ones.
        axes: what may change.
        size: how much changes.
        locked: parts of the prompt that stay.
        known: prompts that must not come again.

    Raises:
        PromptError: no axis is given, or one that is not known, or the prompt is empty.
    """
    parts = parts_of(parent)
    if not parts:
        raise PromptError("the prompt is empty", "write what the picture should show")
    if not axes:
        raise PromptError("there is nothing to vary", "choose an axis: place, light, clothes …")
    for axis in axes:
        options(axis)
    taken = {_key(parent), *map(_key, known)}
    found: list[Variation] = []
    in_vain = 0
    for text in _drawn(parts, tuple(dict.fromkeys(axes)), size, locked, Random(seed)):
        if len(found) >= count or in_vain > TRIES:
            break
        in_vain = in_vain + 1 if _key(text) in taken else 0
        if not in_vain:
            taken.add(_key(text))
            found.append(Variation(text, distance(parent, text)))
    return found


def _drawn(
    parts: Sequence[str], axes: Sequence[str], size: Size, locked: Collection[str], chance: Random
) -> Iterator[str]:
    stay = {tidy(part) for part in locked}
    about = [None if number == 0 or tidy(part) in stay else axis_of(part) for number, part in enumerate(parts)]
    while True:
        text = list(parts)
        gone: set[int] = set()
        for axis in chance.sample(axes, size.axes(len(axes))):
            places = [number for number, each in enumerate(about) if each == axis]
            new = chance.choice([each for each in options(axis) if each not in parts])
            if places:
                text[places[0]] = new
                gone.update(places[1:])
            else:
                text.append(new)
        yield ", ".join(part for number, part in enumerate(text) if number not in gone)


def _key(text: str) -> str:
    """What two prompts that say the same have in common."""
    return " ".join(re.findall(r"[\w'-]+", text.casefold()))
