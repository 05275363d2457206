"""The user's keys laid over the registry's: what each action's keys are in the end, and what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tui.actions import ACTIONS, OVER_LISTS, OVER_SCREENS, SCREENS, Action, Scope, shown_key
from tui.actions.keys import is_text, key_named, swallowed
from tui.actions.overlays import ALSO
from tui.text.lines import Ink, Line
from tui.theming.user_settings import ConfigProblem, UserConfig

NO_KEY = "<none>"
"""Stands in Textual's keymap for an action that has no key; no terminal sends it."""

GRID_SCREENS = {Scope.FACES, Scope.PICTURES, Scope.PLOT}
"""The screens that show thumbnails."""

TOGETHER = (
    {Scope.READING, Scope.HELP},
    {Scope.READING, Scope.DOCTOR},
    {Scope.CHOICE, Scope.CAPTIONER},
    {Scope.CHOICE, Scope.PICKER},
)
"""What lies over a screen and has the keys of two scopes."""

GOING_BACK = {"plot.back", "app.quit"}
"""One key for both: it goes back where one was gone to from elsewhere, and leaves where there is nothing behind."""

KEY_CELLS = 6
"""The width of a column of keys, as empty states have it."""

_NAMED = re.compile(r"\{([a-z]+\.[a-z_]+)\}")
"""An action's id in words that are to name its key."""


@dataclass(frozen=True)
class Keymap:
    """What the keys are. Without an argument: as they come."""

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The keys of the actions whose keys are not the registry's."""
    problems: tuple[ConfigProblem, ...] = ()

    def applied(self, action: Action) -> Action:
        """The action with the user's keys."""
        return replace(action, keys=self.keys[action.id]) if action.id in self.keys else action

    def all(self, actions: Iterable[Action]) -> tuple[Action, ...]:
        """Several of them."""
        return tuple(self.applied(action) for action in actions)

    def in_turn(self, actions: Iterable[Action]) -> tuple[Action, ...]:
        """Several of them in the order in which they are asked: a key that one of them has does nothing further on."""
        taken: set[str] = set()
        found: list[Action] = []
        for action in self.all(actions):
            found.append(replace(action, keys=tuple(key for key in action.keys if key not in taken)))
            taken |= set(action.keys)
        return tuple(found)

    def is_for(self, id_: str, key: str) -> bool:
        """Whether a key does an action."""
        return key in self.applied(_BY_ID[id_]).keys

    def for_textual(self) -> dict[str, str]:
        """The keymap by binding id, as ``App.set_keymap`` takes it (``tui.theming.bindings`` gives the ids)."""
        laid: dict[str, str] = {}
        for id_, keys in self.keys.items():
            laid[id_] = ",".join(key for key in keys if not twice(key)) or NO_KEY
            laid[twice_id(id_)] = ",".join(key[0] for key in keys if twice(key)) or NO_KEY
        return laid


AS_THEY_COME = Keymap()
"""The registry's own keys."""

_BY_ID = {action.id: action for action in ACTIONS}


def key_of(id_: str, keymap: Keymap = AS_THEY_COME) -> str | None:
    """The key that does an action, as a person reads it; ``:`` where only the palette does; None: there is no such."""
    action = _BY_ID.get(id_)
    if action is None:
        return None
    keys = keymap.applied(action).keys or keymap.applied(_BY_ID["app.command_palette"]).keys
    return shown_key(keys[0])


def keyed(text: str, keymap: Keymap = AS_THEY_COME) -> str:
    """Words with the keys of the actions that they name: ``{prompts.edit} goes there`` becomes ``i goes there``."""
    return _NAMED.sub(lambda match: key_of(match[1], keymap) or match[0], text)


def keyed_line(line: Line, keymap: Keymap = AS_THEY_COME) -> Line:
    """A line with the keys of the actions that it names; a piece that is but one name is a column of keys."""
    return [
        (f"{keyed(text, keymap):<{KEY_CELLS}}" if _NAMED.fullmatch(text.strip()) else keyed(text, keymap), ink)
        for text, ink in line
    ]


def hint_line(text: str, keymap: Keymap = AS_THEY_COME) -> Line:
    """What keys do, in a line: the keys set off from the words."""
    line: Line = []
    for number, part in enumerate(_NAMED.split(text)):
        if part:
            line.append((key_of(part, keymap) or part, Ink.ACTIVE) if number % 2 else (part, Ink.MUTED))
    return line


def twice(key: str) -> bool:
    """Whether a key is a letter pressed twice: ``gg``."""
    return len(key) == 2 and key[0] == key[1] and key[0].isalpha()


