"""The Faces screen."""

from __future__ import annotations

from tui.actions.action import Action

FACES: tuple[Action, ...] = (
    Action("faces.keep", "Keep this face", ("y",), "keep", 10),
    Action("faces.reject", "Reject this face", ("x",), "reject", 11),
    Action("faces.clear", "Clear the decision", ("c",), "clear", 31),
    Action("faces.compare", "Compare two faces side by side", ("v",), "compare", 15),
    Action("faces.crop", "Crop by hand, with the photo in view", ("z",), "crop", 16),
    Action("faces.undo", "Undo the last decision, of an earlier day too", ("u",), "undo", 12),
    Action("faces.redo", "Redo what was undone", ("U", "ctrl+r"), "", 40),
    Action("faces.next_undecided", "To the next undecided face", ("n",), "next", 17),
    Action("faces.previous_undecided", "To the undecided face before", ("N",), "", 41),
    Action("faces.grid", "Thumbnails, or the list", ("t",), "thumbnails", 18),
    Action("faces.best", "To the best of this burst", ("b",), "best", 32),
    Action("faces.filter", "Filter the faces", ("slash",), "filter", 13),
    Action("faces.save_filter", "Save the filter under a name", ("F",), "", 45),
    Action("faces.pick", "Pick a mix of faces that fit together", ("P",), "pick 24", 20),
    Action("faces.build", "Build the dataset from the kept faces", ("B",), "build", 21),
    Action("faces.framing", "Cut it tighter or wider: close-up, half body, full body", ("f",), "framing", 30),
    Action("faces.whole", "Show the whole photo with the face's box, or the crop", ("w",), "whole", 33),
    Action("faces.group", "Group by burst, by day, by framing, or not", ("o",), "group", 34),
    Action("faces.copy_path", "Copy the photo's path", ("C",), "", 48),
    Action("faces.keep_all", "Keep all faces that the filter shows", ("Y",), "", 46),
    Action("faces.reject_all", "Reject all faces that the filter shows", ("X",), "", 47),
    Action("faces.view", "See the picture large", ("enter",), "view", 35),
    Action("faces.measure", "Measure the faces that are new"),
)
