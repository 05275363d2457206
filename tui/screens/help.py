"""What the keys do here: written from the registry for the screen and what has the focus."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.actions import Scope, actions_of
from tui.bindings import bindings_for
from tui.keymap import AS_THEY_COME, Keymap
from tui.screens.reading import Reading
from tui.widgets.ink import Ink, Line, content_of

KEYS_WIDTH = 14
"""Cells for the keys' column."""


def help_lines(scopes: tuple[Scope, ...], keymap: Keymap = AS_THEY_COME) -> list[Line]:
    """The keys of some scopes, each under its title."""
    lines: list[Line] = []
    for scope in scopes:
        lines += [[]] if lines else []
        lines.append([(scope.title, Ink.STRONG)])
        for action in keymap.all(actions_of(scope)):
            keys = action.keys_text or "palette"
            ink = Ink.ACTIVE if action.keys else Ink.MUTED
            lines.append([(f"  {keys:<{KEYS_WIDTH}}", ink), (f" {action.description}", Ink.PLAIN)])
    return lines


class HelpScreen(Reading):
    """The help overlay; any of its keys closes it."""

    CSS_PATH = "help.tcss"
    SCOPES = (Scope.HELP, Scope.READING)
    BINDINGS = [
        *bindings_for(Scope.READING),
        *bindings_for(Scope.HELP),
        # The key that opened it.
        Binding("question_mark,f1", "close", "Close", show=False, id="app.help"),
    ]

    def __init__(self, scopes: tuple[Scope, ...], keymap: Keymap = AS_THEY_COME) -> None:
        super().__init__()
        self._scopes = scopes
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """A box with the keys."""
        with VerticalScroll(can_focus=False) as box:
            box.border_title = "keys"
            box.border_subtitle = self.keyed(
                "{reading.down} {reading.up} scroll · {help.doctor} doctor · {reading.close} closes"
            )
            yield Static(content_of(*help_lines(self._scopes, self._keymap)))

    def action_doctor(self) -> None:
        """Closes, and looks at the machine and the terminal."""
        self.dismiss(None)
        self.app.call_later(self.app.run_action, "doctor")
