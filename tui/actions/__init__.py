"""The one registry of actions: bindings, footer, palette, ``?`` help and ``limner keys`` all come from it.

Nothing of Textual is imported here, so that the command line can list the keys at once. ``tui.theming.bindings`` turns
the registry into what Textual wants. An action ``faces.keep`` is done by the method ``action_keep`` of whatever answers
for the scope ``faces``.
"""

from __future__ import annotations

from tui.actions.action import OVER_LISTS, OVER_SCREENS, SCREENS, Action, Scope, shown_key
from tui.actions.connect import CONNECT
from tui.actions.dataset import DATASET
from tui.actions.everywhere import EVERYWHERE
from tui.actions.faces import FACES
from tui.actions.movement import MOVEMENT
from tui.actions.overlays import OVERLAYS
from tui.actions.pictures import PICTURES
from tui.actions.plot import PLOT
from tui.actions.prompts import PROMPTS
from tui.actions.training import TRAINING

__all__ = ["ACTIONS", "OVER_LISTS", "OVER_SCREENS", "SCREENS", "Action", "Scope", "actions_of", "shown_key", "verbs_of"]

ACTIONS: tuple[Action, ...] = (
    *EVERYWHERE,
    *MOVEMENT,
    *CONNECT,
    *FACES,
    *DATASET,
    *TRAINING,
    *PROMPTS,
    *PICTURES,
    *PLOT,
    *OVERLAYS,
)
"""Every action of the app."""


# Asked for at every key and whenever a footer is drawn, so sorted once.
_BY_SCOPE = {scope: tuple(action for action in ACTIONS if action.scope is scope) for scope in Scope}
_VERBS = {scope: frozenset(action.verb for action in actions) for scope, actions in _BY_SCOPE.items()}


def actions_of(scope: Scope) -> tuple[Action, ...]:
    """The actions of one scope, in the order of the registry."""
    return _BY_SCOPE[scope]


def verbs_of(scope: Scope) -> frozenset[str]:
    """What can be done in one scope, by the names after it."""
    return _VERBS[scope]
