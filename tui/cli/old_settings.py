"""Tells once, on standard error, which settings of the project stand under their old names."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from engine.renamed_settings import RENAMED

LOOKED_AT = 1_000_000
"""Bytes of a ``limner.toml`` that are looked at: it may have no more."""

_OLD = re.compile(rb"\b(?:%s)\b[\"']?\s*=" % b"|".join(old.encode() for names in RENAMED.values() for old in names))


def tell_of_old_names(folder: Path) -> None:
    """Says it for the project in ``folder``; nothing where it may not be read."""
    path = folder / "limner.toml"
    if not _may_have_some(path):
        # Without importing the settings, which would take a quick command as long again.
        return
    from engine.errors import LimnerError
    from engine.project import open_project
    from engine.settings.renamed import untold_renames
    from tui.cli.report import narrate

    with suppress(LimnerError, OSError):
        project = open_project(folder)
        for old, new in untold_renames(project.settings_path, project.cache).items():
            narrate(f"limner.toml: {old} is called {new} now; the old name keeps working.")


def may_hold_old_names(text: bytes) -> bool:
    """Whether a settings file has a key that looks like an old name."""
    return _OLD.search(text) is not None


def _may_have_some(path: Path) -> bool:
    """The same of a file; one that is not ours is not read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_uid != os.geteuid():
            return False
        with suppress(OSError):
            return may_hold_old_names(file.read(LOOKED_AT))
    return False
