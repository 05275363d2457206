"""The Dataset screen."""

from __future__ import annotations

from tui.actions.action import Action

DATASET: tuple[Action, ...] = (
    Action("dataset.edit", "Edit the caption; saved as you type", ("enter", "i"), "edit", 10),
    Action("dataset.captions", "Write captions: template, tagger, model or server", ("c",), "captions", 13),
    Action("dataset.stop", "Stop writing captions; finished ones stay", ("s",), "stop", 9),
    Action("dataset.tags", "Switch between images and tags", ("t",), "tags", 14),
    Action("dataset.filter", "Show only images with the tag under the cursor, or all", ("f",), "filter", 19),
    Action("dataset.rename", "Rename the tag under the cursor in all captions", ("r",), "rename", 20),
    Action("dataset.remove", "Remove the tag under the cursor from all captions", ("x",), "remove", 21),
    Action("dataset.add", "Add a tag to all captions", ("a",), "add", 22),
    Action("dataset.clean", "Clean up all captions by the rules", ("C",), "", 40),
    Action("dataset.rules", "Clean-up rules: switch each on or off", ("R",), "rules", 27),
    Action("dataset.undo", "Undo the last caption change, even from an earlier day", ("u",), "undo", 12),
    Action("dataset.redo", "Redo", ("U", "ctrl+r"), "", 41),
    Action("dataset.missing", "Check what is missing before training", ("m",), "missing", 17),
    Action("dataset.find", "Search the list: captions or tags", ("slash",), "find", 26),
    Action("dataset.next_match", "Next match", ("n",), "", 42),
    Action("dataset.previous_match", "Previous match", ("N",), "", 43),
    Action("dataset.next", "Next image, also while editing a caption", ("f8", "ctrl+n"), "next image", 30),
    Action("dataset.previous", "Previous image, also while editing a caption", ("f9",), "", 31),
    Action("dataset.build", "Build the dataset from the kept faces", ("b",), "build", 15),
    Action("dataset.view", "Show the image large", ("v",), "view", 25),
)
