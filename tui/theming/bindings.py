"""The registry of actions as Textual's bindings."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from tui.actions import Scope, actions_of
from tui.theming.keymap import NO_KEY, twice, twice_id


def bindings_for(scope: Scope) -> list[BindingType]:
    """The bindings of a scope; each has its action's id, so that a keymap can change its keys.

    A letter that is to be pressed twice has a binding of its own, whose action waits for the second. An action without
    keys has a binding that nothing calls, until a keymap gives it keys.
    """
    bindings: list[BindingType] = []
    for action in actions_of(scope):
        once = ",".join(key for key in action.keys if not twice(key))
        bindings.append(Binding(once or NO_KEY, action.verb, action.description, show=False, id=action.id))
        if letters := ",".join(key[0] for key in action.keys if twice(key)):
            verb = f"twice({action.verb!r})"
            bindings.append(Binding(letters, verb, action.description, show=False, id=twice_id(action.id)))
    return bindings
