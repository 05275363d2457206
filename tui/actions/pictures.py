"""The Pictures screen."""

from __future__ import annotations

from tui.actions.action import Action

PICTURES: tuple[Action, ...] = (
    Action("pictures.view", "See the picture large", ("enter",), "view", 10),
    Action("pictures.favourite", "Make it a favourite, or not any more", ("f",), "favourite", 11),
    Action("pictures.reject", "Reject it: out of sight, still on the disk; or take that back", ("x",), "reject", 12),
    Action("pictures.more_stars", "Give it a star more", ("plus", "right_square_bracket"), "star", 13),
    Action("pictures.fewer_stars", "Take a star from it", ("minus", "left_square_bracket"), "", 40),
    Action("pictures.rate", "Give it 0 to 5 stars", ("r",), "", 41),
    Action("pictures.undo", "Undo the last stars, favourite or rejection, of an earlier day too", ("u",), "undo", 19),
    Action("pictures.redo", "Redo what was undone", ("U", "ctrl+r"), "", 42),
    Action("pictures.next_open", "To the next picture that nothing is said of", ("n",), "", 51),
    Action("pictures.previous_open", "To the picture before that nothing is said of", ("N",), "", 52),
    Action("pictures.filter", "Filter the pictures", ("slash",), "filter", 14),
    Action("pictures.compare", "Compare two or four side by side", ("v",), "compare", 15),
    Action("pictures.another", "Paint one more like it, with a new seed", ("a",), "another", 16),
    Action("pictures.more", "Paint several more like it, with new seeds", ("A",), "", 43),
    Action("pictures.face_fix", "Paint its faces anew, as a picture of its own; the likelier stays", ("z",), "", 43),
    Action("pictures.prompt", "Take its prompt to the Prompts screen", ("e",), "edit prompt", 17),
    Action("pictures.settings", "Take its prompt and its settings to the Prompts screen", ("E",), "", 44),
    Action("pictures.parameters", "What its file says of how it was made", ("i",), "parameters", 18),
    Action("pictures.copy", "Copy its parameters", ("C",), "", 45),
    Action("pictures.mark", "Mark it, so that keys act on all that are marked", ("space", "m"), "", 46),
    Action("pictures.unmark", "Take all marks away; from the queue, back to the pictures", ("escape", "M"), "", 47),
    Action("pictures.export", "Copy the favourites, or what is marked, to a folder", ("O",), "export", 22),
    Action("pictures.ranking", "Which checkpoints and prompts were liked best", ("b",), "", 48),
    Action("pictures.fold", "Thumbnails alone, or the picture beside them", ("t",), "", 49),
    Action("pictures.queue", "To the queue, or back to the pictures", ("Q",), "queue", 20),
    Action("pictures.cancel", "Take the picture off the queue, the one being painted too", ("c",), "cancel", 8),
    Action("pictures.earlier", "Paint it earlier", ("K",), "earlier", 9),
    Action("pictures.later", "Paint it later", ("J",), "later", 9),
    Action("pictures.next", "Paint it next", ("T",), "", 50),
    Action("pictures.retry", "Try a failed or cancelled picture again", ("R",), "try again", 9),
)
