"""The registry of actions: one list for keys, footer, palette, help and ``limner keys``."""

from __future__ import annotations

import ast
import json
import pkgutil
import re
from collections import Counter
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen

import tui.screens
import tui.widgets
from tui.actions import ACTIONS, Scope, actions_of
from tui.actions.keys import key_named, swallowed
from tui.actions.overlays import ALSO
from tui.app.app import LimnerApp
from tui.cli.main import limner
from tui.screens import SCREEN_CLASSES
from tui.screens.dataset.dialogs import AskCaptioner
from tui.screens.doctor.screen import DoctorScreen
from tui.screens.faces.crop import CropScreen
from tui.screens.grid.screen import GridScreen
from tui.screens.pictures.compare import PicturesCompare
from tui.screens.pictures.dialogs import ExportScreen
from tui.screens.prompts.locks import Locks
from tui.screens.settings.screen import SettingsScreen
from tui.screens.shared.dialogs import Confirm
from tui.screens.shared.full_size import LargeScreen
from tui.screens.shared.help import HelpScreen, help_lines
from tui.screens.shared.lora_picker import LoraPicker
from tui.screens.shared.overlay import Overlay
from tui.screens.shared.quit_dialog import Leaving
from tui.screens.shared.text_viewer import Reading
from tui.theming.keymap import NO_KEY, can_clash, pressed, twice, twice_id
from tui.widgets.footer import footer_line
from tui.widgets.ink import text_of, width_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine
from tui.widgets.thumbnails.grid import Thumbnails
from tui.widgets.value_list import Dials

HANDLERS: dict[Scope, Any] = {
    Scope.APP: LimnerApp,
    Scope.LIST: Rows,
    Scope.GRID: Thumbnails,
    Scope.DIALS: Dials,
    Scope.FIELD: TextLine,
    Scope.PLOT: GridScreen,
    Scope.ANSWER: Confirm,
    Scope.CHOICE: ExportScreen,
    Scope.CAPTIONER: AskCaptioner,
    Scope.PICKER: LoraPicker,
    Scope.SWITCHES: Locks,
    Scope.READING: DoctorScreen,
    Scope.HELP: HelpScreen,
    Scope.DOCTOR: DoctorScreen,
    Scope.LEAVING: Leaving,
    Scope.SETTINGS: SettingsScreen,
    Scope.LARGE: LargeScreen,
    Scope.COMPARE: PicturesCompare,
    Scope.CROP: CropScreen,
    **{
        scope: getattr(import_module(place.split(":")[0]), place.split(":")[1])
        for scope, place in SCREEN_CLASSES.items()
    },
}


class TestEachAction:
    def test_is_done_by_its_scope(self) -> None:
        for action in ACTIONS:
            assert callable(getattr(HANDLERS[action.scope], f"action_{action.verb}", None)), action.id

    def test_says_what_it_does(self) -> None:
        for action in ACTIONS:
            assert action.description[0].isupper(), action.id
            assert not action.description.endswith("."), action.id

    def test_can_be_reached(self) -> None:
        for action in ACTIONS:
            assert action.palette or action.keys, action.id

    def test_has_keys_that_arrive_in_every_terminal(self) -> None:
        for action in ACTIONS:
            assert [swallowed(key) for key in action.keys] == [""] * len(action.keys), action.id
            assert all(twice(key) or key_named(key) == key for key in action.keys), action.id

    def test_is_bound_under_its_id(self) -> None:
        for action in ACTIONS:
            bindings = {binding.id: binding for binding in HANDLERS[action.scope].BINDINGS}
            once = [key for key in action.keys if not twice(key)]
            assert bindings[action.id].key == (",".join(once) or NO_KEY), action.id
            assert bindings[action.id].action == action.verb, action.id
            assert (twice_id(action.id) in bindings) == (len(once) < len(action.keys)), action.id


MODULES = [
    import_module(each.name)
    for package in (tui.screens, tui.widgets)
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]

BOUND = sorted(
    {
        cls
        for module in MODULES
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, DOMNode) and cls.__module__ == module.__name__
    },
    key=lambda cls: cls.__name__,
)
"""Every screen and every widget of the app's own."""

