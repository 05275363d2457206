"""Votes for pictures, and what they say of checkpoints and prompts.

A vote is for a picture or against it. Where nobody voted, what else was said counts: a favourite is for it, a rejection
against it, five stars are wholly for it, one is wholly against it. What was voted on is ranked by the lower bound of
Wilson's score interval at 95 %, so that one vote for something never outranks nine of ten (E. B. Wilson, 1927,
"Probable Inference, the Law of Succession, and Statistical Inference").
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery, Shown
from engine.pictures.orders.queue import MOST_STARS
from engine.storage.database import Store

CONFIDENCE_Z = 1.96
"""Standard deviations on either side of a normal's mean that hold 95 % of it."""

_MOST_NUMBERS = 500
"""Of one query."""


class Ranking(StrEnum):
    """What is ranked."""

    CHECKPOINT = "checkpoint"
    """At each of its strengths."""
    PROMPT = "prompt"


@dataclass(frozen=True)
class Ranked:
    """What the votes say of a checkpoint at a strength, or of a prompt."""

    checkpoint: str | None
    """The file; None: the base model alone, or prompts are ranked."""
    strength: float | None
    prompt: str | None
    votes: int
    share: float
    """How much of the votes was for it, 0 to 1."""
    score: float
    """Wilson's lower bound, 0 to 1."""
    likeness: float | None = None
    """The median of its pictures, 0 to 100; None: not measured."""

    @property
    def label(self) -> str:
        """As a person reads it."""
        if self.prompt is not None:
            return self.prompt
        if self.checkpoint is None:
            return "no LoRA"
        return f"{Path(self.checkpoint).stem} at {self.strength:g}"

    def record(self) -> dict[str, Any]:
        """As ``limner votes --json`` prints it."""
        of_prompt = {"prompt": self.prompt}
        of_checkpoint = {"checkpoint": self.checkpoint, "strength": self.strength}
        said = {"votes": self.votes, "share": self.share, "score": self.score, "likeness": self.likeness}
        return {**(of_checkpoint if self.prompt is None else of_prompt), **said}


class Votes:
    """The votes of one project."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def cast(self, number: int, vote: int) -> None:
        """Votes for a painted picture (1), against it (-1), or takes the vote back (0); ``Ratings.undo`` undoes it.

        Raises:
            PictureError: that is not a valid vote, or no painted picture.
        """
        Ratings(self._store).vote(number, vote)

    def of(self, numbers: Iterable[int] | None = None) -> dict[int, int]:
        """The votes of these pictures, or all; pictures without one are left out."""
        if numbers is None:
            return {row["picture_id"]: row["vote"] for row in self._store.rows("SELECT * FROM votes")}
        wanted, found = list(numbers), dict[int, int]()
        for at in range(0, len(wanted), _MOST_NUMBERS):
            some = wanted[at : at + _MOST_NUMBERS]
            query = f"SELECT * FROM votes WHERE picture_id IN ({', '.join('?' * len(some))})"
            found |= {row["picture_id"]: row["vote"] for row in self._store.rows(query, *some)}
        return found

    def ranking(self, by: Ranking, run: Path | None = None) -> list[Ranked]:
        """What was voted on, best first.

        Args:
            by: what is ranked.
            run: a run's folder: only pictures of its checkpoints count, and those without a LoRA.
        """
        pictures = [each for each in Gallery(self._store).pictures() if each.painted and not each.outside]
        if run is not None:
            pictures = [each for each in pictures if not each.lora or Path(each.lora).is_relative_to(run)]
        return ranked(pictures, self.of(), by)


def wilson(positive: float, votes: int, z: float = CONFIDENCE_Z) -> float:
    """The lower bound of Wilson's score interval for a share.

    Args:
        positive: how many votes were for it; 0.5 is one that is neither.
        votes: how many there were; 0 gives 0.
        z: how sure to be, in standard deviations.
    """
    if votes <= 0:
        return 0.0
    share = positive / votes
    spread = z * math.sqrt(share * (1 - share) / votes + z * z / (4 * votes * votes))
    return max(0.0, (share + z * z / (2 * votes) - spread) / (1 + z * z / votes))


def said_of(picture: Shown, vote: int | None) -> float | None:
    """How much is for a picture, 0 to 1: its vote, else what else was said; None where nothing was."""
    if vote:
        return 1.0 if vote > 0 else 0.0
    if picture.rejected or picture.favourite:
        return 0.0 if picture.rejected else 1.0
    return (picture.rating - 1) / (MOST_STARS - 1) if picture.rating else None


def ranked(pictures: Sequence[Shown], votes: Mapping[int, int], by: Ranking) -> list[Ranked]:
    """What the votes on pictures say, best first; what nobody voted on is left out."""
    said: dict[tuple[str | None, float | None, str | None], list[float]] = {}
    measured: dict[tuple[str | None, float | None, str | None], list[float]] = {}
    for picture in pictures:
        if picture.likeness is not None:
            measured.setdefault(_subject(picture, by), []).append(picture.likeness)
        share = said_of(picture, votes.get(picture.id))
        if share is not None:
            said.setdefault(_subject(picture, by), []).append(share)
    found = [
        Ranked(
            *subject,
            votes=len(shares),
            share=sum(shares) / len(shares),
            score=wilson(sum(shares), len(shares)),
            likeness=statistics.median(measured[subject]) if subject in measured else None,
        )
        for subject, shares in said.items()
    ]
    return sorted(found, key=lambda each: (-each.score, -each.share, -each.votes, each.label))


def _subject(picture: Shown, by: Ranking) -> tuple[str | None, float | None, str | None]:
    if by is Ranking.PROMPT:
        return None, None, picture.prompt
    if not picture.lora or picture.strength == 0:
        return None, None, None
    return picture.lora, 1.0 if picture.strength is None else picture.strength, None
