"""How fast a run goes and how long the rest will take, from what was measured. No torch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from engine import events

WINDOW = 60
"""How many of the latest measurements count."""

WARM_UP = 3
"""The first steps, which take longer: memory is taken, kernels are chosen."""


@dataclass(frozen=True)
class StepTimes:
    """What steps took."""

    count: int
    seconds: float
    """The median."""
    spread: float
    """Half the distance between the quartiles, as a share of the median."""
    cpu_seconds: float
    """The median of the process's own CPU time, all threads together."""


class Pace:
    """Seconds a step and a checkpoint take; the median, so that one hiccup changes nothing."""

    def __init__(self, plan: events.Plan, price_per_hour: float = 0.0, spent_seconds: float = 0.0) -> None:
        self._plan = plan
        self._price = price_per_hour
        self._spent = spent_seconds
        self._first: deque[float] = deque(maxlen=WINDOW)
        self._steps: deque[float] = deque(maxlen=WINDOW)
        self._first_steps: list[tuple[int, float, float]] = []
        self._warm_steps: list[tuple[int, float, float]] = []
        self._cpu = time.process_time()
        self._seen = 0
        self._checkpoints: deque[float] = deque(maxlen=WINDOW)
        self._validations: deque[float] = deque(maxlen=WINDOW)
        self._paintings: deque[float] = deque(maxlen=WINDOW)

    @property
    def spent_seconds(self) -> float:
        """Seconds that the run has taken so far, pauses not counted."""
        return self._spent

    @property
    def step_seconds(self) -> float | None:
        """Seconds a step takes, the first ones left out as soon as there are others; None before any was measured."""
        return median(self._times) if self._times else None

    def add_steps(self, count: int, seconds: float) -> None:
        """Takes in ``count`` steps that took ``seconds`` together."""
        self._spent += seconds
        cpu, self._cpu = self._cpu, time.process_time()
        if count:
            times = self._steps if self._seen >= WARM_UP else self._first
            times.extend([seconds / count] * count)
            readings = self._warm_steps if self._seen >= WARM_UP else self._first_steps
            readings.append((count, seconds, self._cpu - cpu))
            self._seen += count

    def forget_steps(self) -> None:
        """Measures anew: steps take another time from here on."""
        self._first.clear()
        self._steps.clear()
        self._first_steps.clear()
        self._warm_steps.clear()
        self._seen = 0

    def measured(self) -> StepTimes | None:
        """What steps took, the first left out where there were others; None before any."""
        readings = self._warm_steps or self._first_steps
        each = [seconds / count for count, seconds, _ in readings for _ in range(count)]
        if not each:
            return None
        middle = median(each)
        low, _, high = quantiles(each, n=4) if len(each) > 1 else (middle, middle, middle)
        cpu = median([cpu / count for count, _, cpu in readings for _ in range(count)])
        return StepTimes(len(each), middle, (high - low) / 2 / middle if middle else 0.0, cpu)

    @property
    def epoch_end_seconds(self) -> float | None:
        """Seconds that the end of an epoch takes; None before the first was measured."""
        if not (self._checkpoints or self._validations):
            return None
        return sum(median(each) for each in (self._checkpoints, self._validations) if each)

    def restart_clock(self) -> None:
        """CPU time until now belongs to no step."""
        self._cpu = time.process_time()

    def add_checkpoint(self, seconds: float) -> None:
        """Takes in the writing of a checkpoint and its state."""
        self._spent += seconds
        self._checkpoints.append(seconds)

    def add_validation(self, seconds: float) -> None:
        """Takes in a look at the images that are held out."""
        self._spent += seconds
        self._validations.append(seconds)

    def add_painting(self, seconds: float) -> None:
        """Takes in the samples of an epoch."""
        self._spent += seconds
        self._paintings.append(seconds)

    def add_other(self, seconds: float) -> None:
        """Takes in time that was none of these, such as loading the base model."""
        self._spent += seconds

    def estimate(self, step: int) -> events.Estimate | None:
        """How long the rest takes after ``step`` steps; None before anything was measured.

        ``cost`` is that of the whole run: what was spent and what is to come. The samples that epochs paint are part of
        what remains, and of no epoch's seconds.
        """
        if not self._times:
            return None
        a_step, an_end = median(self._times), self.epoch_end_seconds or 0.0
        off, painting = _spread(self._times), median(self._paintings) if self._paintings else 0.0
        left = self._plan.steps - step
        left_in_epoch = -step % self._plan.steps_per_epoch
        epochs_left = -(-left // self._plan.steps_per_epoch)
        remaining = left * a_step + epochs_left * (an_end + painting)
        off_at_ends = sum(_spread(each) for each in (self._checkpoints, self._validations, self._paintings))
        return events.Estimate(
            epoch_seconds=self._plan.steps_per_epoch * a_step + an_end,
            remaining_seconds=remaining,
            cost=self._price * (self._spent + remaining) / 3600 if self._price else None,
            epoch_remaining_seconds=left_in_epoch * a_step + (an_end if left_in_epoch else 0.0),
            spent=self._price * self._spent / 3600 if self._price else None,
            epoch_spread_seconds=round(self._plan.steps_per_epoch * off + off_at_ends, 3),
            spread_seconds=round(left * off + epochs_left * off_at_ends, 3),
        )

    @property
    def _times(self) -> deque[float]:
        return self._steps or self._first


def _spread(seconds: Sequence[float]) -> float:
    """Half the distance between the quartiles; 0 where there is only one."""
    if len(seconds) < 2:
        return 0.0
    low, _, high = quantiles(seconds, n=4)
    return (high - low) / 2
