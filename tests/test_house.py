"""The house stays one that others find their way in: short modules, small classes and rooms, tests' names in a line."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

LINES, METHODS, MODULES, LETTERS = 400, 25, 15, 70

ACTIONS = "Textual calls a method of the screen for each of its actions"
LARGER = {
    "engine.models.loaded.LoadedBase": (28, "an interface: one line for each thing that a family gives"),
    "tui.app.app.LimnerApp": (49, "Textual's own hooks, and a method for each action that works everywhere"),
    "tui.screens.connect.screen.ConnectScreen": (33, ACTIONS),
    "tui.screens.dataset.screen.DatasetScreen": (38, ACTIONS),
    "tui.screens.faces.screen.FacesScreen": (30, ACTIONS),
    "tui.screens.grid.screen.GridScreen": (31, ACTIONS),
    "tui.screens.pictures.compare.PicturesCompare": (29, ACTIONS),
    "tui.screens.pictures.screen.PicturesScreen": (43, ACTIONS),
    "tui.screens.pictures.view.PicturesPanes": (29, "its panes share the list that is shown"),
    "tui.screens.prompts.screen.PromptsScreen": (37, ACTIONS),
    "tui.screens.settings.screen.SettingsScreen": (26, ACTIONS),
    "tui.screens.shared.base.WorkScreen": (39, "what each of the six screens is asked, one line for most"),
    "tui.screens.training.screen.TrainingScreen": (43, ACTIONS),
    "tui.widgets.rows.Rows": (26, "the movements of a list, a method each"),
    "tui.widgets.thumbnails.grid.Thumbnails": (41, "the movements of a grid, a method each"),
}
"""Classes with more methods, how many they have at most, and why. None may grow."""

FULLER = {"tui/cli/commands": (22, "a module for each word after `limner`")}


def modules() -> Iterator[tuple[str, Path]]:
    for top in ("engine", "tui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def test_no_module_is_longer_than_a_screen_can_be_scrolled_for() -> None:
    counts = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules()}
    assert {name: count for name, count in counts.items() if count > LINES} == {}


def test_no_class_has_more_methods_than_it_has_a_reason_for() -> None:
    found = {}
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                count = sum(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body)
                most = LARGER.get(f"{name}.{node.name}", (METHODS, ""))[0]
                if count > most:
                    found[f"{name}.{node.name}"] = count
    assert found == {}


def test_no_folder_has_more_modules_than_it_has_a_reason_for() -> None:
    rooms = Counter(path.parent.relative_to(ROOT).as_posix() for _, path in modules() if path.name != "__init__.py")
    assert {room: count for room, count in rooms.items() if count > FULLER.get(room, (MODULES, ""))[0]} == {}


def test_a_test_s_name_fits_a_line() -> None:
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found += [node.name] if len(node.name) > LETTERS else []
    assert found == []
