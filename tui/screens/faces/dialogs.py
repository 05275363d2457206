"""The Faces screen's question before a pick is kept: which faces, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.actions import Scope
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, content_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.faces.selection.pick import Picked


class Chosen(Overlay[bool]):
    """Shows what would be kept, with the reason for each, and asks."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.ANSWER,)
    BINDINGS = overlay_bindings(Scope.ANSWER)

    def __init__(self, question: str, picked: Sequence[Picked]) -> None:
        super().__init__()
        self._question = question
        self._picked = picked

    def compose(self) -> ComposeResult:
        """The question, the list, the keys."""
        with Vertical() as box:
            box.border_title = self._question
            yield Rows["Picked"](_picked_line)
            yield Static(id="why")
            yield Hints("{answer.yes} keep them   {answer.no} cancel")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._picked)

    @on(Rows.Moved)
    def _moved(self) -> None:
        """A row is cut where it is too long; here all of it stands."""
        picked: Picked | None = self.query_one(Rows).item
        why = picked.why.partition(": ")[2] if picked is not None else ""
        self.query_one("#why", Static).update(content_of([(why, Ink.MUTED)]))

    def action_yes(self) -> None:
        """Closes with the answer."""
        self.dismiss(True)

    def action_no(self) -> None:
        """Closes with the other."""
        self.dismiss(False)


def _picked_line(picked: Picked, width: int) -> Line:  # noqa: ARG001
    kind, _, why = picked.why.partition(": ")
    date = (picked.face.taken_at or "no date")[:10]
    return [(f" {date:<10} ", Ink.MUTED), (f"{kind:<10} ", Ink.ACTIVE), (why, Ink.PLAIN)]
