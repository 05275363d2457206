"""How much a run's portraits are the person: what was measured, as it is kept and reported. No torch.

Two numbers are kept of everything. ``likeness`` goes from 0 (the nearest other person) to 100 (a typical real photo):
see ``engine.pictures.likeness.scale``. Beside it is the cosine that it comes from: 1 is the person; where anybody
else lies depends on what compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from engine.errors import PictureError
from engine.jobs.folder import JobFolder
from engine.settings import DEMO_BASES, BaseSettings
from engine.storage.atomic_files import write_text
from engine.storage.project_paths import ProjectPaths
from engine.storage.untrusted_files import read_json

LIKENESS_NAME = "likeness.json"

IDENTITIES: Mapping[str, str] = {
    "drawn": "engine.demo.likeness:DrawnPeople",
    "photographs": "engine.pictures.likeness.photographs:Photographs",
}
"""What can tell people apart: a name, and where its class is. It is made with ``load()`` and is an
``engine.pictures.likeness.identity.Identity``."""


@dataclass(frozen=True)
class PictureScore:
    """One painted picture: its likeness to the person, and who of all people it is nearest to."""

    path: str
    seed: int
    prompt: str
    likeness: float | None
    """0 to 100; None: not scorable."""
    cosine: float | None
    nearest: str | None
    """A name; the empty name is the person's own. None where there was nobody else to compare with."""
    problem: str | None = None
    """Why it is not scorable: a word of ``engine.pictures.likeness.identity.Unscorable``."""
    copy_of: str | None = None
    """The training image that it repeats."""

    @property
    def value(self) -> float | None:
        """What counts when checkpoints are compared: a picture without a face shows nobody."""
        return 0.0 if self.problem == "no face" else self.likeness


@dataclass(frozen=True)
class Score:
    """A checkpoint at a strength, over prompts and seeds; "" and 0 are the base model."""

    checkpoint: str
    strength: float
    median: float | None
    """The median cosine; None where no picture is scorable."""
    spread: float | None
    """Of the cosines, between the first and the third quartile."""
    likeness: float | None
    """The median, 0 to 100; a picture without a face counts 0."""
    likeness_spread: float | None
    no_face: float
    """The share of pictures without a face."""
    not_scorable: int
    """Pictures with a face that can't be compared: several, tiny, blurred, turned."""
    copies: int
    """Pictures that repeat a training image."""
    rank_1: float | None
    """The share of scorable pictures that are nearer to the person than to anybody else."""
    pictures: tuple[PictureScore, ...]


@dataclass(frozen=True)
class Recommended:
    """What to paint with."""

    checkpoint: str
    strength: float
    why: str
    advised: bool = True
    """False: the closest match is shown, and nothing is recommended; ``why`` says why not."""


@dataclass(frozen=True)
class Measure:
    """What the likeness of this person was measured on."""

    identity: str
    photos: int
    """The person's photos that could be used."""
    left_out: Mapping[str, int]
    """Photos that could not, by why."""
    typical: float
    """The distance (0 to 2) of a typical photo from the middle of the others: likeness 100."""
    photos_spread: float
    typical_is_own: bool
    """Whether that was measured on this person; with under three photos it is what holds for people in general."""
    other: float
    """The distance of the nearest other person: likeness 0."""
    other_name: str | None
    """None: nobody else is known, ``other`` is what holds for people in general."""


@dataclass(frozen=True)
class Likeness:
    """All that was measured of a run."""

    prompts: tuple[str, ...]
    measure: Measure
    scores: tuple[Score, ...]
    """By checkpoint in the order of training, then by strength."""
    base_score: Score
    real: float
    """The median cosine of the real pictures, each compared with the others."""
    nearest_other: float | None
    """The highest cosine of the recommended pictures to somebody else; None where nobody else is known."""
    nearest_other_name: str | None
    recommended: Recommended
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> Score:
        """The recommended score."""
        wanted = (self.recommended.checkpoint, self.recommended.strength)
        return next(each for each in self.scores if (each.checkpoint, each.strength) == wanted)

    @property
    def base(self) -> float | None:
        """The median cosine of the base model's pictures; None where none is scorable."""
        return self.base_score.median

    @property
    def rank_1(self) -> float | None:
        """The share of the recommended pictures that are nearest to the right person."""
        return self.best.rank_1

    def record(self) -> dict[str, Any]:
        """As ``limner likeness --json`` prints it."""
        best = self.best
        derived = {"base": self.base, "rank_1": best.rank_1, "median": best.median, "likeness": best.likeness}
        record = asdict(self)
        advised = record["recommended"].pop("advised")
        return {**record, **derived, "base_likeness": self.base_score.likeness, "advised": advised}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Likeness:
        """From ``record``; KeyError or TypeError where it is something else."""
        return cls(
            prompts=tuple(record["prompts"]),
            measure=Measure(**record["measure"]),
            scores=tuple(_score(each) for each in record["scores"]),
            base_score=_score(record["base_score"]),
            real=record["real"],
            nearest_other=record["nearest_other"],
            nearest_other_name=record["nearest_other_name"],
            recommended=Recommended(**record["recommended"], advised=record.get("advised", True)),
            warnings=tuple(record["warnings"]),
        )


def _score(record: dict[str, Any]) -> Score:
    plain = {each.name: record[each.name] for each in fields(Score) if each.name != "pictures"}
    return Score(**plain, pictures=tuple(PictureScore(**each) for each in record["pictures"]))


def identity_for(base: BaseSettings) -> str:
    """The name of what compares pictures painted with a base model."""
    return "drawn" if base.model in DEMO_BASES else "photographs"


def write_likeness(run: JobFolder, likeness: Likeness) -> None:
    """Keeps what was measured in the run's folder."""
    record = likeness.record()
    _each_path(record, _paths_of(run.path).kept)
    write_text(run.path / LIKENESS_NAME, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def read_likeness(run: JobFolder | Path) -> Likeness | None:
    """What was measured of a run last; None where nothing was.

    Raises:
        PictureError: the file is broken.
    """
    path = (run.path if isinstance(run, JobFolder) else run) / LIKENESS_NAME
    try:
        record = read_json(path)
        _each_path(record, _paths_of(path.parent).full)
        return Likeness.from_record(record)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PictureError(f"{path} can't be read", "measure again with: limner likeness") from error


def _paths_of(run: Path) -> ProjectPaths:
    """How the run's project keeps paths; its folder is two above the run's."""
    return ProjectPaths(run.resolve().parents[1])


def _each_path(record: dict[str, Any], change: Callable[[str], str]) -> None:
    """Changes every path of a record in place. Raises KeyError or TypeError where it is no record of likeness."""
    for score in (*record["scores"], record["base_score"]):
        for picture in score["pictures"]:
            for name in ("path", "copy_of"):
                if isinstance(picture.get(name), str):
                    picture[name] = change(picture[name])
    for score in (*record["scores"], record["base_score"], record["recommended"]):
        score["checkpoint"] = change(score["checkpoint"])
