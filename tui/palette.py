"""The command palette: the registry's actions by name, those of the screen shown first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.actions import ACTIONS, Action, Scope

if TYPE_CHECKING:
    from tui.limner import LimnerApp


class ActionCommands(Provider):
    """Offers every action that the registry lets into the palette."""

    async def discover(self) -> Hits:
        """What can be done here, before anything is typed."""
        for action in self._actions():
            if action.scope in (self._scope, Scope.APP):
                yield DiscoveryHit(_title(action), partial(self._do, action), help=action.keys_text)

    async def search(self, query: str) -> Hits:
        """Everything that fits what was typed; choosing another screen's action goes there first."""
        matcher = self.matcher(query)
        for action in self._actions():
            score = matcher.match(_title(action))
            if score > 0:
                yield Hit(score, matcher.highlight(_title(action)), partial(self._do, action), help=action.keys_text)

    @property
    def _scope(self) -> Scope:
        return getattr(self.screen, "SCOPE", Scope.APP)

    def _actions(self) -> Iterator[Action]:
        offered = [action for action in ACTIONS if action.palette]
        yield from sorted(offered, key=lambda action: (action.scope is not self._scope, action.scope is Scope.APP))

    def _do(self, action: Action) -> None:
        app = cast("LimnerApp", self.app)
        app.call_later(app.do_action, action)


def _title(action: Action) -> str:
    prefix = "" if action.scope is Scope.APP else f"{action.scope.title}: "
    return f"{prefix}{action.description}"
