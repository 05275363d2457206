"""Keys take turns: each does all that it does before the next one is looked at.

Textual hands a key to what has the focus at that moment and goes on to the next. Of keys that come in one breath, as
over a slow line, those behind one that opens a field, a dialog or another screen would go to what was there before it,
or get lost on their way. Here the next key waits until the last one has gone its way up from the widget to the app,
where its action is done; until what the widget told because of it has gone the same way (a field tells that Enter was
pressed in it, and only then the next one gets the focus); and until the screen that came of it stands and has given
something the focus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from textual import events
from textual.app import ScreenStackError
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.timer import Timer
    from textual.widget import Widget

LOOK_SECONDS = 0.03
"""How often it is looked whether what a key went to is still there."""

ROUNDS = 2
"""How often the way is gone behind a key: what the key made the widget tell goes between the first and the second."""

MOST_LOOKS = 33
"""After a second a key that has not come back keeps nobody waiting any more."""

Hand = Callable[[events.Event], Awaitable[None]]


class Passed(Message):
    """Follows a key on its way; once it has reached the app, so has the key."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


class KeyQueue:
    """The keys and pasted texts that wait for their turn.

    Args:
        app: the app.
        hand: what hands one to what has the focus.
    """

    def __init__(self, app: App[None], hand: Hand) -> None:
        self._app = app
        self._hand = hand
        self._waiting: deque[events.Event] = deque()
        self._followed: Widget | None = None
        self._stands: Widget | None = None
        self._turn = self._looks = self._rounds = 0
        self._timer: Timer | None = None

    @property
    def all_done(self) -> bool:
        """Whether no key waits for its turn, and the last one has done all it does."""
        return self._followed is None and not self._waiting

    async def take(self, event: events.Event) -> None:
        """Hands it on, now or when its turn has come."""
        self._waiting.append(event)
        if self._followed is None:
            await self._next()

    async def passed(self, message: Passed) -> None:
        """A key has gone its way, or a new screen has done what it does as it appears."""
        if message.turn != self._turn:
            return
        self._rounds -= 1
        # Also where no key waits yet: one may come before what the widget told has gone its way.
        if self._rounds and self._followed is not None and self._followed.is_attached:
            self._followed.post_message(Passed(self._turn))
        else:
            await self._next()

    async def _next(self) -> None:
        self._followed = None
        if not self._waiting:
            if self._timer is not None:
                self._timer.pause()
            return
        try:
            screen = self._app.screen
        except ScreenStackError:
            # The app is leaving, and its screens are gone.
            self._waiting.clear()
            return
        if screen is not self._stands:
            # What makes it appear is before this among its messages.
            self._stands = screen
            self._follow(screen)
            return
        target = self._app.focused or screen
        await self._hand(self._waiting.popleft())
        self._follow(target)

    def _follow(self, target: Widget) -> None:
        self._followed = target
        self._turn += 1
        self._looks, self._rounds = 0, ROUNDS
        target.post_message(Passed(self._turn))
        if self._timer is None:
            self._timer = self._app.set_interval(LOOK_SECONDS, self._look)
        self._timer.resume()

    async def _look(self) -> None:
        """A widget that went away has taken along what followed the key."""
        if self._followed is None:
            return
        self._looks += 1
        if not self._followed.is_attached or self._looks > MOST_LOOKS:
            self._turn += 1
            await self._next()
