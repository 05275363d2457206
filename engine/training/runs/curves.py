"""What a run's steps and epochs measured, as series to draw: taken in one by one, in the order of the log."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from engine import events

AVERAGE_DECAY = 0.95
"""How much of the moving average of the loss stays at each step (bias-corrected)."""


@dataclass(frozen=True)
class Point:
    """A figure of an epoch: at which step it was measured, and after how many seconds of the run."""

    step: int
    seconds: float
    value: float


@dataclass
class Curves:
    """Parallel lists, an entry a step: the step, seconds of the run, loss, its moving average (bias-corrected),
    learning rate, images a second; and what epochs measured.

    Seconds in which the run did not go on (it was paused, stopped, killed) are not counted.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    seconds: array[float] = field(default_factory=lambda: array("d"))
    losses: array[float] = field(default_factory=lambda: array("d"))
    averages: array[float] = field(default_factory=lambda: array("d"))
    rates: array[float] = field(default_factory=lambda: array("d"))
    speeds: array[float] = field(default_factory=lambda: array("d"))
    epoch_ends: list[Point] = field(default_factory=list)
    """Where epochs ended; the value is the epoch's number."""
    validations: list[Point] = field(default_factory=list)
    """The loss on held-out images."""
    likenesses: list[Point] = field(default_factory=list)
    """The likeness of each epoch's samples, the mean where there are several."""

    def add(self, event: events.Step, seconds: float) -> None:
        """Takes in one step. One already seen (a run that was resumed) replaces it and what followed it."""
        if event.loss is None:
            return
        if self.steps and self.steps[-1] >= event.step:
            self._go_back_before(event.step)
        count = len(self.steps)
        # The raw running value is recovered from the last corrected average, so that a rewind stays true.
        running = self.averages[-1] * (1 - AVERAGE_DECAY**count) if count else 0.0
        running = AVERAGE_DECAY * running + (1 - AVERAGE_DECAY) * event.loss
        self.steps.append(event.step)
        self.seconds.append(seconds)
        self.losses.append(event.loss)
        self.averages.append(running / (1 - AVERAGE_DECAY ** (count + 1)))
        self.rates.append(event.lr or 0.0)
        self.speeds.append(event.images_per_s or 0.0)

    def end_epoch(self, event: events.Epoch, seconds: float) -> None:
        """Takes in the end of an epoch at the last step."""
        step = self.steps[-1] if self.steps else 0
        self.epoch_ends = _with(self.epoch_ends, Point(step, seconds, event.epoch))
        if event.validation_loss is not None:
            self.validations = _with(self.validations, Point(step, seconds, event.validation_loss))

    def add_sample(self, event: events.Sample, all_of_epoch: list[float], seconds: float) -> None:
        """Takes in a sample whose likeness was measured; ``all_of_epoch``: of each such sample of its epoch."""
        if not all_of_epoch:
            return
        step = next((int(each.step) for each in self.epoch_ends if each.value == event.epoch), 0)
        mean = sum(all_of_epoch) / len(all_of_epoch)
        self.likenesses = _with(self.likenesses, Point(step or (self.steps[-1] if self.steps else 0), seconds, mean))

    @property
    def size(self) -> tuple[int, int, float, int, int, float]:
        """What is another after each change."""
        last = (self.steps[-1], self.losses[-1]) if self.steps else (0, 0.0)
        likeness = sum(each.value for each in self.likenesses)
        return len(self.steps), *last, len(self.epoch_ends), len(self.validations), likeness

    def copy(self) -> Curves:
        """The curves as they are now, for another thread."""
        return Curves(
            self.steps[:],
            self.seconds[:],
            self.losses[:],
            self.averages[:],
            self.rates[:],
            self.speeds[:],
            self.epoch_ends,
            self.validations,
            self.likenesses,
        )

    def _go_back_before(self, step: int) -> None:
        keep = len(self.steps)
        while keep and self.steps[keep - 1] >= step:
            keep -= 1
        for series in (self.steps, self.seconds, self.losses, self.averages, self.rates, self.speeds):
            del series[keep:]
        self.epoch_ends = [each for each in self.epoch_ends if each.step < step]
        self.validations = [each for each in self.validations if each.step < step]


def _with(points: list[Point], point: Point) -> list[Point]:
    """The points with one more, which takes the place of an earlier one of its step."""
    return [*(each for each in points if each.step != point.step), point]
