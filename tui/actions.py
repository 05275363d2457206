"""The one registry of actions: bindings, footer, palette, ``?`` help and ``limner keys`` all come from it.

Nothing of Textual is imported here, so that the command line can list the keys at once. ``tui.bindings`` turns the
registry into what Textual wants. An action ``faces.keep`` is done by the method ``action_keep`` of whatever answers
for the scope ``faces``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """Where an action's keys mean what they mean."""

    APP = "app"
    LIST = "list"
    DIALS = "dials"
    FIELD = "field"
    CONNECT = "connect"
    FACES = "faces"
    DATASET = "dataset"
    TRAINING = "training"
    PROMPTS = "prompts"
    PICTURES = "pictures"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The scope as help and palette name it."""
        return _TITLES.get(self, self.value.capitalize())


_TITLES = {Scope.APP: "Everywhere", Scope.LIST: "In a list", Scope.DIALS: "In the settings", Scope.FIELD: "In a field"}

SCREENS: tuple[Scope, ...] = (
    Scope.CONNECT,
    Scope.FACES,
    Scope.DATASET,
    Scope.TRAINING,
    Scope.PROMPTS,
    Scope.PICTURES,
)
"""The six screens, in the order of the work; number keys follow it."""


@dataclass(frozen=True)
class Action:
    """Something a key does.

    Args:
        id: ``scope.verb``; names the binding, so that users can give it other keys.
        description: what it does, as help, palette and ``limner keys`` say it.
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

    @property
    def scope(self) -> Scope:
        """Where its keys hold."""
        return Scope(self.id.partition(".")[0])

    @property
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
}


def shown_key(key: str) -> str:
    """A key by the name that is on the keyboard."""
    return _SHOWN.get(key, key)


def _movement() -> tuple[Action, ...]:
    return (
        Action("list.down", "Down a row", ("j", "down")),
        Action("list.up", "Up a row", ("k", "up")),
        Action("list.top", "To the first row", ("g", "home")),
        Action("list.bottom", "To the last row", ("G", "end")),
        Action("list.half_down", "Half a page down", ("ctrl+d", "pagedown")),
        Action("list.half_up", "Half a page up", ("ctrl+u", "pageup")),
        Action("dials.next", "To the next setting", ("j", "down"), palette=False),
        Action("dials.previous", "To the setting before", ("k", "up"), palette=False),
        Action("dials.more", "More of it", ("l", "right"), "more", 12, palette=False),
        Action("dials.less", "Less of it", ("h", "left"), "less", 12, palette=False),
        Action("field.submit", "Take what was typed, and go on", ("enter",), "go on", 11, palette=False),
        Action("field.leave", "Leave the field, to the list", ("escape",), "leave", 12, palette=False),
    )


def _everywhere() -> tuple[Action, ...]:
    going = tuple(
        Action(f"app.{screen.value}", f"Go to {screen.title}", (str(number),))
        for number, screen in enumerate(SCREENS, start=1)
    )
    return (
        *going,
        Action("app.help", "What the keys do here", ("question_mark", "f1"), "help", 1),
        Action(
            "app.command_palette", "Find any action by its name", ("colon", "ctrl+p", "f2"), "all", 90, palette=False
        ),
        Action("app.themes", "Choose another theme"),
        Action("app.screenshot", "Save the screen as an SVG"),
        Action("app.quit", "Quit; what runs goes on", ("q",), "quit", 80),
        Action("app.interrupt", "Quit when pressed twice", ("ctrl+c",), palette=False),
    )


def _connect() -> tuple[Action, ...]:
    return (
        Action("connect.scan", "Scan the faces of the person under the cursor", ("enter",), "scan", 10),
        Action("connect.find", "Find a person by name", ("slash",), "find", 20),
        Action("connect.test", "Test the connection", ("t", "f5"), "test", 15),
        Action("connect.save", "Save the connection", ("s", "f6"), "save", 16),
        Action("connect.edit", "Edit the address", ("i",), "edit", 18),
        Action("connect.new_project", "Make a project in this folder", ("N",)),
    )


def _faces() -> tuple[Action, ...]:
    return (
        Action("faces.keep", "Keep this face", ("y",), "keep", 10),
        Action("faces.reject", "Reject this face", ("x",), "reject", 11),
        Action("faces.clear", "Clear the decision", ("c",), "clear", 31),
        Action("faces.compare", "Compare two faces side by side", ("v",), "compare", 15),
        Action("faces.crop", "Crop by hand, with the photo in view", ("z",), "crop", 16),
        Action("faces.undo", "Undo the last decision, of an earlier day too", ("u",), "undo", 12),
        Action("faces.redo", "Redo what was undone", ("U", "ctrl+r"), "", 40),
        Action("faces.next_undecided", "To the next undecided face", ("n",), "next", 17),
        Action("faces.best", "To the best of this burst", ("b",), "best", 32),
        Action("faces.filter", "Filter the faces", ("slash",), "filter", 13),
        Action("faces.save_filter", "Save the filter under a name", ("F",), "", 45),
        Action("faces.pick", "Pick a mix of faces that fit together", ("P",), "pick 24", 20),
        Action("faces.build", "Build the dataset from the kept faces", ("B",), "build", 21),
        Action("faces.framing", "Cut it tighter or wider: close-up, half body, full body", ("f",), "framing", 30),
        Action("faces.whole", "Show the whole photo with the face's box, or the crop", ("w",), "whole", 33),
        Action("faces.keep_all", "Keep all faces that the filter shows", ("Y",), "", 46),
        Action("faces.reject_all", "Reject all faces that the filter shows", ("X",), "", 47),
        Action("faces.view", "See the picture large", ("enter",), "view", 35),
        Action("faces.measure", "Measure the faces that are new"),
    )


