"""What this machine can do for a project, and the exact command for what it can't.

Nothing is written, nothing is sent anywhere but to the project's own database, and no heavy library is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.doctor.base import base_checks
from engine.doctor.card import card_checks
from engine.doctor.check import Check
from engine.doctor.library import library_checks
from engine.doctor.packages import package_checks
from engine.doctor.room import disk_checks, locks_check, memory_check
from engine.errors import NoProject, ProjectError
from engine.project import open_project
from engine.settings import DEMO_BASES, BaseSettings

__all__ = ["Check", "examine"]


def examine(folder: Path) -> list[Check]:
    """Looks at everything, side by side, for the project in ``folder`` or without one."""
    try:
        project = open_project(folder)
        settings = project.settings
    except ProjectError as error:
        missing = _is_missing(folder)
        there = Check("project", False, error.what, "limner new DIR" if missing else error.fix, needed=not missing)
        base, tiny, library, root = BaseSettings(), False, [], folder.resolve()
    else:
        there = Check("project", True, str(project.root))
        base, root = settings.base, project.root
        tiny = base.model in DEMO_BASES
        library = [lambda: library_checks(project, settings.library), lambda: [locks_check(project.root)]]
    work: list[Callable[[], Iterable[Check]]] = [
        card_checks,
        lambda: [memory_check(tiny)],
        lambda: disk_checks({"project": root, "base models": _models_folder()}, tiny),
        *library,
        lambda: base_checks(base),
        package_checks,
    ]
    with ThreadPoolExecutor(len(work)) as pool:
        found = list(pool.map(lambda each: list(each()), work))
    return [there, *(check for checks in found for check in checks)]


def _is_missing(folder: Path) -> bool:
    """Whether there is no project, as against one whose settings are broken."""
    try:
        open_project(folder)
    except NoProject:
        return True
    except ProjectError:
        return False
    return False


def _models_folder() -> Path:
    """Where base models from the hub are kept."""
    home = os.environ.get("HF_HOME")
    return Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
