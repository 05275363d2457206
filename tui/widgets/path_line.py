"""A line of text for a path: what stands on this machine completes it."""

from __future__ import annotations

import asyncio
import os
from itertools import islice
from pathlib import Path

from textual import events
from textual.suggester import Suggester

from tui.widgets.text_line import TextLine

MOST_ENTRIES = 20_000
"""Entries of a folder that are looked through."""

SCHEMES = ("sqlite://", "folder://")
"""What may stand before a path."""

INDEX = "index.db"


class PathSuggester(Suggester):
    """Suggests the first folder, or index, that begins as what was typed; nothing for what is no absolute path."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text with its path completed; None: nothing there begins so."""
        return await asyncio.to_thread(completed, value)


class PathLine(TextLine):
    """A text line that → and tab complete."""

    def __init__(self, *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, id=id)
        self.suggester = PathSuggester()

    def on_key(self, event: events.Key) -> None:
        """Tab takes the suggestion where there is one; else it moves on."""
        if event.key == "tab":
            before = self.value
            if self.cursor_position == len(before):
                self.action_cursor_right()
            if self.value != before:
                event.stop()
                event.prevent_default()


def completed(text: str) -> str | None:
    """A text whose path is completed by what is on this machine: a folder ends in ``/``.

    Args:
        text: an absolute path, or one that begins with ``~/``, perhaps behind ``sqlite://`` or ``folder://``.

    Returns:
        The text with more at its end; None where nothing there begins so, or it can't be looked into.
    """
    scheme = next((each for each in SCHEMES if text.startswith(each)), "")
    path = text[len(scheme) :]
    if not path.startswith(("/", "~/")) or "\0" in path:
        return None
    shown, _, beginning = path.rpartition("/")
    folder = Path(os.path.expanduser(f"{shown}/"))  # noqa: PTH111 - pathlib raises where there is no home
    try:
        with os.scandir(folder) as found:
            names = [
                f"{entry.name}/" if entry.is_dir() else entry.name
                for entry in islice(found, MOST_ENTRIES)
                if entry.name.startswith(beginning) and (entry.name == INDEX or entry.is_dir())
            ]
    except OSError:
        return None
    # Hidden folders are for those who type their dot.
    seen = [name for name in names if beginning or not name.startswith(".")]
    best = min(seen, default=None)
    return f"{scheme}{shown}/{best}" if best and best != beginning else None
