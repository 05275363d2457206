"""What comes back when the app is opened again on a project: the last screen, and how each screen was left.

It lies in the project's cache, so that it may be lost; it is written when a screen is left and at the end, whole or not
at all, and only where it says something new.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from engine.project import Project
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_json

NAME = "screens.json"
VERSION = 1

Left = dict[str, Any]
"""How a screen was left: plain JSON values by name."""


class SessionState:
    """The file, read once."""

    def __init__(self, project: Project) -> None:
        self._path: Path = project.cache / NAME
        self._saving = threading.Lock()
        self._record = self._read()
        self._written = self._record

    @property
    def screen(self) -> str:
        """The last screen; empty where nothing is known."""
        name = self._record.get("screen", "")
        return name if isinstance(name, str) else ""

    def of(self, screen: str) -> Left:
        """How a screen was left."""
        left = self._record.get("screens", {}).get(screen, {})
        return dict(left) if isinstance(left, dict) else {}

    def keep(self, screen: str, left: Left) -> None:
        """Takes in how a screen is left; nothing is written yet."""
        self._record = {**self._record, "screen": screen, "screens": {**self._record.get("screens", {}), screen: left}}

    def went_to(self, screen: str) -> None:
        """Another screen is shown now."""
        self._record = {**self._record, "screen": screen}

    def save(self) -> None:
        """Writes it, where it says something new.

        Raises:
            OSError: it can't be written.
        """
        with self._saving:
            record = self._record
            if record != self._written:
                self._path.parent.mkdir(exist_ok=True)
                write_text(self._path, json.dumps(record, ensure_ascii=False, indent=1) + "\n")
                self._written = record

    def _read(self) -> dict[str, Any]:
        """What the file says; nothing where it is not there, broken, or another version's."""
        try:
            record = read_json(self._path)
        except (OSError, ValueError):
            record = {}
        if not isinstance(record, dict) or record.get("v") != VERSION or not isinstance(record.get("screens"), dict):
            return {"v": VERSION, "screens": {}}
        return record
