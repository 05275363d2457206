"""The Faces screen."""

from __future__ import annotations

from tui.actions.action import Action

FACES: tuple[Action, ...] = (
    Action("faces.keep", "Keep this face", ("y",), "keep", 10),
    Action("faces.reject", "Reject this face", ("x",), "reject", 11),
    Action("faces.clear", "Clear the decision", ("c",), "clear", 31),
    Action("faces.compare", "Compare two faces side by side", ("v",), "compare", 15),
    Action("faces.crop", "Crop by hand, with the photo in view", ("z",), "crop", 16),
    Action("faces.undo", "Undo the last decision, even from an earlier day", ("u",), "undo", 12),
    Action("faces.redo", "Redo", ("U", "ctrl+r"), "", 40),
    Action("faces.next_undecided", "Next undecided face", ("n",), "next", 17),
    Action("faces.previous_undecided", "Previous undecided face", ("N",), "", 41),
    Action("faces.grid", "Toggle thumbnails and list", ("t",), "thumbnails", 18),
    Action("faces.best", "Best of this burst", ("b",), "best", 32),
    Action("faces.filter", "Filter the faces", ("slash",), "filter", 13),
    Action("faces.save_filter", "Save the filter", ("F",), "", 45),
    Action("faces.pick", "Pick a varied set of faces", ("P",), "pick 24", 20),
    Action("faces.build", "Build the dataset from the kept faces", ("B",), "build", 21),
    Action("faces.framing", "Crop: close-up, half body or full body", ("f",), "framing", 30),
    Action("faces.whole", "Toggle the crop and the whole photo", ("w",), "whole", 33),
    Action("faces.group", "Group by burst, day, framing, or not at all", ("o",), "group", 34),
    Action("faces.copy_path", "Copy the photo's path", ("C",), "", 48),
    Action("faces.keep_all", "Keep all faces shown", ("Y",), "", 46),
    Action("faces.reject_all", "Reject all faces shown", ("X",), "", 47),
    Action("faces.view", "Show the picture large", ("enter",), "view", 35),
    Action("faces.measure", "Measure new faces"),
)
