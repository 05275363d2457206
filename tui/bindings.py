"""The registry of actions as Textual's bindings."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tui.actions import Scope, actions_of


def bindings_for(scope: Scope, *, priority: bool = False) -> list[BindingType]:
    """The bindings of a scope; each has its action's id, so that a keymap can change its keys."""
    return [
        Binding(",".join(action.keys), action.verb, action.description, show=False, priority=priority, id=action.id)
        for action in actions_of(scope)
        if action.keys
    ]
