"""Lists every sentence that a user can see, each with its place: to read them all once as a stranger does.

    .venv/bin/python tools/sentences.py [WORD ...]

Without words all are listed; with words those that hold one of them, in upper or lower case. What is put together while
Limner runs is shown with ``{…}`` where something is filled in.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]

SHOWN_BY = frozenset(
    {
        "Action",
        "Check",
        "Confirm",
        "echo",
        "hint_line",
        "narrate",
        "note",
        "notify",
        "option",
        "say",
        "Static",
        "Warning",
    }
)
"""Calls whose words are shown."""

SETTINGS = Path("engine/settings")
"""Where the sentence below a field is what the form says of it."""


@dataclass(frozen=True)
class Sentence:
    """Something that is shown."""

    file: Path
    line: int
    text: str


def sentences() -> Iterator[Sentence]:
    """All of them, file by file."""
    for path in sorted((*HERE.glob("engine/**/*.py"), *HERE.glob("tui/**/*.py"))):
        file = path.relative_to(HERE)
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_shown(node):
                yield from _texts(file, [*node.args, *(each.value for each in node.keywords)])
            elif isinstance(node, ast.FunctionDef) and _is_command(node) and (text := ast.get_docstring(node)):
                yield Sentence(file, node.lineno, text.split("\n\n")[0].replace("\n", " "))
            elif isinstance(node, ast.ClassDef) and SETTINGS in file.parents:
                yield from _fields(file, node)


def _is_shown(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in SHOWN_BY or name.endswith("Error") or name in ("DiskFull", "HostUnreachable", "NotALibrary")


def _is_command(function: ast.FunctionDef) -> bool:
    return any("command" in ast.unparse(each) for each in function.decorator_list)


def _texts(file: Path, given: list[ast.expr]) -> Iterator[Sentence]:
    for each in given:
        text = _text(each)
        if len(text.split()) > 1:
            yield Sentence(file, each.lineno, text)


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.FormattedValue():
            return "{…}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
        case ast.IfExp(body=body, orelse=other):
            return " | ".join(filter(None, (_text(body), _text(other))))
    return ""


def _fields(file: Path, of: ast.ClassDef) -> Iterator[Sentence]:
    for field, below in zip(of.body, of.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and (text := _text(below.value)):
            yield Sentence(file, below.lineno, " ".join(text.split()))


def main(words: list[str]) -> None:
    """Prints those that hold one of the words, or all."""
    for each in dict.fromkeys(sentences()):
        if not words or any(word.casefold() in each.text.casefold() for word in words):
            print(f"{each.file}:{each.line}: {each.text}")


if __name__ == "__main__":
    main(sys.argv[1:])
