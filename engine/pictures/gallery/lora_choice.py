"""Which LoRA to paint with: the project's checkpoints beside each other, with the likeness that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import PictureError
from engine.pictures.likeness.scores import read_likeness
from engine.project import Project
from engine.training.runs.run_status import run_status


@dataclass(frozen=True)
class LoraChoice:
    """One LoRA that pictures can be painted with, at a strength."""

    file: Path | None
    """None: the base model alone."""
    run: str = ""
    strength: float | None = None
    """The strength that likeness was measured at; None: not measured."""
    likeness: float | None = None
    """0 (somebody else) to 100 (as a real photo); None: not measured, or nothing that could be."""
    recommended: bool = False
    """Whether the measurement recommends it."""

    @property
    def name(self) -> str:
        """What prompts call it: ``jx265-000008``."""
        return self.file.stem if self.file is not None else "no LoRA"


def lora_choices(project: Project) -> list[LoraChoice]:
    """The checkpoints of all runs, the newest run and its last checkpoint first, then the base model alone.

    A checkpoint that likeness was measured of is there once for each strength, the most alike first.
    """
    found: list[LoraChoice] = []
    for job in reversed(project.run_folders()):
        try:
            likeness = read_likeness(job)
        except PictureError:
            # A damaged measurement hides no checkpoint.
            likeness = None
        for file in reversed([each for each in run_status(job).checkpoints if each.exists()]):
            scores = [each for each in (likeness.scores if likeness else ()) if each.checkpoint == str(file)]
            scores.sort(key=lambda each: -1.0 if each.likeness is None else each.likeness, reverse=True)
            best = likeness.recommended if likeness and likeness.recommended.advised else None
            found += [
                LoraChoice(
                    file,
                    job.id,
                    each.strength,
                    each.likeness,
                    best is not None and (best.checkpoint, best.strength) == (each.checkpoint, each.strength),
                )
                for each in scores
            ] or [LoraChoice(file, job.id)]
    return [*found, LoraChoice(None)]
