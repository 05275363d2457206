"""The Dataset screen."""

from __future__ import annotations

from tui.actions.action import Action

DATASET: tuple[Action, ...] = (
    Action("dataset.edit", "Edit the caption", ("enter", "i"), "edit caption", 10),
    Action("dataset.build", "Build the images from the kept faces", ("b",), "build", 15),
    Action("dataset.captions", "Write captions by template where none are", ("c",), "captions", 16),
    Action("dataset.view", "See the image large", ("v",), "view", 25),
)
