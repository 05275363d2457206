"""One line of text to type into, as all screens use it."""

from __future__ import annotations

from textual import events
from textual.actions import SkipAction
from textual.widgets import Input

from tui.actions import Scope
from tui.theming.bindings import bindings_for

COPIES = "ctrl+c"
"""The key by which every terminal's user copies what is selected."""


class TextLine(Input):
    """An input of one row without a border; its keys leave it or submit, ↑ and ↓ go to its neighbours."""

    SCOPE = Scope.FIELD
    BINDINGS = bindings_for(Scope.FIELD)
    DEFAULT_CSS = """
    TextLine {
        background: $surface; width: 1fr;
        &:focus { background: $panel; background-tint: $foreground 0%; }
        & > .input--placeholder { color: $ink-muted; }
    }
    """

    def __init__(
        self, value: str = "", *, placeholder: str = "", password: bool = False, id: str | None = None
    ) -> None:
        super().__init__(value, placeholder=placeholder, password=password, id=id, compact=True, select_on_focus=False)
        self.cursor_blink = False

    def action_leave(self) -> None:
        """Back to the screen's list."""
        leave = getattr(self.screen, "leave_field", None)
        if leave is not None:
            leave(self)

    def action_copy(self) -> None:
        """Copies what is selected; with nothing selected ctrl+c means what it means elsewhere."""
        if not self.selected_text:
            raise SkipAction
        super().action_copy()

    def on_key(self, event: events.Key) -> None:
        """Up and down go to the neighbouring field; ctrl+c copies what is selected before it means anything else."""
        if event.key == COPIES and self.selected_text:
            event.stop()
            event.prevent_default()
            self.action_copy()
        elif event.key in ("up", "down"):
            event.stop()
            event.prevent_default()
            if event.key == "up":
                self.screen.focus_previous(TextLine)
            else:
                self.screen.focus_next(TextLine)