def pressed(key: str) -> str:
    """What is pressed first: ``g`` for ``gg``."""
    return key[0] if twice(key) else key


def twice_id(id_: str) -> str:
    """The id of the binding for a letter that is pressed twice."""
    return f"{id_}/twice"


def can_meet(one: Scope, other: Scope) -> bool:
    """Whether the keys of two scopes can hold at the same time, so that one key must not mean two things."""
    pair = {one, other}
    if len(pair) == 1:
        return True
    if Scope.FIELD in pair:
        return False
    if pair & set(OVER_SCREENS):
        over_list = Scope.LIST in pair and bool(pair & set(OVER_LISTS))
        return over_list or pair in TOGETHER
    if Scope.APP in pair:
        return True
    if Scope.DIALS in pair:
        return Scope.TRAINING in pair
    if Scope.GRID in pair:
        return bool(pair & GRID_SCREENS)
    return Scope.LIST in pair and bool(pair & set(SCREENS))


def can_clash(one: Action, other: Action) -> bool:
    """Whether a key must not do both, for where one of them holds the other may hold, too."""
    if {one.id, other.id} == GOING_BACK:
        return False
    return can_meet(one.scope, other.scope) or _holds_over(one, other) or _holds_over(other, one)


def _holds_over(action: Action, other: Action) -> bool:
    """Whether an action of a screen holds in what lies over it, where the other is at home."""
    return action.id in ALSO.get(other.scope, ())


def keymap_of(config: UserConfig) -> Keymap:
    """The user's keys over the registry's. What can't be is left out and named; what will surprise is named."""
    reading = _Reading(config)
    for id_, value in config.settings.keys.items():
        reading.take(id_, [value] if isinstance(value, str) else value)
    reading.give_way()
    return Keymap(reading.keys, (*config.problems, *reading.problems))


class _Reading:
    """One reading of the user's entries."""

    def __init__(self, config: UserConfig) -> None:
        self._config = config
        self._by_id = {action.id: action for action in ACTIONS}
        self.keys: dict[str, tuple[str, ...]] = {}
        self.problems: list[ConfigProblem] = []

    def take(self, id_: str, written: list[str]) -> None:
        """One entry of the user's."""
        action = self._by_id.get(id_)
        if action is None:
            near = difflib.get_close_matches(id_, self._by_id, n=1)
            self._say(id_, f"there is no action called {id_}" + (f"; did you mean {near[0]}?" if near else ""))
            return
        keys = tuple(dict.fromkeys(key for text in written if (key := self._key(action, text)) is not None))
        if not keys and (written or not action.palette):
            if not written:
                self._say(id_, f"{id_} needs a key: the palette doesn't offer it")
            return
        self.keys[id_] = keys

    def give_way(self) -> None:
        """Actions that the user said nothing about lose the keys that were given to others they can meet."""
        given = {id_: {pressed(key) for key in keys} for id_, keys in self.keys.items()}
        for action in ACTIONS:
            if action.id in given:
                continue
            for id_, taken in given.items():
                keys = self.keys.get(action.id, action.keys)
                lost = [key for key in keys if pressed(key) in taken]
                if lost and can_clash(action, self._by_id[id_]):
                    self.keys[action.id] = left = tuple(key for key in keys if key not in lost)
                    rest = f"keeps {_shown(left)}" if left else "is left without a key"
                    self._say(id_, f"{id_} takes {_shown(lost)} from {action.id}, which {rest}")

    def _key(self, action: Action, text: str) -> str | None:
        """One key of an entry; None where it is invalid."""
        if twice(text) and any(twice(key) for key in action.keys):
            key = text
        else:
            try:
                key = key_named(text)
            except ValueError as error:
                self._say(action.id, f"{action.id}: {error}")
                return None
        if action.scope is Scope.FIELD and is_text(key):
            self._say(action.id, f"{action.id}: {shown_key(key)} is text in a field; use a key that types nothing")
            return None
        for other, keys in self.keys.items():
            if pressed(key) in {pressed(each) for each in keys} and can_clash(action, self._by_id[other]):
                self._say(action.id, f"{action.id}: {shown_key(key)} is assigned to {other} already")
                return None
        if why := swallowed(key):
            self._say(action.id, f"{action.id}: {shown_key(key)} may never arrive: {why}")
        return key

    def _say(self, id_: str, what: str) -> None:
        self.problems.append(ConfigProblem(self._config.path, self._config.line_of("keys", id_), what))


def _shown(keys: Iterable[str]) -> str:
    return ", ".join(shown_key(key) for key in keys)