def _dataset() -> tuple[Action, ...]:
    return (
        Action("dataset.edit", "Edit the caption", ("enter", "i"), "edit caption", 10),
        Action("dataset.build", "Build the images from the kept faces", ("b",), "build", 15),
        Action("dataset.captions", "Write captions by template where none are", ("c",), "captions", 16),
        Action("dataset.view", "See the image large", ("v",), "view", 25),
    )


def _training() -> tuple[Action, ...]:
    return (
        Action("training.start", "Start training with these settings", ("s",), "start", 10),
        Action("training.stop_after_epoch", "Stop after this epoch", ("e",), "stop after epoch", 14),
        Action("training.stop_now", "Stop now", ("S",), "stop now", 16),
        Action("training.next_run", "Show the next run", ("tab",), "runs", 20),
        Action("training.previous_run", "Show the run before", ("shift+tab",)),
        Action("training.plan", "Show the plan of a new run", ("p",), "plan", 22),
        Action("training.paint", "Paint with this run's newest checkpoint", ("enter",), "paint", 30),
    )


def _prompts() -> tuple[Action, ...]:
    return (
        Action("prompts.paint", "Paint what is kept, or the line under the cursor", ("enter",), "paint", 10),
        Action("prompts.vary", "Make variations of the prompt", ("V",), "vary", 11),
        Action("prompts.cancel", "Take the question to the language model back", ("escape",), "cancel", 9),
        Action("prompts.keep", "Keep this variation", ("y",), "keep", 12),
        Action("prompts.drop", "Drop this variation", ("x",), "drop", 13),
        Action("prompts.edit", "Edit the prompt", ("i",), "prompt", 16),
        Action("prompts.rewrite", "Edit this variation", ("e",), "edit", 17),
        Action("prompts.again", "Go on from this variation", ("a",), "go on from it", 18),
        Action("prompts.clear", "Clear the mark", ("c",), "clear", 30),
        Action("prompts.library", "Take up a prompt of the library", ("b",), "library", 19),
        Action("prompts.tree", "The tree of who came from whom", ("T",), "tree", 24),
        Action("prompts.more_seeds", "Paint each with one seed more", ("plus", "right_square_bracket"), "seeds", 25),
        Action("prompts.fewer_seeds", "Paint each with one seed fewer", ("minus", "left_square_bracket"), "", 26),
        Action("prompts.stronger", "More of the LoRA", ("l", "right"), "stronger", 31),
        Action("prompts.weaker", "Less of the LoRA", ("h", "left"), "weaker", 31),
        Action("prompts.lock", "Lock parts of the prompt, so that they stay", ("K",), "lock", 27),
        Action("prompts.size", "Small, medium or bold changes", ("z",)),
        Action("prompts.engine", "Vary by the grammar, or by a language model", ("m",)),
        Action("prompts.model", "The language model's next model", ("M",)),
        Action("prompts.place", "Vary the place, or leave it", ("P",)),
        Action("prompts.light", "Vary the light, or leave it", ("L",)),
        Action("prompts.clothes", "Vary the clothes, or leave them", ("O",)),
        Action("prompts.lens", "Vary the lens, or leave it", ("N",)),
        Action("prompts.expression", "Vary the expression, or leave it", ("E",)),
        Action("prompts.framing", "Vary the framing, or leave it", ("F",)),
    )


def _pictures() -> tuple[Action, ...]:
    return (
        Action("pictures.view", "See the picture large", ("v", "enter"), "view", 10),
        Action("pictures.another", "Paint it again with another seed", ("a",), "another seed", 12),
        Action("pictures.cancel", "Take a waiting picture off the queue", ("x",), "cancel", 14),
        Action("pictures.more_stars", "Give the picture a star more", ("plus", "right_square_bracket"), "star", 13),
        Action("pictures.fewer_stars", "Take a star from the picture", ("minus", "left_square_bracket"), "", 40),
        Action("pictures.prompt", "Take its prompt to the Prompts screen", ("e",), "edit prompt", 16),
    )


_SHOWN |= {"plus": "+", "minus": "-", "left_square_bracket": "[", "right_square_bracket": "]"}

ACTIONS: tuple[Action, ...] = (
    *_everywhere(),
    *_movement(),
    *_connect(),
    *_faces(),
    *_dataset(),
    *_training(),
    *_prompts(),
    *_pictures(),
)
"""Every action of the app."""


def actions_of(scope: Scope) -> tuple[Action, ...]:
    """The actions of one scope, in the order of the registry."""
    return tuple(action for action in ACTIONS if action.scope is scope)
