"""The Pictures screen."""

from __future__ import annotations

from tui.actions.action import Action

PICTURES: tuple[Action, ...] = (
    Action("pictures.view", "Show the picture large", ("enter",), "view", 10),
    Action("pictures.favourite", "Toggle favourite", ("f",), "favourite", 11),
    Action("pictures.reject", "Toggle rejected: hidden, still on disk", ("x",), "reject", 12),
    Action("pictures.more_stars", "One star more", ("plus", "right_square_bracket"), "star", 13),
    Action("pictures.fewer_stars", "One star less", ("minus", "left_square_bracket"), "", 40),
    Action("pictures.rate", "Set 0 to 5 stars", ("r",), "", 41),
    Action(
        "pictures.undo", "Undo the last rating, favourite or rejection, even from an earlier day", ("u",), "undo", 19
    ),
    Action("pictures.redo", "Redo", ("U", "ctrl+r"), "", 42),
    Action("pictures.next_open", "Next unrated picture", ("n",), "", 51),
    Action("pictures.previous_open", "Previous unrated picture", ("N",), "", 52),
    Action("pictures.filter", "Filter the pictures", ("slash",), "filter", 14),
    Action("pictures.compare", "Compare two to four side by side", ("v",), "compare", 15),
    Action("pictures.another", "Paint one more with a new seed", ("a",), "another", 16),
    Action("pictures.more", "Paint several more with new seeds", ("A",), "", 43),
    Action("pictures.face_fix", "Fix its faces, as a new picture; the closer likeness wins", ("z",), "", 43),
    Action("pictures.prompt", "Edit its prompt on the Prompts screen", ("e",), "edit prompt", 17),
    Action("pictures.settings", "Edit its prompt with its settings on the Prompts screen", ("E",), "", 44),
    Action("pictures.parameters", "Show its generation parameters", ("i",), "parameters", 18),
    Action("pictures.copy", "Copy its generation parameters", ("C",), "", 45),
    Action("pictures.mark", "Mark it; keys then act on all marked pictures", ("space", "m"), "", 46),
    Action("pictures.unmark", "Clear all marks; from the queue, back to the pictures", ("escape", "M"), "", 47),
    Action("pictures.export", "Copy the favourites, or the marked ones, to a folder", ("O",), "export", 22),
    Action("pictures.ranking", "Rank checkpoints and prompts by ratings", ("b",), "", 48),
    Action("pictures.fold", "Toggle the picture beside the thumbnails", ("t",), "", 49),
    Action("pictures.queue", "Switch between queue and pictures", ("Q",), "queue", 20),
    Action("pictures.cancel", "Cancel the picture, even while it is being painted", ("c",), "cancel", 8),
    Action("pictures.earlier", "Paint it earlier", ("K",), "earlier", 9),
    Action("pictures.later", "Paint it later", ("J",), "later", 9),
    Action("pictures.next", "Paint it next", ("T",), "", 50),
    Action("pictures.retry", "Retry a failed or cancelled picture", ("R",), "try again", 9),
)
