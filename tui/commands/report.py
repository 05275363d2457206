"""How commands report: data on standard output, narration on standard error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def narrate(text: str) -> None:
    """Says something about the work, on standard error."""
    click.echo(text, err=True)


def document(record: dict[str, Any]) -> None:
    """The one JSON document of a ``--json``."""
    click.echo(json.dumps(record, ensure_ascii=False, indent=2))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table on standard output; columns of numbers are right-aligned."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    numeric = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
    for line in [list(head), *cells]:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(parts).rstrip())
