"""The words of the filter line over pictures: which numbers, texts and states a picture has, and what each means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.pictures.gallery.rows import Shown
from engine.pictures.orders.picture import PictureState

_FAILED, _CANCELLED = PictureState.FAILED.value, PictureState.CANCELLED.value


@dataclass(frozen=True)
class Number:
    """A number that can be compared; None: not known, and then no comparison fits."""

    about: str
    of: Callable[[Shown], float | None]


@dataclass(frozen=True)
class Words:
    """A text in which something is looked for, or that is something exactly; without regard to case."""

    about: str
    of: Callable[[Shown], str]


@dataclass(frozen=True)
class State:
    """What holds of a picture or doesn't."""

    about: str
    of: Callable[[Shown], bool]
    hidden: bool = False
    """Pictures of which it holds are left out unless the line names it."""


def day_of(picture: Shown) -> str:
    """``2026-11-21``, by this machine's clock."""
    return time.strftime("%Y-%m-%d", time.localtime(picture.t))


NUMBERS: Mapping[str, Number] = {
    "rating": Number("stars, 0 to 5", lambda picture: picture.rating),
    "likeness": Number("0 (somebody else) to 100 (as a real photo)", lambda picture: picture.likeness),
    "seed": Number("the random seed", lambda picture: picture.seed),
    "strength": Number("the LoRA's weight", lambda picture: picture.strength),
    "steps": Number("steps of the sampler", lambda picture: picture.steps),
    "guidance": Number("guidance scale (CFG)", lambda picture: picture.guidance),
    "width": Number("pixels", lambda picture: picture.width),
    "height": Number("pixels", lambda picture: picture.height),
    "id": Number("the picture's number", lambda picture: picture.id),
}

TEXTS: Mapping[str, Words] = {
    "lora": Words("the checkpoint; “base” without one", lambda picture: picture.lora_name or "base"),
    "run": Words("the run that the checkpoint is of", lambda picture: picture.run_name),
    "prompt": Words("in the prompt", lambda picture: picture.prompt),
    "negative": Words("in the negative prompt", lambda picture: picture.negative),
    "sampler": Words("by A1111's name", lambda picture: picture.sampler or ""),
    "name": Words("in the file's name", lambda picture: picture.name),
    "date": Words("the day: 2026-11-21, 2026-11, today, yesterday", day_of),
}

STATES: Mapping[str, State] = {
    "favourite": State("a favourite", lambda picture: bool(picture.favourite)),
    "rejected": State("rejected, still on the disk", lambda picture: bool(picture.rejected), hidden=True),
    "rated": State("has stars", lambda picture: picture.rating > 0),
    "measured": State("its likeness is known", lambda picture: picture.likeness is not None),
    "outside": State("made elsewhere, found in the folder", lambda picture: bool(picture.outside)),
    "painted": State("painted", lambda picture: picture.painted),
    "failed": State("could not be painted", lambda picture: picture.state == _FAILED),
    "cancelled": State("taken off the queue", lambda picture: picture.state == _CANCELLED, hidden=True),
    "gone": State("its file is gone", lambda picture: bool(picture.gone), hidden=True),
}

EVERYTHING = "anything"
"""``is:anything``: those that are left out otherwise, too."""

SORTS: Mapping[str, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "rating": "most stars first",
    "likeness": "likest first",
    "seed": "by seed, so that pictures with the same seed are together",
    "lora": "by checkpoint, then by strength",
    "prompt": "by prompt",
}
"""Within each the newest come first."""

SYNONYMS: Mapping[str, str] = {"checkpoint": "lora", "cfg": "guidance", "stars": "rating", "weight": "strength"}
"""Other names for the same words."""
