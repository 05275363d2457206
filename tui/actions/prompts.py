"""The Prompts screen."""

from __future__ import annotations

from tui.actions.action import Action

PROMPTS: tuple[Action, ...] = (
    Action("prompts.paint", "Paint what is kept, or the line under the cursor", ("enter",), "paint", 10),
    Action("prompts.vary", "Make variations of the prompt", ("V",), "vary", 11),
    Action("prompts.cancel", "Take the question to the language model back", ("escape", "s"), "cancel", 9),
    Action("prompts.keep", "Keep this variation", ("y",), "keep", 12),
    Action("prompts.drop", "Drop this variation", ("x",), "drop", 13),
    Action("prompts.undo", "Undo the last mark", ("u",), "undo", 15),
    Action("prompts.redo", "Redo what was undone", ("U", "ctrl+r")),
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
    Action("prompts.lora", "Choose the checkpoint to paint with", ("C",), "lora", 14),
    Action("prompts.lock", "Lock parts of the prompt, so that they stay", ("K",), "lock", 27),
    Action("prompts.find", "Find words in the list", ("slash",), "find", 28),
    Action("prompts.next_match", "To the next row that has the words", ("n",)),
    Action("prompts.previous_match", "To the row before that has the words", ("N",)),
    Action("prompts.size", "Small, medium or bold changes", ("z",)),
    Action("prompts.engine", "Vary by the grammar, or by a language model", ("m",)),
    Action("prompts.model", "The language model's next model", ("M",)),
    Action("prompts.place", "Vary the place, or leave it", ("P",)),
    Action("prompts.light", "Vary the light, or leave it", ("L",)),
    Action("prompts.clothes", "Vary the clothes, or leave them", ("O",)),
    Action("prompts.lens", "Vary the lens, or leave it", ("W",)),
    Action("prompts.expression", "Vary the expression, or leave it", ("E",)),
    Action("prompts.framing", "Vary the framing, or leave it", ("F",)),
)
