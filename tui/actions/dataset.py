"""The Dataset screen."""

from __future__ import annotations

from tui.actions.action import Action

DATASET: tuple[Action, ...] = (
    Action("dataset.edit", "Edit the caption; every key is saved", ("enter", "i"), "edit", 10),
    Action("dataset.captions", "Have captions written: template, tagger, model, server", ("c",), "captions", 13),
    Action("dataset.stop", "Stop writing captions; what was written stays", ("s",), "stop", 9),
    Action("dataset.tags", "To the tags of the set, and back to the images", ("t",), "tags", 14),
    Action("dataset.filter", "Only the images with the tag under the cursor, or all again", ("f",), "filter", 19),
    Action("dataset.rename", "Rename the tag under the cursor in all captions", ("r",), "rename", 20),
    Action("dataset.remove", "Remove the tag under the cursor from all captions", ("x",), "remove", 21),
    Action("dataset.add", "Add a tag to all captions", ("a",), "add", 22),
    Action("dataset.clean", "Clean all captions by the rules", ("C",), "", 40),
    Action("dataset.rules", "The rules that clean captions, each switched on or off", ("R",), "rules", 27),
    Action("dataset.undo", "Undo the last change of captions, of an earlier day too", ("u",), "undo", 12),
    Action("dataset.redo", "Redo what was undone", ("U", "ctrl+r"), "", 41),
    Action("dataset.missing", "What is missing before training", ("m",), "missing", 17),
    Action("dataset.find", "Find words in the list: captions, or tags", ("slash",), "find", 26),
    Action("dataset.next_match", "To the next row that has the words", ("n",), "", 42),
    Action("dataset.previous_match", "To the row before that has the words", ("N",), "", 43),
    Action("dataset.next", "To the next image, also while a caption is edited", ("f8", "ctrl+n"), "next image", 30),
    Action("dataset.previous", "To the image before, also while a caption is edited", ("f9",), "", 31),
    Action("dataset.build", "Build the images from the kept faces", ("b",), "build", 15),
    Action("dataset.view", "See the image large", ("v",), "view", 25),
)
