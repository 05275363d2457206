"""How a project keeps paths: those inside of it relative to its folder, so that it can be moved and copied whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SETTINGS_NAME = "limner.toml"
"""The settings' file in a project folder."""

INSIDE = "./"
"""How a kept path inside the project begins; others are absolute, or names."""


@dataclass(frozen=True)
class ProjectPaths:
    """Turns paths into what is kept of them, and back."""

    root: Path
    """The project's folder, absolute and without links."""

    def kept(self, path: Path | str) -> str:
        """What is kept of a path: ``./pictures/1.png`` for one inside the project; any other as it is."""
        text = os.path.normpath(path) if Path(path).is_absolute() else str(path)
        inside = text.removeprefix(f"{self.root}{os.sep}")
        return f"{INSIDE}{Path(inside).as_posix()}" if inside != text else text

    def full(self, kept: str) -> str:
        """The path that was kept; what is no path inside the project comes back as it is."""
        return f"{self.root}{os.sep}{kept[len(INSIDE) :]}" if kept.startswith(INSIDE) else kept

    def path(self, kept: str) -> Path:
        """The same as a path."""
        return Path(self.full(kept))


def expand_home(path: str | Path) -> Path:
    """``~`` and ``~user`` as home folders; where nobody is called so, the path as it is.

    ``Path.expanduser`` raises RuntimeError there.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111
