"""Tells once, on standard error, which settings of the project stand under their old names."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine.errors import LimnerError
from engine.project import open_project
from engine.settings.renamed import untold_renames
from tui.cli.report import narrate


def tell_of_old_names(folder: Path) -> None:
    """Says it for the project in ``folder``; nothing where it may not be read."""
    with suppress(LimnerError, OSError):
        project = open_project(folder)
        for old, new in untold_renames(project.settings_path, project.cache).items():
            narrate(f"limner.toml: {old} is called {new} now; the old name keeps working.")
