"""How fast a run goes and how long the rest will take, from what was measured. No torch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles

from engine import events
from engine.training.planning.benchmark_store import NO_COSTS, Costs
from engine.training.planning.cadence import Cadence, EventCounts

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
    """Seconds that a step and all else takes; the median, so that one hiccup changes nothing.

    Args:
        plan: the run's.
        price_per_hour: in the user's currency; 0: none.
        spent_seconds: what the run has taken before.
        cadence: when it does what is no step; left out: a checkpoint each epoch and nothing else.
        usual: what that usually takes where a step takes so many seconds, which counts until it was measured here.
    """

    def __init__(
        self,
        plan: events.Plan,
        price_per_hour: float = 0.0,
        spent_seconds: float = 0.0,
        cadence: Cadence | None = None,
        usual: Callable[[float], Costs] = lambda _seconds: NO_COSTS,
    ) -> None:
        self._plan = plan
        self._price = price_per_hour
        self._spent = spent_seconds
        self._rhythm = cadence or Cadence(plan.steps_per_epoch)
        self._usual = usual
        self._first: deque[float] = deque(maxlen=WINDOW)
        self._steps: deque[float] = deque(maxlen=WINDOW)
        self._first_steps: list[tuple[int, float, float]] = []
        self._warm_steps: list[tuple[int, float, float]] = []
        self._cpu = time.process_time()
        self._seen = 0
        self._checkpoints: deque[float] = deque(maxlen=WINDOW)
        self._validations: deque[float] = deque(maxlen=WINDOW)
        self._paintings: deque[float] = deque(maxlen=WINDOW)
        self._sampling_steps: deque[float] = deque(maxlen=WINDOW)
        self._pictures: deque[float] = deque(maxlen=WINDOW)

    @property
    def spent_seconds(self) -> float:
        """Seconds that the run has taken so far, pauses and what a killed process did in vain included: all is paid."""
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
    def costs(self) -> Costs:
        """What was measured here of what is no step."""
        return Costs(
            checkpoint=_middle(self._checkpoints),
            held_out=_middle(self._validations),
            sampling_step=_middle(self._sampling_steps),
            picture=_middle(self._pictures),
        )

    def restart_clock(self) -> None:
        """CPU time until now belongs to no step."""
        self._cpu = time.process_time()

    def add_checkpoint(self, seconds: float) -> None:
        """Takes in the writing of a checkpoint and its state."""
        self._spent += seconds
        self._checkpoints.append(seconds)

    def add_validation(self, seconds: float, images: int) -> None:
        """Takes in a look at so many of the images that are held out."""
        self._spent += seconds
        self._validations.append(seconds / images)

    def add_painting(self, seconds: float) -> None:
        """Takes in the painting of all prompts."""
        self._spent += seconds
        self._paintings.append(seconds)

    def add_picture(self, sampling_step: float, besides: float) -> None:
        """Takes in one picture, which is part of a painting: seconds of a step of the sampler, and of all besides."""
        self._sampling_steps.append(sampling_step)
        self._pictures.append(besides)

    def leave_out(self, validations: bool = False, paintings: bool = False) -> None:
        """They are not done any more."""
        if validations:
            self._rhythm = replace(self._rhythm, held_out=0)
        if paintings:
            self._rhythm = replace(self._rhythm, prompts=0)

    def add_other(self, seconds: float) -> None:
        """Takes in time that was none of these, such as loading the base model."""
        self._spent += seconds

    def estimate(self, step: int) -> events.Estimate | None:
        """How long the rest takes after ``step`` steps; None before anything was measured.

        ``cost`` is that of the whole run: what was spent and what is to come. The pictures painted after an epoch are
        part of what remains, and of no epoch's seconds.
        """
        if not self._times:
            return None
        plan, off = self._plan, _spread(self._times)
        left, left_in_epoch = plan.steps - step, -step % plan.steps_per_epoch
        to_come = self._rhythm.between(step, plan.steps)
        in_an_epoch, off_in_an_epoch = self._seconds(self._rhythm.within_epochs(0, plan.steps))
        in_this, _ = self._seconds(self._rhythm.within_epochs(step, step + left_in_epoch))
        besides, off_besides = self._seconds(to_come)
        a_step = median(self._times)
        remaining = left * a_step + besides
        return events.Estimate(
            epoch_seconds=plan.steps_per_epoch * a_step + in_an_epoch / plan.epochs,
            remaining_seconds=remaining,
            cost=self._price * (self._spent + remaining) / 3600 if self._price else None,
            epoch_remaining_seconds=left_in_epoch * a_step + in_this,
            spent=self._price * self._spent / 3600 if self._price else None,
            epoch_spread_seconds=round(plan.steps_per_epoch * off + off_in_an_epoch / plan.epochs, 3),
            spread_seconds=round(left * off + off_besides, 3),
        )

    def next_epoch_seconds(self, step: int) -> float | None:
        """What the epoch after ``step`` steps will take, with the pictures painted after it; None: not measured yet."""
        if not self._times:
            return None
        last = step + self._plan.steps_per_epoch
        return self._plan.steps_per_epoch * median(self._times) + self._seconds(self._rhythm.between(step, last))[0]

    def _seconds(self, occasions: EventCounts) -> tuple[float, float]:
        """What they take, and how far that may be off: as measured here, else as it usually is."""
        cadence, usual = self._rhythm, self._usual(median(self._times))
        each = (
            (occasions.validations * cadence.held_out, self._validations, usual.held_out or 0.0),
            (occasions.checkpoints, self._checkpoints, usual.checkpoint or 0.0),
            (occasions.paintings, self._paintings, cadence.painting_seconds(usual) or 0.0),
        )
        seconds = sum(count * (median(took) if took else otherwise) for count, took, otherwise in each)
        return seconds, sum(count * _spread(took) for count, took, _ in each)

    @property
    def _times(self) -> deque[float]:
        return self._steps or self._first


def _spread(seconds: Sequence[float]) -> float:
    """Half the distance between the quartiles; 0 where there is only one."""
    if len(seconds) < 2:
        return 0.0
    low, _, high = quantiles(seconds, n=4)
    return (high - low) / 2


def _middle(seconds: Sequence[float]) -> float | None:
    return median(seconds) if seconds else None
