"""What an action is, and where its keys hold."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


class Scope(StrEnum):
    """Where an action's keys mean what they mean."""

    APP = "app"
    LIST = "list"
    GRID = "grid"
    DIALS = "dials"
    FIELD = "field"
    CONNECT = "connect"
    FACES = "faces"
    DATASET = "dataset"
    TRAINING = "training"
    PROMPTS = "prompts"
    PICTURES = "pictures"
    PLOT = "plot"
    ANSWER = "answer"
    CHOICE = "choice"
    CAPTIONER = "captioner"
    PICKER = "picker"
    SWITCHES = "switches"
    READING = "reading"
    HELP = "help"
    DOCTOR = "doctor"
    LEAVING = "leaving"
    SETTINGS = "settings"
    LARGE = "large"
    COMPARE = "compare"
    CROP = "crop"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The scope as help and palette name it."""
        return _TITLES.get(self, self.value.capitalize())


_TITLES = {
    Scope.APP: "Everywhere",
    Scope.LIST: "In a list",
    Scope.GRID: "In thumbnails",
    Scope.DIALS: "In the settings",
    Scope.FIELD: "In a field",
    Scope.PLOT: "Grid",
    Scope.ANSWER: "Yes or no",
    Scope.CHOICE: "Dialogs",
    Scope.CAPTIONER: "Choosing who writes captions",
    Scope.PICKER: "Choosing the LoRA",
    Scope.SWITCHES: "In a list of switches",
    Scope.READING: "Reading",
    Scope.HELP: "In the help",
    Scope.DOCTOR: "In the doctor",
    Scope.LEAVING: "Quitting while a run is going",
    Scope.SETTINGS: "All settings",
    Scope.LARGE: "A large picture",
    Scope.COMPARE: "Side by side",
    Scope.CROP: "Cropping by hand",
}

SCREENS: tuple[Scope, ...] = (
    Scope.CONNECT,
    Scope.FACES,
    Scope.DATASET,
    Scope.TRAINING,
    Scope.PROMPTS,
    Scope.PICTURES,
)
"""The six screens, in the order of the work; number keys follow it."""

OVER_LISTS: tuple[Scope, ...] = (
    Scope.ANSWER,
    Scope.CHOICE,
    Scope.CAPTIONER,
    Scope.PICKER,
    Scope.SWITCHES,
    Scope.LEAVING,
    Scope.SETTINGS,
)
"""What lies over a screen with a list in it; the keys of screens and of everywhere don't hold there."""

OVER_SCREENS: tuple[Scope, ...] = (
    *OVER_LISTS,
    Scope.READING,
    Scope.HELP,
    Scope.DOCTOR,
    Scope.LARGE,
    Scope.COMPARE,
    Scope.CROP,
)
"""All that lies over a screen."""


@dataclass(frozen=True)
class Action:
    """Something a key does.

    Args:
        id: ``scope.verb``; names the binding, so that users can give it other keys.
        description: what it does, as help, palette and ``limner keys`` rate them.
        keys: the default keys, by Textual's names; the first is the one the footer shows.
        label: the footer's short word; empty: not in the footer.
        rank: the smaller, the longer it stays in a footer that is too narrow.
        palette: whether the command palette offers it.
    """

    id: str
    description: str
    keys: tuple[str, ...] = ()
    label: str = ""
    rank: int = 50
    palette: bool = True

    @cached_property
    def scope(self) -> Scope:
        """Where its keys hold."""
        return Scope(self.id.partition(".")[0])

    @cached_property
    def verb(self) -> str:
        """The name after the scope: what is done by the method ``action_<verb>``."""
        return self.id.partition(".")[2]

    @property
    def keys_text(self) -> str:
        """The keys as a person reads them: ``U, ctrl+r``."""
        return ", ".join(shown_key(key) for key in self.keys)

    def record(self) -> dict[str, Any]:
        """The action as ``limner keys --json`` shows it."""
        return {
            "id": self.id,
            "scope": self.scope.value,
            "description": self.description,
            "keys": [shown_key(key) for key in self.keys],
            "palette": self.palette,
        }


_SHOWN = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "escape": "esc",
    "plus": "+",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "underscore": "_",
    "at": "@",
}


def shown_key(key: str) -> str:
    """A key by the name that is on the keyboard."""
    if key in _SHOWN:
        return _SHOWN[key]
    try:
        sign = unicodedata.lookup(key.replace("_", " ").upper()) if len(key) > 1 else key
    except KeyError:
        return key
    return sign if sign.isprintable() and not sign.isspace() else key
