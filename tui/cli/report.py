"""How commands report: data on standard output, narration on standard error."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from engine.secrets import without_secrets
from tui.text.sanitize import sanitize

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


_STEERS_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON may hold as it is, and a terminal would obey."""


def echo(text: object = "", nl: bool = True, err: bool = False, color: bool | None = None) -> None:
    """Writes to standard output, or to standard error: the one gate for all that a command says. No secret passes."""
    click.echo(without_secrets(str(text)), nl=nl, err=err, color=color)


def narrate(text: str) -> None:
    """Says something about the work, on standard error. What steers a terminal comes out as a sign."""
    echo(_by_line(text), err=True)


def say(text: str) -> None:
    """Says what was asked for, on standard output. What steers a terminal comes out as a sign."""
    echo(_by_line(text))


def document(record: dict[str, Any]) -> None:
    """The one JSON document of a ``--json``; what steers a terminal is an escape in it, and reads back as it was."""
    text = json.dumps(record, ensure_ascii=False, indent=2)
    echo(_STEERS_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table on standard output; columns of numbers are right-aligned."""
    cells = [[sanitize(without_secrets(str(cell))) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    numeric = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
    for line in [list(head), *cells]:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        echo("  ".join(parts).rstrip())


def _by_line(text: str) -> str:
    return "\n".join(sanitize(line) for line in without_secrets(text).split("\n"))
