"""Help: the keys here: written from the registry for the screen and what has the focus."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.actions import Action, Scope, actions_of
from tui.actions.keys import is_text
from tui.screens.shared.overlay import Overlay
from tui.screens.shared.text_viewer import Reading
from tui.theming.bindings import bindings_for
from tui.theming.keymap import AS_THEY_COME, Keymap
from tui.widgets.ink import Ink, Line, content_of, hanging

KEYS_WIDTH = 14
"""Cells for the keys' column."""


def help_lines(
    scopes: tuple[Scope, ...], keymap: Keymap = AS_THEY_COME, over: type[Overlay[Any]] | None = None, width: int = 120
) -> list[Line]:
    """The keys of some scopes, each under its title; a key that does something else first is left out.

    Args:
        scopes: in the order in which keys are looked for.
        keymap: what the keys are.
        over: what is asked about, where it lies over a screen: only what it does is told.
        width: cells, in which what is longer is wrapped.
    """
    held = [action for scope in scopes for action in actions_of(scope)]
    typing = Scope.FIELD in scopes
    if over is not None:
        told = _told_over(over, held, typing, keymap)
    else:
        told = keymap.all(held) if typing else keymap.in_turn(held)
    lines: list[Line] = []
    scope: Scope | None = None
    for action in told:
        if action.scope is not scope:
            scope = action.scope
            lines += [[]] if lines else []
            lines.append([(scope.title, Ink.STRONG)])
        ink = Ink.ACTIVE if action.keys else Ink.MUTED
        first: Line = [(f"  {action.keys_text or 'palette':<{KEYS_WIDTH}}", ink), (" ", Ink.PLAIN)]
        lines += hanging(first, action.description, Ink.PLAIN, width)
    return lines


def _told_over(over: type[Overlay[Any]], held: list[Action], typing: bool, keymap: Keymap) -> tuple[Action, ...]:
    """What keys do in something that lies over a screen; while a field is typed in, what writes a letter is no key."""
    done = over.does()
    here = [action for action in held if action.scope not in over.SCOPES or action in done]
    here += [action for action in done if action not in here]
    if not typing:
        return keymap.in_turn(here)
    told = keymap.in_turn(sorted(here, key=lambda action: action.scope is not Scope.FIELD))
    left = [replace(action, keys=tuple(key for key in action.keys if not is_text(key))) for action in told]
    return tuple(action for action in left if action.keys)


class HelpScreen(Reading[None]):
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
                "{reading.down} {reading.up} scroll · {help.doctor} doctor · {reading.close} close"
            )
            stack = self.app.screen_stack
            below = type(stack[stack.index(self) - 1])
            over = below if issubclass(below, Overlay) else None
            yield Static(content_of(*help_lines(self._scopes, self._keymap, over)))
        self._over = over

    def on_resize(self) -> None:
        """What is longer than the box is wide wraps elsewhere."""
        self.call_after_refresh(self._lay_out)

    def _lay_out(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        lines = help_lines(self._scopes, self._keymap, self._over, width)
        self.query_one(Static).update(content_of(*lines))

    def action_doctor(self) -> None:
        """Closes, and looks at the machine and the terminal."""
        self.dismiss(None)
        self.app.call_later(self.app.run_action, "doctor")
