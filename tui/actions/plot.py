"""The grid's screen (X/Y plot)."""

from __future__ import annotations

from tui.actions.action import Action

PLOT: tuple[Action, ...] = (
    Action("plot.vote_for", "Vote for the picture; press again to undo", ("plus", "right_square_bracket"), "for", 10),
    Action(
        "plot.vote_against",
        "Vote against the picture; press again to undo",
        ("minus", "left_square_bracket"),
        "against",
        11,
    ),
    Action(
        "plot.undo", "Undo the last vote, rating, favourite or rejection, even from an earlier day", ("u",), "undo", 21
    ),
    Action("plot.redo", "Redo", ("U", "ctrl+r")),
    Action("plot.view", "Show the picture large", ("enter", "v"), "large", 12),
    Action("plot.next_page", "Next page, such as the next prompt", ("tab",), "page", 13),
    Action("plot.previous_page", "Previous page", ("shift+tab",)),
    Action("plot.paint", "Paint the missing pictures", ("p",), "paint missing", 9),
    Action("plot.cancel", "Cancel what is not painted yet", ("x",), "stop", 8),
    Action("plot.next_open", "Next picture without a vote", ("n",), "next", 16),
    Action("plot.previous_open", "Previous picture without a vote", ("N",)),
    Action("plot.row", "Show only this row, or all", ("r",), "row", 18),
    Action("plot.column", "Show only this column, or all", ("c",), "column", 19),
    Action("plot.ranking", "Rank checkpoints and prompts by votes", ("R",), "ranking", 17),
    Action("plot.extend", "Add values: strength=1.2, seed=1-4", ("e",), "extend", 20),
    Action("plot.export", "Export the grid as one labelled PNG", ("w",), "sheet", 21),
    Action("plot.usual", "Default grid of the newest run", ("X",), "usual grid", 22),
    Action("plot.make", "New grid, with axes as on the command line", ("a",), "new", 23),
    Action("plot.other", "Open another grid", ("b",), "grids", 24),
    Action("plot.back", "Back to where you came from", ("q", "escape"), "back", 14),
)
