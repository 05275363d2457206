"""The Prompts screen."""

from __future__ import annotations

from tui.actions.action import Action

PROMPTS: tuple[Action, ...] = (
    Action("prompts.paint", "Paint the kept variations, or the one under the cursor", ("enter",), "paint", 10),
    Action("prompts.vary", "Make variations of the prompt", ("V",), "vary", 11),
    Action("prompts.cancel", "Cancel the request", ("escape", "s"), "cancel", 9),
    Action("prompts.keep", "Keep this variation", ("y",), "keep", 12),
    Action("prompts.drop", "Drop this variation", ("x",), "drop", 13),
    Action("prompts.undo", "Undo the last mark", ("u",), "undo", 15),
    Action("prompts.redo", "Redo", ("U", "ctrl+r")),
    Action("prompts.edit", "Edit the prompt", ("i",), "prompt", 16),
    Action("prompts.rewrite", "Edit this variation", ("e",), "edit", 17),
    Action("prompts.again", "Vary this one further", ("a",), "vary further", 18),
    Action("prompts.clear", "Clear the mark", ("c",), "clear", 30),
    Action("prompts.library", "Insert a prompt", ("b",), "library", 19),
    Action("prompts.tree", "Variation tree", ("T",), "tree", 24),
    Action("prompts.more_seeds", "One seed more for each", ("plus", "right_square_bracket"), "seeds", 25),
    Action("prompts.fewer_seeds", "One seed fewer for each", ("minus", "left_square_bracket"), "", 26),
    Action("prompts.stronger", "Raise the LoRA weight", ("l", "right"), "stronger", 31),
    Action("prompts.weaker", "Lower the LoRA weight", ("h", "left"), "weaker", 31),
    Action("prompts.lora", "Choose the checkpoint to paint with", ("C",), "lora", 14),
    Action("prompts.lock", "Lock parts of the prompt", ("K",), "lock", 27),
    Action("prompts.find", "Search the list", ("slash",), "find", 28),
    Action("prompts.next_match", "Next match", ("n",)),
    Action("prompts.previous_match", "Previous match", ("N",)),
    Action("prompts.size", "Small, medium or bold changes", ("z",)),
    Action("prompts.engine", "Vary by the grammar, or by a language model", ("m",)),
    Action("prompts.model", "Next model of the language model server", ("M",)),
    Action("prompts.place", "Toggle varying the place", ("P",)),
    Action("prompts.light", "Toggle varying the light", ("L",)),
    Action("prompts.clothes", "Toggle varying the clothes", ("O",)),
    Action("prompts.lens", "Toggle varying the lens", ("W",)),
    Action("prompts.expression", "Toggle varying the expression", ("E",)),
    Action("prompts.framing", "Toggle varying the framing", ("F",)),
)
