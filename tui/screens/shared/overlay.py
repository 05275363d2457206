"""What lies over a screen until it is answered or closed; its keys are the registry's, as those of the screens are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import ACTIONS, Action, Scope, actions_of
from tui.app.background.run_watcher import Seen
from tui.theming.bindings import bindings_for
from tui.theming.keymap import AS_THEY_COME, Keymap, hint_line, keyed
from tui.widgets.ink import content_of, title_of

Answer = TypeVar("Answer")


def overlay_bindings(*scopes: Scope, also: Iterable[str] = ()) -> list[BindingType]:
    """The bindings of some scopes, and the key that tells what they are.

    Args:
        scopes: the overlay's.
        also: ids of the actions of the screen below whose keys hold here, too.
    """
    help_ = next(action for action in actions_of(Scope.APP) if action.id == "app.help")
    asking = Binding(",".join(help_.keys), "app.help", help_.description, show=False, id=help_.id)
    below = [
        Binding(",".join(action.keys), action.verb, action.description, show=False, id=action.id)
        for action in ACTIONS
        if action.id in also
    ]
    return [*(binding for scope in scopes for binding in bindings_for(scope)), *below, asking]


class Overlay(ModalScreen[Answer]):
    """A dialog, a list to choose from, something seen large.

    Subclasses say their ``SCOPES`` and which actions of the screen below hold ``ALSO``, and bind them.
    """

    SCOPES: ClassVar[tuple[Scope, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def does(cls) -> tuple[Action, ...]:
        """What its keys do: not every overlay has a use for all of a scope's."""
        held = [action for scope in cls.SCOPES for action in actions_of(scope)]
        held += [action for action in ACTIONS if action.id in cls.ALSO]
        return tuple(action for action in held if hasattr(cls, f"action_{action.verb}"))

    def runs_seen(self, seen: Seen) -> None:
        """Something is new about the runs, to overlays that tell of them."""

    @property
    def keymap(self) -> Keymap:
        """What the keys are, the user's among them."""
        keymap: Keymap = getattr(self.app, "keys", AS_THEY_COME)
        return keymap

    def keyed(self, text: str) -> Content:
        """Words for a border, ``{answer.yes}`` being the key of that action."""
        return title_of(keyed(text, self.keymap))


class Hints(Static):
    """A line that says what keys do: ``{answer.yes} yes   {answer.no} no``, each the user's key."""

    def __init__(self, text: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = text

    def on_mount(self) -> None:
        """Writes it with the keys as they are."""
        self.update(content_of(hint_line(self._text, getattr(self.app, "keys", AS_THEY_COME))))
