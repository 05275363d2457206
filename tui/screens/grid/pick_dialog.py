"""Which grid to open, over the grid's screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from engine.pictures.grid.plan import Grid
from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line
from tui.widgets.rows import Rows


def grid_line(grid: Grid, width: int) -> Line:  # noqa: ARG001
    """A grid's row: what its axes are, its name, its prompt."""
    axes = " × ".join(f"{axis.kind} {len(axis.values)}" for axis in grid.axes)
    return [(f"{grid.size:>6,}  ", Ink.MUTED), (axes, Ink.PLAIN), (f"  {grid.name}", Ink.MUTED)]


class GridChoice(Overlay[Grid | None]):
    """Shows the grids, the one that was changed last first.

    Args:
        grids: all of them.
        at: the name of the one that is open.
    """

    CSS_PATH = "../shared/ranking.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, grids: Sequence[Grid], at: str | None) -> None:
        super().__init__()
        self._grids = grids
        self._at = next((number for number, grid in enumerate(grids) if grid.name == at), 0)

    def compose(self) -> ComposeResult:
        """The list and the keys."""
        with Vertical() as box:
            box.border_title = "Which grid?"
            yield Rows[Grid](grid_line)
            yield Hints("{choice.take} open   {choice.leave} back")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._grids, self._at)
        self.query_one(Rows).focus()

    @on(Rows.Chosen)
    def action_take(self) -> None:
        """Opens the grid under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_leave(self) -> None:
        """Opens none."""
        self.dismiss(None)
