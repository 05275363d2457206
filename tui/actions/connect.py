"""The Connect screen."""

from __future__ import annotations

from tui.actions.action import Action

CONNECT: tuple[Action, ...] = (
    Action("connect.scan", "Scan the faces of the person under the cursor", ("enter",), "scan", 10),
    Action("connect.find", "Find a person by name", ("slash",), "find", 20),
    Action("connect.test", "Test the connection", ("t", "f5"), "test", 15),
    Action("connect.save", "Save the connection", ("s", "f6"), "save", 16),
    Action("connect.kind", "Choose what keeps your photos", ("L",), "library", 17),
    Action("connect.edit", "Edit the address", ("i",), "edit", 18),
    Action("connect.rename", "Name the person under the cursor (folder libraries)", ("r",), "name", 21),
    Action("connect.merge", "Merge two people into one (folder libraries)", ("m",), "merge", 22),
    Action("connect.new_project", "Make a project in this folder", ("N",), "new project", 5),
)
