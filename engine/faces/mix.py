"""The mix of the kept faces against what is wanted, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.faces.framing import FRAMINGS, cut_of
from engine.faces.geometry import Framing
from engine.faces.ledger import Decision, Face
from engine.faces.measures import Light, View

SIDEWAYS_FROM = 12
"""From how many kept faces on one that is turned is missed."""


@dataclass(frozen=True)
class Mix:
    """What the kept faces are made of."""

    kept: int
    framings: Mapping[Framing, int]
    target: Mapping[Framing, int]
    years: Mapping[str, int]
    lights: Mapping[Light | None, int]
    views: Mapping[View | None, int]
    """None: not measured."""

    @property
    def missing(self) -> list[str]:
        """What there is too little of, in words; nothing is said of what was not measured."""
        lacking = [
            f"{self.target[framing] - self.framings[framing]} {framing}"
            for framing in FRAMINGS
            if self.framings[framing] < self.target[framing]
        ]
        if self.kept >= SIDEWAYS_FROM:
            measured = self.kept - self.views[None]
            if measured and not self.views[View.TURNED] and not self.views[View.PROFILE]:
                lacking.append("turned heads")
            if len(self.years) == 1:
                lacking.append("other years")
        return lacking


def mix_of(faces: Iterable[Face], target: Mapping[Framing, int]) -> Mix:
    """The mix of the kept ones among some faces."""
    kept = [face for face in faces if face.decision is Decision.KEEP]
    framings = Counter(cut_of(face).framing for face in kept)
    return Mix(
        kept=len(kept),
        framings={framing: framings[framing] for framing in FRAMINGS},
        target=target,
        years=Counter(face.taken_at[:4] for face in kept if face.taken_at),
        lights=Counter(face.measures.light for face in kept),
        views=Counter(face.measures.view for face in kept),
    )
