"""Terminals without UTF-8: what is drawn with signs is told with ASCII, cell by cell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tui
from tui.terminal.ascii_fallback import plain


def as_ascii(text: str) -> str:
    """What a terminal without UTF-8 gets."""
    try:
        return text.encode("ascii").decode()
    except UnicodeEncodeError as error:
        written, end = plain(error)
        return text[: error.start] + written + as_ascii(text[end:])


def words_of(path: Path) -> Iterator[str]:
    """The texts in a module, but not what its docstrings say."""
    tree = ast.parse(path.read_text("utf-8"))
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node.value


def test_every_sign_of_ours_has_one_in_ascii() -> None:
    # The table itself, and what stands for a control character: there a question mark is right.
    left_out = ("ascii_fallback.py", "sanitize.py")
    modules = [path for path in Path(tui.__file__).parent.rglob("*.py") if path.name not in left_out]
    assert modules
    lost = {
        (path.name, letter)
        for path in modules
        for words in words_of(path)
        for letter in words
        if letter.isprintable() and not letter.isascii() and as_ascii(letter) == "?"
    }
    assert not lost


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("▸✓ 2019-06-02 …/IMG_2210.jpg", ">v 2019-06-02 ./IMG_2210.jpg"),
        ("♥ 5★ 87 002×0.8", "& 5* 87 002x0.8"),
        ("╭─ “Zoë” ─╮", '+- "Zoe" -+'),
        ("⠁⢆ ██▋─", ".. ###-"),
        ("日本 1", "???? 1"),
        ("Zoe\u0308", "Zoe"),
    ],
)
def test_a_line_keeps_its_sense_and_its_cells(written: str, seen: str) -> None:
    assert as_ascii(written) == seen