OVERLAYS = [cls for cls in BOUND if issubclass(cls, ModalScreen) and cls not in (Overlay, Reading)]

LEFT_OUT = {"compare.two": {"CompareScreen"}, "compare.four": {"CompareScreen"}} | {
    "choice.turn": {
        "AskCaptioner",
        "AskText",
        "AskPerson",
        "ChooseKind",
        "ChooseMachine",
        "ChooseOffer",
        "GridChoice",
        "LoraPicker",
        "Missing",
        "PromptList",
        "Stars",
    }
}
"""What some that lie over a screen have no use for."""


def test_no_screen_and_no_widget_has_a_key_that_is_not_the_registry_s() -> None:
    known = {action.id: action for action in ACTIONS}
    for binding in (each for cls in BOUND for each in vars(cls).get("BINDINGS", ())):
        assert isinstance(binding, Binding), f"{binding} has no id that a person could give another key"
        assert binding.id is not None
        action = known[binding.id.removesuffix("/twice")]
        wanted = [key[0] if twice(key) else key for key in action.keys if twice(key) == binding.id.endswith("/twice")]
        assert binding.key == (",".join(wanted) or NO_KEY)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda cls: cls.__name__)
def test_a_dialog_does_and_tells_all_that_its_keys_say(overlay: type[Overlay[object]]) -> None:
    assert issubclass(overlay, Overlay), "what lies over a screen says which keys are its own"
    assert overlay.SCOPES
    bound: dict[str | None, Any] = {binding.id: binding for binding in overlay.BINDINGS}  # type: ignore[union-attr]
    meant = {action.id for scope in overlay.SCOPES for action in actions_of(scope)} | set(overlay.ALSO)
    assert meant <= bound.keys()
    left_out = {id_ for id_, names in LEFT_OUT.items() if overlay.__name__ in names}
    assert meant - {action.id for action in overlay.does()} == left_out
    assert all(bound[action.id].action == action.verb for action in overlay.does())
    assert "app.help" in bound
    told = "\n".join(text_of(line) for line in help_lines(overlay.SCOPES, over=overlay))
    assert all(action.description in told for action in overlay.does())


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda cls: cls.__name__)
def test_in_a_dialog_a_key_does_one_thing(overlay: type[Overlay[object]]) -> None:
    keys = Counter(key for binding in overlay.BINDINGS for key in binding.key.split(","))  # type: ignore[union-attr]
    assert [key for key, count in keys.items() if count > 1] == []


def test_keys_that_hold_over_a_screen_too_are_known_to_the_registry() -> None:
    held = {(scope, id_) for cls in OVERLAYS for scope in cls.SCOPES for id_ in cls.ALSO}
    assert held == {(scope, id_) for scope, ids in ALSO.items() for id_ in ids}


def test_escape_is_never_the_only_key() -> None:
    alone = [action.id for action in ACTIONS if action.keys == ("escape",)]
    assert alone == []


def test_words_on_the_screen_name_keys_by_what_they_do() -> None:
    """A key that is spelled out would be wrong for whoever has given it to something else."""
    spelled = [
        f"{Path(module.__file__ or '').name}: {words}"
        for module in MODULES
        for words in words_in(Path(module.__file__ or ""))
        if re.search(r"(?i)\b(esc|escape|tab|enter|ctrl|backspace)\b", words)
        or re.search(r"(?<![\w'’.\-{“/])[b-hj-wyzB-HJ-Z](?![\w'’.\-=}”/°])", words)
    ]
    assert spelled == []


def words_in(file: Path) -> list[str]:
    """What a module may show: its strings of several words that are no documentation."""
    tree = ast.parse(file.read_text("utf-8"))
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in loose]
    return [node.value for node in strings if isinstance(node.value, str) and " " in node.value.strip()]


def test_no_id_is_given_twice() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_no_key_means_two_things_where_it_is_pressed() -> None:
    clashes = [
        (one.id, other.id)
        for one, other in combinations(ACTIONS, 2)
        if can_clash(one, other) and set(map(pressed, one.keys)) & set(map(pressed, other.keys))
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
