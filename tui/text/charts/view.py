"""What a chart shows of a run, and in which frame."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.training.runs.curves import Curves, Point
from engine.training.runs.run_status import RunStatus


class Measure(StrEnum):
    """What is drawn upwards."""

    LOSS = "loss"
    RATE = "learning rate"
    SPEED = "images/s"
    LIKENESS = "likeness"


@dataclass(frozen=True)
class View:
    """How it is looked at: what upwards, against what, on which scale."""

    measure: Measure = Measure.LOSS
    by_time: bool = False
    logarithmic: bool = False

    @property
    def words(self) -> str:
        """``log · by time``: what is not as usual."""
        return " · ".join(["log"] * self.logarithmic + ["by time"] * self.by_time)


@dataclass(frozen=True)
class Trace:
    """One run on a chart."""

    name: str
    curves: Curves
    last_step: int
    """The run's last step, where the chart ends, so that the curve fills it as the run goes on."""
    last_seconds: float
    """The same in seconds of the run, as far as that is known."""
    steps_per_epoch: int

    def places(self, view: View) -> Sequence[float]:
        """Where each step lies on the axis across."""
        return self.curves.seconds if view.by_time else self.curves.steps

    def series(self, view: View) -> Sequence[float]:
        """The value of each step; empty for what only epochs have."""
        by_measure: dict[Measure, Sequence[float]] = {
            Measure.LOSS: self.curves.averages,
            Measure.RATE: self.curves.rates,
            Measure.SPEED: self.curves.speeds,
        }
        return by_measure.get(view.measure, ())

    def points(self, view: View) -> list[tuple[float, float]]:
        """What epochs have of it, as place and value."""
        found: dict[Measure, list[Point]] = {
            Measure.LOSS: self.curves.validations,
            Measure.LIKENESS: self.curves.likenesses,
        }
        return [(place_of(each, view), each.value) for each in found.get(view.measure, [])]


def place_of(point: Point, view: View) -> float:
    """Where a figure of an epoch lies on the axis across."""
    return point.seconds if view.by_time else point.step


def trace_of(status: RunStatus, curves: Curves) -> Trace:
    """A run as its log tells it."""
    left = status.remaining_seconds or 0.0
    steps = max(status.steps, curves.steps[-1] if curves.steps else 0)
    per_epoch = status.plan.steps_per_epoch if status.plan else 0
    # To a tenth of what is shown: an end that moves with each estimate would make the whole curve tremble.
    seconds = status.seconds + (0.0 if status.state.ended else left)
    return Trace(status.id, curves, steps, _rounded(seconds), per_epoch)


def _rounded(seconds: float) -> float:
    """Up to two digits."""
    unit: float = 10 ** max(0, len(str(int(seconds))) - 2)
    return -(-seconds // unit) * unit


@dataclass(frozen=True)
class Across:
    """The axis across: from places to columns of dots."""

    first: float
    last: float
    dots: int

    def column(self, place: float) -> int:
        """The column of a place; what is outside sticks to the edge."""
        share = (place - self.first) / max(1e-9, self.last - self.first)
        return min(self.dots - 1, max(0, int(share * (self.dots - 1) + 1e-9)))

    def slices(self, places: Sequence[float]) -> list[tuple[int, int, int]]:
        """For each column with steps in it: the column, and from where to where its steps lie in the series."""
        found, begin = [], 0
        unit = (self.last - self.first) / max(1, self.dots - 1)
        for column in range(self.dots):
            if column == self.dots - 1:
                end = len(places)
            else:
                end = bisect_left(places, self.first + (column + 1) * unit - 1e-9 * abs(unit), begin)
            if end > begin:
                found.append((column, begin, end))
            begin = end
        return found


def value_at(places: Sequence[float], values: Sequence[float], place: float) -> float | None:
    """The latest value up to a place; None before the first."""
    at = bisect_right(places, place)
    return values[at - 1] if at else None
