"""What lists take from vim: a count before a movement (``12j``, ``40G``), and a letter pressed twice (``gg``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

if TYPE_CHECKING:
    from textual.screen import Screen

MOST = 1_000_000
"""No count is larger."""


class Counts:
    """A mixin for what moves a cursor: its actions ask ``counted`` how often.

    A digit that means something on the screen (1 to 6 go to the screens) begins no count, but goes on with one: ``05j``
    moves five rows. Where those keys were given to nothing else, and in dialogs, ``5j`` does.
    """

    screen: Screen[object]
    _count = ""
    _last = ""
    _waiting = ""
    _passed = False

    def counted(self, otherwise: int) -> int:
        """The count that was typed, at least 1, or ``otherwise``; asked for once, it is used up."""
        count, self._count = self._count, ""
        return min(max(1, int(count)), MOST) if count else otherwise

    def action_twice(self, verb: str) -> None:
        """The first press waits; the second does ``verb``."""
        if self._waiting == verb:
            self._waiting = ""
            getattr(self, f"action_{verb}")()
        else:
            self._waiting = verb
            # The count holds until the second press.
            self._passed = False

    def on_key(self, event: events.Key) -> None:
        """Collects digits; any other key takes the count with it."""
        if event.key != self._last:
            self._waiting = ""
        self._last = event.key
        if event.key.isdecimal() and event.key.isascii() and (self._count or self._is_free(event.key)):
            self._count += event.key
            self._passed = False
            event.stop()
            event.prevent_default()
            return
        if self._passed:
            self._count = ""
        self._passed = True

    def _is_free(self, key: str) -> bool:
        return key not in self.screen.active_bindings
