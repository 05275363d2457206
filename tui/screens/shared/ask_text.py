"""Asks for one line of text over the screen that needs it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.actions import Scope
from tui.screens.shared.overlay import Overlay, overlay_bindings
from tui.widgets.text_line import TextLine


class AskText(Overlay[str | None]):
    """Asks for a line of text: a name, a number, axes."""

    CSS_PATH = "ask_text.tcss"
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
            box.border_subtitle = self.keyed("{field.submit} accept · {field.leave} cancel")
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
