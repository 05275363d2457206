"""Small questions of the Faces and the Dataset screen: what was chosen and why, and a name."""

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
from tui.widgets.text_line import TextLine

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
            yield Hints("{answer.yes} keep them   {answer.no} leave it")

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


class AskName(Overlay[str | None]):
    """Asks for one word."""

    CSS_PATH = "dialogs.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, question: str, detail: str, value: str = "") -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._value = value

    def compose(self) -> ComposeResult:
        """The question and a field."""
        with Vertical() as box:
            box.border_title = self._question
            box.border_subtitle = self.keyed("{field.submit} takes it · {field.leave} leaves it")
            yield Static(self._detail, markup=False)
            yield TextLine(self._value)

    def leave_field(self, field: TextLine) -> None:
        """Esc in the field leaves the question."""
        self.action_leave()

    @on(TextLine.Submitted)
    def action_take(self) -> None:
        """Closes with the words."""
        self.dismiss(self.query_one(TextLine).value.strip() or None)

    def action_leave(self) -> None:
        """Leaves it."""
        self.dismiss(None)


def _picked_line(picked: Picked, width: int) -> Line:  # noqa: ARG001
    kind, _, why = picked.why.partition(": ")
    date = (picked.face.taken_at or "no date")[:10]
    return [(f" {date:<10} ", Ink.MUTED), (f"{kind:<10} ", Ink.ACTIVE), (why, Ink.PLAIN)]
