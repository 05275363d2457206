"""The grid's screen (X/Y plot)."""

from __future__ import annotations

from tui.actions.action import Action

PLOT: tuple[Action, ...] = (
    Action("plot.vote_for", "Vote for the picture; again takes it back", ("plus", "right_square_bracket"), "for", 10),
    Action(
        "plot.vote_against",
        "Vote against the picture; again takes it back",
        ("minus", "left_square_bracket"),
        "against",
        11,
    ),
    Action("plot.undo", "Undo the last vote, stars, favourite or rejection, of an earlier day too", ("u",), "undo", 21),
    Action("plot.redo", "Redo what was undone", ("U", "ctrl+r")),
    Action("plot.view", "See the picture large", ("enter", "v"), "large", 12),
    Action("plot.next_page", "To the next page: the next prompt, say", ("tab",), "page", 13),
    Action("plot.previous_page", "To the page before", ("shift+tab",)),
    Action("plot.paint", "Paint what is missing", ("p",), "paint missing", 9),
    Action("plot.cancel", "Take what is not painted off the queue", ("x",), "stop", 8),
    Action("plot.next_open", "To the next picture without a vote", ("n",), "next", 16),
    Action("plot.previous_open", "To the picture before without a vote", ("N",)),
    Action("plot.row", "Only this row, or all", ("r",), "row", 18),
    Action("plot.column", "Only this column, or all", ("c",), "column", 19),
    Action("plot.ranking", "Checkpoints and prompts ranked by votes", ("R",), "ranking", 17),
    Action("plot.extend", "More values: strength=1.2, seed=1-4", ("e",), "extend", 20),
    Action("plot.export", "Write the sheet: one labelled PNG", ("w",), "sheet", 21),
    Action("plot.usual", "The usual grid of the newest run", ("X",), "usual grid", 22),
    Action("plot.make", "Another grid, from axes as on the command line", ("a",), "new", 23),
    Action("plot.other", "Open another grid", ("b",), "grids", 24),
    Action("plot.back", "Back to where you came from", ("q", "escape"), "back", 14),
)
