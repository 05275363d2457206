"""The mix of the kept faces against what is wanted, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.faces.framing import FRAMINGS, cut_of
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Decision, Face
from engine.faces.records.measurements import Light, View

SIDEWAYS_FROM = 12
"""From how many kept faces on those that are turned are missed."""

LEAST_TURNED = 3
"""How many kept faces should be turned: a LoRA that has seen no face from the side can't paint one."""


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
    def measured(self) -> int:
        """How many of the kept have a yaw."""
        return sum(count for view, count in self.views.items() if view is not None)

    @property
    def turned(self) -> int:
        """How many of the kept are seen in three-quarter view or in profile."""
        return self.views.get(View.TURNED, 0) + self.views.get(View.PROFILE, 0)

    @property
    def light_measured(self) -> int:
        """How many of the kept were looked at for their light."""
        return sum(count for light, count in self.lights.items() if light is not None)

    @property
    def well_lit(self) -> int:
        """How many of the kept are neither dark, burnt out nor flat."""
        return self.lights.get(Light.GOOD, 0)

    @property
    def lights_line(self) -> str:
        """``22 good, 1 dark, 1 not measured``; empty where nothing is kept."""
        named = [(self.lights.get(light, 0), light.value) for light in Light]
        return _listed([*named, (self.lights.get(None, 0), "not measured")])

    @property
    def views_line(self) -> str:
        """``20 front, 3 three-quarter, 1 not measured``; empty where nothing is kept."""
        named = [(self.views.get(view, 0), view.value) for view in View]
        return _listed([*named, (self.views.get(None, 0), "not measured")])

    @property
    def missing(self) -> list[str]:
        """What there is too little of, in words; what was not measured is left out."""
        lacking = [
            f"{self.target[framing] - self.framings[framing]} {framing}"
            for framing in FRAMINGS
            if self.framings[framing] < self.target[framing]
        ]
        if self.kept >= SIDEWAYS_FROM:
            # Where few are measured the others may well be turned: nothing is said.
            if self.measured >= SIDEWAYS_FROM and self.turned < LEAST_TURNED:
                lacking.append(f"{LEAST_TURNED - self.turned} turned heads" if self.turned else "turned heads")
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


def _listed(named: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{count} {name}" for count, name in named if count)
