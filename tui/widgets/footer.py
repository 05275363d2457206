"""The bottom line: what the keys do here, taken from the registry of actions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from textual.widgets import Static

from tui.actions import Action, Scope, actions_of, shown_key
from tui.theming.keymap import AS_THEY_COME
from tui.widgets.ink import Ink, Line, content_of, width_of

WITHOUT_PROJECT = ("connect.new_project", "plot.back")
"""What can be done on a screen before there is a project; all else needs one."""


def footer_line(actions: Iterable[Action], width: int, *, typing: bool = False) -> Line:
    """The keys of as many actions as fit into ``width``, in the registry's order; those of the highest rank go first.

    Args:
        actions: what can be done now.
        width: cells.
        typing: whether a text field has the focus, so that letters are text and only other keys act.
    """
    shown = [(action, key) for action in actions if action.label and (key := _key_of(action, typing))]
    while shown:
        line = _joined(shown)
        if width_of(line) <= width:
            return line
        shown.remove(max(shown, key=lambda pair: pair[0].rank))
    return []


def _key_of(action: Action, typing: bool) -> str | None:
    """The key to show; while typing: the first that is not a letter."""
    keys = [key for key in action.keys if not typing or action.scope is Scope.FIELD or acts_while_typing(key)]
    return shown_key(keys[0]) if keys else None


def acts_while_typing(key: str) -> bool:
    """Whether a key reaches the screen while a text field has the focus: function keys and ctrl+letters do."""
    return key.startswith("ctrl+") or (key.startswith("f") and key[1:].isdigit())


def _joined(shown: list[tuple[Action, str]]) -> Line:
    line: Line = []
    for number, (action, key) in enumerate(shown):
        line += [("  " if number else "", Ink.PLAIN), (key, Ink.ACTIVE), (f" {action.label}", Ink.MUTED)]
    return line


class KeyLine(Static):
    """The footer of a screen."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; padding: 0 1; background: $surface; }
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    def on_mount(self) -> None:
        """Follows the focus."""
        self.watch(self.screen, "focused", self.draw, init=False)
        self.draw()

    def on_resize(self) -> None:
        """More or fewer keys fit."""
        self.draw()

    def draw(self) -> None:
        """Writes the keys that hold now."""
        focused = self.screen.focused
        scope = getattr(focused, "SCOPE", None)
        actions = [*(actions_of(scope) if scope is not None else ()), *actions_of(self._scope), *actions_of(Scope.APP)]
        keymap = getattr(self.app, "keys", AS_THEY_COME)
        label_of = getattr(self.screen, "label_of", lambda action: action.label)
        possible = keymap.in_turn(action for action in actions if self._possible(action))
        named = [replace(action, label=label_of(action)) for action in possible]
        typing = scope is Scope.FIELD
        self.update(content_of(footer_line(named, self.size.width, typing=typing)))

    def _possible(self, action: Action) -> bool:
        if self.screen.has_class("-empty") and action.scope not in (self._scope, Scope.APP):
            # What has the focus is not shown.
            return False
        if action.scope is not self._scope:
            return True
        if getattr(self.app, "project", None) is None and action.id not in WITHOUT_PROJECT:
            return False
        return bool(self.screen.check_action(action.verb, ()))
