"""When a run does what is no step, and what that takes: it looks at held-out images, writes checkpoints, paints.

An epoch goes from its first step to its checkpoint; the pictures painted after it belong to the run, and to no epoch's
seconds. No torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine import events
from engine.settings import TrainingSettings
from engine.training.planning.benchmark_store import Costs, Setting

HELD_OUT_TIMESTEPS = 8
"""At how many timesteps each held-out image is looked at, spread evenly."""


@dataclass(frozen=True)
class EventCounts:
    """How often something is done in a stretch of a run."""

    validations: int = 0
    checkpoints: int = 0
    """Those of epochs and those between."""
    paintings: int = 0
    """Of all prompts, each time."""


@dataclass(frozen=True)
class OverheadSeconds:
    """Seconds that something takes besides the steps; None: not known."""

    validating: float | None = 0.0
    saving: float | None = 0.0
    painting: float | None = 0.0

    @property
    def known(self) -> float:
        """What is known of them, together."""
        return sum(each or 0.0 for each in (self.validating, self.saving, self.painting))


@dataclass(frozen=True)
class Cadence:
    """What a run's plan and settings say of when."""

    steps_per_epoch: int
    held_out: int = 0
    checkpoint_steps: int | None = None
    sample_steps: int | None = None
    prompts: int = 0
    """How many pictures are painted each time."""
    sampling_steps: int = 0
    """Steps of the sampler for each of them."""

    @classmethod
    def of(cls, settings: TrainingSettings, plan: events.Plan, prompts: int) -> Cadence:
        """Of a run that paints so many prompts."""
        return cls(
            plan.steps_per_epoch,
            plan.held_out,
            settings.save_every_n_steps,
            settings.sample_every_n_steps,
            prompts,
            settings.sample_inference_steps,
        )

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch ends with that step, counted from 1."""
        return step % self.steps_per_epoch == 0

    def keeps(self, step: int) -> bool:
        """Whether a checkpoint is written after it."""
        return self.ends_epoch(step) or _meets(step, self.checkpoint_steps)

    def paints(self, step: int) -> bool:
        """Whether pictures are painted after it."""
        return self.prompts > 0 and (self.ends_epoch(step) or _meets(step, self.sample_steps))

    def between(self, after: int, last: int) -> EventCounts:
        """What comes with the steps from ``after + 1`` to ``last``."""
        ends = last // self.steps_per_epoch - after // self.steps_per_epoch
        return EventCounts(
            ends if self.held_out else 0,
            self._either(self.checkpoint_steps, last) - self._either(self.checkpoint_steps, after),
            self._either(self.sample_steps, last) - self._either(self.sample_steps, after) if self.prompts else 0,
        )

    def within_epochs(self, after: int, last: int) -> EventCounts:
        """The same without the pictures that are painted after an epoch."""
        found = self.between(after, last)
        ends = last // self.steps_per_epoch - after // self.steps_per_epoch
        return EventCounts(found.validations, found.checkpoints, found.paintings - ends if self.prompts else 0)

    def seconds(self, occasions: EventCounts, costs: Costs) -> OverheadSeconds:
        """What they take."""
        validation = _times(costs.held_out, self.held_out)
        return OverheadSeconds(
            _times(validation, occasions.validations),
            _times(costs.checkpoint, occasions.checkpoints),
            _times(self.painting_seconds(costs), occasions.paintings),
        )

    def painting_seconds(self, costs: Costs) -> float | None:
        """What all prompts take, once; None: not known."""
        if costs.sampling_step is None:
            return None
        return self.prompts * (self.sampling_steps * costs.sampling_step + (costs.picture or 0.0))

    def _either(self, every: int | None, until: int) -> int:
        """How many of the steps from 1 to ``until`` end an epoch, or are a multiple of ``every``."""
        ends = until // self.steps_per_epoch
        if every is None:
            return ends
        return ends + until // every - until // math.lcm(every, self.steps_per_epoch)


def reckoned(costs: Costs, setting: Setting, seconds_per_step: float | None, guided: bool = True) -> Costs:
    """What looking and painting will take where neither was measured: as a step does its arithmetic.

    Args:
        costs: as measured.
        setting: what the step is like.
        seconds_per_step: what it takes; None: not known.
        guided: whether pictures are painted with classifier-free guidance: the prompt is then seen, and the negative.
    """
    if not seconds_per_step:
        return costs
    area = setting.shape.area
    arithmetic = setting.arithmetic
    rate = arithmetic.step_tflop(setting.shape) / seconds_per_step
    forward = arithmetic.forward_tflop(area) / rate
    return Costs(
        costs.loading,
        costs.image,
        costs.caption,
        costs.checkpoint,
        held_out=HELD_OUT_TIMESTEPS * forward if costs.held_out is None else costs.held_out,
        sampling_step=(2 if guided else 1) * forward if costs.sampling_step is None else costs.sampling_step,
        picture=arithmetic.decoding_tflop(area) / rate if costs.picture is None else costs.picture,
    )


def _meets(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0


def _times(seconds: float | None, count: int) -> float | None:
    if not count:
        return 0.0
    return None if seconds is None else seconds * count
