"""Tells once which settings of a project stand under their old names."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from engine.settings.file import old_names
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_json

TOLD = "renamed-settings.json"
"""In the project's cache: the old names that were told; losing it tells them once more."""


def untold_renames(settings_path: Path, cache: Path) -> dict[str, str]:
    """The settings under their old names that were not told yet, dotted: the old name to the new one. They count as
    told from now on."""
    found = old_names(settings_path)
    if not found:
        return {}
    told: object = []
    with suppress(OSError, ValueError):
        told = read_json(cache / TOLD)
    known = set(told) if isinstance(told, list) and all(isinstance(each, str) for each in told) else set()
    new = {old: name for old, name in found.items() if old not in known}
    if new:
        with suppress(OSError):
            cache.mkdir(exist_ok=True)
            write_text(cache / TOLD, json.dumps(sorted(known | new.keys())))
    return new
