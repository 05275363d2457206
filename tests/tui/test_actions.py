"""The registry of actions: one list for keys, footer, palette, help and ``limner keys``."""

from __future__ import annotations

import json
from importlib import import_module
from itertools import combinations
from typing import Any

import pytest
from click.testing import CliRunner

from tui.actions import ACTIONS, SCREENS, Action, Scope, actions_of
from tui.actions.keys import key_named, swallowed
from tui.cli import limner
from tui.keymap import NO_KEY, can_meet, pressed, twice, twice_id
from tui.limner import LimnerApp
from tui.screens import choosing, dataset_questions, dialogs, prompt_tree
from tui.screens.choosing import AskName
from tui.screens.comparing import CompareScreen
from tui.screens.cropping import CropScreen
from tui.screens.dataset_questions import AskCaptioner
from tui.screens.dialogs import Confirm
from tui.screens.doctor import DoctorScreen
from tui.screens.grid import GridScreen
from tui.screens.help import HelpScreen, help_lines
from tui.screens.large import LargeScreen
from tui.screens.leaving import Leaving
from tui.screens.overlay import Overlay
from tui.screens.prompt_locks import Locks
from tui.screens.settings import SettingsScreen
from tui.widgets.dials import Dials
from tui.widgets.footer import footer_line
from tui.widgets.ink import text_of, width_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine
from tui.widgets.thumbnails import Thumbnails

HANDLERS: dict[Scope, Any] = {
    Scope.APP: LimnerApp,
    Scope.LIST: Rows,
    Scope.GRID: Thumbnails,
    Scope.DIALS: Dials,
    Scope.FIELD: TextLine,
    Scope.PLOT: GridScreen,
    Scope.ANSWER: Confirm,
    Scope.CHOICE: AskName,
    Scope.CAPTIONER: AskCaptioner,
    Scope.SWITCHES: Locks,
    Scope.READING: DoctorScreen,
    Scope.HELP: HelpScreen,
    Scope.DOCTOR: DoctorScreen,
    Scope.LEAVING: Leaving,
    Scope.SETTINGS: SettingsScreen,
    Scope.LARGE: LargeScreen,
    Scope.COMPARE: CompareScreen,
    Scope.CROP: CropScreen,
    **{
        scope: getattr(import_module(f"tui.screens.{scope.value}"), f"{scope.value.capitalize()}Screen")
        for scope in SCREENS
    },
}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
class TestEachAction:
    def test_is_done_by_its_scope(self, action: Action) -> None:
        assert callable(getattr(HANDLERS[action.scope], f"action_{action.verb}", None))

    def test_says_what_it_does(self, action: Action) -> None:
        assert action.description[0].isupper()
        assert not action.description.endswith(".")

    def test_can_be_reached(self, action: Action) -> None:
        assert action.palette or action.keys

    def test_has_keys_that_arrive_in_every_terminal(self, action: Action) -> None:
        assert [swallowed(key) for key in action.keys] == [""] * len(action.keys)
        assert all(twice(key) or key_named(key) == key for key in action.keys)

    def test_is_bound_under_its_id(self, action: Action) -> None:
        bindings = {binding.id: binding for binding in HANDLERS[action.scope].BINDINGS}
        once = [key for key in action.keys if not twice(key)]
        assert bindings[action.id].key == (",".join(once) or NO_KEY)
        assert bindings[action.id].action == action.verb
        assert (twice_id(action.id) in bindings) == (len(once) < len(action.keys))


OVERLAYS = [
    each
    for module in (choosing, dataset_questions, dialogs, prompt_tree)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Overlay) and each is not Overlay
] + [cls for cls in HANDLERS.values() if issubclass(cls, Overlay)]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda cls: cls.__name__)
def test_a_dialog_does_and_tells_all_that_its_keys_say(overlay: type[Overlay[object]]) -> None:
    bound: dict[str | None, Any] = {binding.id: binding for binding in overlay.BINDINGS}  # type: ignore[union-attr]
    for action in (each for scope in overlay.SCOPES for each in actions_of(scope)):
        assert bound[action.id].action == action.verb
        assert callable(getattr(overlay, f"action_{action.verb}", None))
    assert overlay.SCOPES
    assert "app.help" in bound


def test_no_id_is_given_twice() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_no_key_means_two_things_where_it_is_pressed() -> None:
    clashes = [
        (one.id, other.id)
        for one, other in combinations(ACTIONS, 2)
        if can_meet(one.scope, other.scope) and set(map(pressed, one.keys)) & set(map(pressed, other.keys))
    ]
    assert clashes == []


@pytest.mark.parametrize(
    "key", ["ctrl+s", "ctrl+q", "ctrl+b", "ctrl+a", "ctrl+j", "ctrl+m", "ctrl+h", "ctrl+i", "alt+x"]
)
def test_keys_that_tmux_ssh_or_flow_control_swallow_are_known(key: str) -> None:
    assert swallowed(key)


def test_what_can_only_be_done_by_mouse_or_luck_is_nothing() -> None:
    hidden = [action.id for action in ACTIONS if not action.keys and not action.palette]
    assert hidden == []


def test_limner_keys_lists_every_action() -> None:
    told = json.loads(CliRunner().invoke(limner, ["keys", "--json"]).stdout)
    assert [each["id"] for each in told["keys"]] == [action.id for action in ACTIONS]
    assert {"id", "scope", "description", "keys"} <= told["keys"][0].keys()
    assert CliRunner().invoke(limner, ["keys"]).exit_code == 0


def test_help_shows_the_keys_of_the_screen_and_of_everywhere() -> None:
    text = "\n".join(text_of(line) for line in help_lines((Scope.FACES, Scope.APP)))
    assert "Keep this face" in text
    assert "U, ctrl+r" in text
    assert "Go to Pictures" in text


@pytest.mark.parametrize("width", [20, 40, 78, 118])
def test_the_footer_keeps_what_matters_most_however_narrow(width: int) -> None:
    line = footer_line([*actions_of(Scope.FACES), *actions_of(Scope.APP)], width)
    assert width_of(line) <= width
    assert "? help" in text_of(line)


def test_the_footer_shows_no_letters_while_they_are_text() -> None:
    line = text_of(footer_line([*actions_of(Scope.CONNECT), *actions_of(Scope.FIELD)], 80, typing=True))
    assert "f5 test" in line
    assert "t test" not in line.replace("f5 test", "")
    assert "esc leave" in line
