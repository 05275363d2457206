"""How much a run's portraits are the person: what was measured, as it is kept and reported. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import PictureError
from engine.jobs.folder import JobFolder, write_whole
from engine.settings import DEMO_BASE, BaseSettings

LIKENESS_NAME = "likeness.json"

IDENTITIES: Mapping[str, str] = {"drawn": "engine.demo.identity:DrawnIdentity"}
"""What can tell people apart: a name, and where its class is. It is made with ``load()`` and its ``embed(images)``
gives unit vectors [n, d]."""


@dataclass(frozen=True)
class PictureScore:
    """One painted picture: its likeness to the person, and who of all people it is nearest to."""

    path: str
    seed: int
    likeness: float
    nearest: str | None
    """A name; the empty name is the person's own. None where there was nobody else to compare with."""


@dataclass(frozen=True)
class Score:
    """A checkpoint at a strength. Likeness is a cosine: 1 is the person, around 0 is anybody."""

    checkpoint: str
    strength: float
    median: float
    spread: float
    """Between the first and the third quartile."""
    rank_1: float | None
    """The share of pictures that are nearer to the person than to anybody else."""
    pictures: tuple[PictureScore, ...]


@dataclass(frozen=True)
class Recommended:
    """What to paint with."""

    checkpoint: str
    strength: float
    why: str


@dataclass(frozen=True)
class Likeness:
    """All that was measured of a run. Each likeness is a median."""

    prompt: str
    scores: tuple[Score, ...]
    base: float
    """Of the base model's pictures."""
    real: float
    """Of the real pictures, each compared with the others."""
    nearest_other: float | None
    """The highest likeness of the recommended pictures to somebody else; None where nobody else is known."""
    nearest_other_name: str | None
    recommended: Recommended

    @property
    def best(self) -> Score:
        """The recommended score."""
        wanted = (self.recommended.checkpoint, self.recommended.strength)
        return next(each for each in self.scores if (each.checkpoint, each.strength) == wanted)

    @property
    def rank_1(self) -> float | None:
        """The share of the recommended pictures that are nearest to the right person."""
        return self.best.rank_1

    def record(self) -> dict[str, Any]:
        """As ``limner likeness --json`` prints it."""
        scores = [{**asdict(each), "pictures": [asdict(picture) for picture in each.pictures]} for each in self.scores]
        return {**asdict(self), "scores": scores, "rank_1": self.rank_1, "median": self.best.median}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Likeness:
        """From ``record``; KeyError or TypeError where it is something else."""
        scores = tuple(
            Score(
                **{
                    **{key: value for key, value in each.items() if key != "pictures"},
                    "pictures": tuple(PictureScore(**picture) for picture in each["pictures"]),
                }
            )
            for each in record["scores"]
        )
        return cls(
            prompt=record["prompt"],
            scores=scores,
            base=record["base"],
            real=record["real"],
            nearest_other=record["nearest_other"],
            nearest_other_name=record["nearest_other_name"],
            recommended=Recommended(**record["recommended"]),
        )


def recommend(scores: Sequence[Score]) -> Recommended:
    """The likest; among those that are as like, the weakest, which leaves the prompt most to say."""
    best = max(scores, key=lambda score: score.median)
    enough = [score for score in scores if score.median >= best.median - NO_DIFFERENCE]
    chosen = min(enough, key=lambda score: score.strength)
    why = f"median likeness {chosen.median:.2f}"
    if chosen is not best:
        why += f", as good as {best.median:.2f} at {best.strength:g}, and more is left to the prompt"
    return Recommended(chosen.checkpoint, chosen.strength, why)


NO_DIFFERENCE = 0.01
"""Likenesses closer than this are alike."""


def identity_for(base: BaseSettings) -> str:
    """The name of what compares pictures painted with a base model.

    Raises:
        PictureError: nothing here can.
    """
    if base.model == DEMO_BASE:
        return "drawn"
    raise PictureError(
        "likeness is measured for the demo's drawn people only",
        "compare photographs by eye: paint the same seed with and without the LoRA",
    )


def write_likeness(run: JobFolder, likeness: Likeness) -> None:
    """Keeps what was measured in the run's folder."""
    write_whole(run.path / LIKENESS_NAME, json.dumps(likeness.record(), ensure_ascii=False, indent=1) + "\n")


def read_likeness(run: JobFolder | Path) -> Likeness | None:
    """What was measured of a run last; None where nothing was.

    Raises:
        PictureError: the file is broken.
    """
    path = (run.path if isinstance(run, JobFolder) else run) / LIKENESS_NAME
    try:
        return Likeness.from_record(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PictureError(f"{path} can't be read", "measure again with: limner likeness") from error
