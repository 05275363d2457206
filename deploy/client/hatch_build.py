"""Which files a client has: all of the packages but the drawn demo's base models, which only what paints could load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ClientFiles(BuildHookInterface[Any]):
    """Adds them to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Lists each file and its place."""
        root = Path(self.root).resolve().parents[1]
        places = {root / "engine": "engine", root / "tui": "tui", root / "themes": "tui/themes"}
        taken = build_data["force_include"]
        for folder, place in places.items():
            for path in folder.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts and not _is_demo_base(path):
                    taken[str(path)] = f"{place}/{path.relative_to(folder).as_posix()}"
        taken[str(root / "pyproject.toml")] = "engine/pyproject.toml"


def _is_demo_base(path: Path) -> bool:
    return path.suffix == ".safetensors" and "demo" in path.parts
