"""The Pictures screen."""

from __future__ import annotations

from tui.actions.action import Action

PICTURES: tuple[Action, ...] = (
    Action("pictures.view", "See the picture large", ("v", "enter"), "view", 10),
    Action("pictures.another", "Paint it again with another seed", ("a",), "another seed", 12),
    Action("pictures.cancel", "Take a waiting picture off the queue", ("x",), "cancel", 14),
    Action("pictures.more_stars", "Give the picture a star more", ("plus", "right_square_bracket"), "star", 13),
    Action("pictures.fewer_stars", "Take a star from the picture", ("minus", "left_square_bracket"), "", 40),
    Action("pictures.prompt", "Take its prompt to the Prompts screen", ("e",), "edit prompt", 16),
)
