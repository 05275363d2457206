"""The house stays one that others find their way in: short modules, small classes and rooms, tests' names in a line."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

LINES, METHODS, MODULES, LETTERS = 400, 25, 15, 70

ACTIONS = "Textual calls a method of the screen for each of its actions"
LARGER = {
    "engine.models.loaded.LoadedBase": (29, "an interface: one line for each thing that a family gives"),
    "tui.app.app.LimnerApp": (49, "Textual's own hooks, and a method for each action that works everywhere"),
    "tui.screens.connect.screen.ConnectScreen": (35, ACTIONS),
    "tui.screens.dataset.screen.DatasetScreen": (38, ACTIONS),
    "tui.screens.faces.screen.FacesScreen": (30, ACTIONS),
    "tui.screens.grid.screen.GridScreen": (31, ACTIONS),
    "tui.screens.pictures.compare.PicturesCompare": (29, ACTIONS),
    "tui.screens.pictures.screen.PicturesScreen": (43, ACTIONS),
    "tui.screens.pictures.view.PicturesPanes": (29, "its panes share the list that is shown"),
    "tui.screens.prompts.screen.PromptsScreen": (37, ACTIONS),
    "tui.screens.settings.screen.SettingsScreen": (28, ACTIONS),
    "tui.screens.shared.base.WorkScreen": (39, "what each of the six screens is asked, one line for most"),
    "tui.screens.training.screen.TrainingScreen": (45, ACTIONS),
    "tui.widgets.rows.Rows": (26, "the movements of a list, a method each"),
    "tui.widgets.thumbnails.grid.Thumbnails": (41, "the movements of a grid, a method each"),
}
"""Classes with more methods, how many they have, and why. None may grow; one that shrinks is written down."""

FULLER = {
    "engine/models": (17, "what all families share, beside a folder for each"),
    "tui/cli/commands": (24, "a module for each word after `limner`"),
}


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
                if count > METHODS:
                    found[f"{name}.{node.name}"] = count
    assert found == {name: count for name, (count, _) in LARGER.items()}


def test_no_folder_has_more_modules_than_it_has_a_reason_for() -> None:
    rooms = Counter(path.parent.relative_to(ROOT).as_posix() for _, path in modules() if path.name != "__init__.py")
    assert {room: count for room, count in rooms.items() if count > FULLER.get(room, (MODULES, ""))[0]} == {}


def test_docstrings_name_the_parameters_that_there_are() -> None:
    found = []
    for name, path in modules():
        for described, function in functions_with_arguments(ast.parse(path.read_text("utf-8"))):
            there = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
            section = re.split(r"\n(?:Returns|Raises|Yields):|\n\n(?=\S)", described.split("Args:", 1)[1])[0]
            told = re.findall(r"^    (\w+):", section, re.MULTILINE)
            found += [f"{name}.{function.name}: {each}" for each in told if each not in there]
    assert found == []


def functions_with_arguments(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Docstrings that describe arguments, and the functions that take them: a class's are its ``__init__``'s."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        described = ast.get_docstring(node) or ""
        body = node.body if isinstance(node, ast.ClassDef) else [node]
        for made in body:
            if "Args:" in described and isinstance(made, ast.FunctionDef) and made.name in ("__init__", node.name):
                yield described, made


def test_a_test_s_name_fits_a_line() -> None:
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found += [node.name] if len(node.name) > LETTERS else []
    assert found == []
