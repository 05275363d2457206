"""The command palette: the registry's actions by name, those of the screen shown first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.widgets import Input
from textual.worker import WorkerCancelled, WorkerFailed

from tui.actions import ACTIONS, Action, Scope, actions_of

if TYPE_CHECKING:
    from tui.app.context import Context


class ActionCommands(Provider):
    """Offers every action that the registry lets into the palette."""

    async def discover(self) -> Hits:
        """What can be done here, before anything is typed."""
        for action in self._actions():
            if action.scope in (self._scope, Scope.APP):
                title = _title(action)
                yield DiscoveryHit(_with_keys(Content(title), action), partial(self._do, action), text=title)

    async def search(self, query: str) -> Hits:
        """Everything that fits what was typed; choosing another screen's action goes there first."""
        matcher = self.matcher(query)
        for action in self._actions():
            score = matcher.match(_title(action))
            if score > 0:
                shown = _with_keys(matcher.highlight(_title(action)), action)
                yield Hit(score, shown, partial(self._do, action), text=_title(action))

    @property
    def _scope(self) -> Scope:
        return getattr(self.screen, "SCOPE", Scope.APP)

    def _actions(self) -> Iterator[Action]:
        offered = [cast("Context", self.app).keys.applied(action) for action in ACTIONS if action.palette]
        yield from sorted(offered, key=lambda action: (action.scope is not self._scope, action.scope is Scope.APP))

    def _do(self, action: Action) -> None:
        app = cast("Context", self.app)
        app.call_later(_run, app, action)


class ThemeCommands(Provider):
    """Offers Limner's themes and the user's own; Textual's know nothing of our inks."""

    async def discover(self) -> Hits:
        """All of them."""
        for name in sorted(cast("Context", self.app).own_themes):
            yield DiscoveryHit(name, partial(cast("Context", self.app).choose_theme, name))

    async def search(self, query: str) -> Hits:
        """Those that fit what was typed."""
        matcher = self.matcher(query)
        for name in sorted(cast("Context", self.app).own_themes):
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), partial(cast("Context", self.app).choose_theme, name))


class Palette(CommandPalette):
    """Textual's palette with a cursor that stands still: nothing is written while nothing happens.

    What leaves a field leaves it, too.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(",".join(action.keys), "escape", action.description, show=False, id=action.id)
        for action in actions_of(Scope.FIELD)
        if action.id == "field.leave"
    ]

    def on_mount(self) -> None:
        """Stops the blinking."""
        self.query_one(Input).cursor_blink = False


def _with_keys(title: Content, action: Action) -> Content:
    return Content.assemble(title, (f"  {action.keys_text}", "$ink-muted"))


def _title(action: Action) -> str:
    prefix = "" if action.scope is Scope.APP else f"{action.scope.title}: "
    return f"{prefix}{action.description}"


async def _run(app: Context, action: Action) -> None:
    """Does an action of the registry; goes to its screen first."""
    if action.scope.value in app.MODES and action.scope.value != app.current_mode:
        await app.switch_mode(action.scope.value)
        # What the screen reads as it appears must be there before anything is done with it.
        for worker in [worker for worker in app.workers if worker.node is app.screen]:
            with suppress(WorkerCancelled, WorkerFailed):
                await worker.wait()
    target: DOMNode | None = app
    if action.scope.value in app.MODES:
        target = app.screen
    elif action.scope is not Scope.APP:
        target = app.screen.focused
    if target is not None and getattr(target, "SCOPE", None) is action.scope:
        target.call_later(app.run_action, action.verb, target)
