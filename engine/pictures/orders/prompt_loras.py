"""The LoRAs that a prompt may name: the checkpoints of the project's runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import PromptError
from engine.project import Project
from engine.prompts.extra_networks import LoraTag


def known_loras(project: Project) -> dict[str, Path]:
    """Names to files: ``jx265-000002`` is the newest run's, ``20261121-1403-jx265/jx265-000002`` that run's."""
    found: dict[str, Path] = {}
    for run in project.run_folders():
        for file in sorted((run.path / "checkpoints").glob("*.safetensors")):
            found[file.stem] = found[f"{run.id}/{file.stem}"] = file
    return found


def find_loras(project: Project, tags: Sequence[LoraTag]) -> list[tuple[Path, LoraTag]]:
    """The files that a prompt's tags name.

    Raises:
        PromptError: no checkpoint of the project has that name; tells which there are.
    """
    known = known_loras(project) if tags else {}
    for tag in tags:
        if tag.name not in known:
            there = ", ".join(sorted(name for name in known if "/" not in name)[:5])
            fix = f"there are {there}" if there else "no run has a checkpoint yet"
            raise PromptError(f"no LoRA of this project is called {tag.name}", fix)
    return [(known[tag.name], tag) for tag in tags]
