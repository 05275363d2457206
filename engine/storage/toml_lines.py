"""Where in a TOML file something is set, for messages about it."""

from __future__ import annotations

from collections.abc import Sequence


def line_of(text: str, names: Sequence[str | int]) -> int:
    """The line that sets a key, counted from 1.

    Args:
        text: the file.
        names: the tables' names and the key's, as pydantic gives them; of ``("captions", "rules", 0)`` the line
            of ``captions.rules`` is told.

    Returns:
        The line of the key, or of the nearest table around it that is there; 0 where there is none.
    """
    wanted = [str(name) for name in names if not isinstance(name, int)]
    lines = _lines(text)
    while wanted:
        if (dotted := ".".join(wanted)) in lines:
            return lines[dotted]
        wanted.pop()
    return 0


def _lines(text: str) -> dict[str, int]:
    """The line of every table and key, by dotted name; the first where one comes twice."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header, closed, _ = line.lstrip().partition("]")
        if closed and header.startswith("[") and header.strip("[ \t"):
            table = _bare(header.lstrip("["))
            found.setdefault(table, number)
        elif (key := _bare(line.partition("=")[0])) and "=" in line and not key.startswith("#"):
            found.setdefault(f"{table}.{key}" if table else key, number)
            # ``a.b = 1`` makes the table a, too.
            found.setdefault(f"{table}.{key}".strip(".").rpartition(".")[0] or key, number)
    return found


def _bare(key: str) -> str:
    """A key without quotes and spaces around its parts."""
    return ".".join(part.strip() for part in key.strip().replace('"', "").replace("'", "").split("."))
