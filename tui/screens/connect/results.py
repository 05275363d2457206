"""What a look into a library, or a scan, told: a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.counting import many
from engine.errors import LimnerError
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.connect.fields import Checked

MARKS = {True: ("✓ ", Ink.GOOD), False: ("✗ ", Ink.BAD), None: ("! ", Ink.ATTENTION)}


def of_library(checked: Checked) -> list[Line]:
    """The server, what it lets Limner read, its folders, and what is to be minded."""
    about = checked.about
    said = about.about if about.photos is None else " · ".join((about.about, many(about.photos, "photo")))
    return [[MARKS[good], (text, Ink.PLAIN)] for good, text in ((True, said), *checked.roots)]


def of_error(error: LimnerError, fix: Line | None = None) -> list[Line]:
    """What happened, and what to do.

    Args:
        error: what was raised.
        fix: what to do, where it is not the error's own words.
    """
    what: list[Line] = [[MARKS[False], (error.what, Ink.PLAIN)]]
    words = fix or ([(error.fix, Ink.PLAIN)] if error.fix else [])
    return [*what, [("  → ", Ink.ATTENTION), *words]] if words else what
