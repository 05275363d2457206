"""What a run tells while it runs. Needs torch.

Reading a loss off a GPU makes the CPU wait for it, so losses travel by themselves and are told a few times a second,
all that have arrived; each step still gets its own event.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import torch

from engine import events
from engine.errors import TrainingError
from engine.jobs.worker import Context
from engine.models.device import Device
from engine.training.planning.eta import Pace
from engine.training.runs.async_metrics import Reading
from engine.training.runs.gpu_stats import VitalsReader
from engine.training.runs.vram_spill import Spill

READ_SECONDS = 0.1
"""How often losses are read."""

AHEAD = 2
"""How many steps may be queued on a card before the oldest is waited for: it never idles, and a stop comes soon."""

ESTIMATE_SECONDS = 1.0
"""How often the time left is told."""


@dataclass(frozen=True)
class _Pending:
    step: int
    epoch: int
    images: int
    lr: float
    reading: Reading


class Progress:
    """Turns losses on a device into events, and measures the pace between readings."""

    def __init__(
        self,
        context: Context,
        device: Device,
        pace: Pace,
        epoch_loss: float,
        epoch_seconds: float,
        usual_seconds: float | None = None,
    ) -> None:
        self.pace = pace
        self.epoch_loss = epoch_loss
        """The sum of the losses of the epoch under way."""
        self.epoch_seconds = epoch_seconds
        """Seconds of the epoch under way, pauses not counted."""
        self._context = context
        self._device = device
        self._pending: list[_Pending] = []
        self._since = time.monotonic()
        self._estimated = -math.inf
        self._spill = Spill(device.total_gb, usual_seconds)
        self._vitals = VitalsReader() if device.on_gpu else None

    def add(self, step: int, epoch: int, images: int, lr: float, loss: torch.Tensor, gradient: torch.Tensor) -> None:
        """Takes in one step: its loss and the norm of its gradient, scalars still on the device."""
        self._pending.append(_Pending(step, epoch, images, lr, Reading(loss, gradient)))
        if len(self._pending) > AHEAD:
            self._pending[-1 - AHEAD].reading.wait()
        if time.monotonic() - self._since >= READ_SECONDS:
            here = itertools.takewhile(lambda each: each.reading.here, self._pending)
            self._tell(len(list(here)))

    def read(self) -> None:
        """Waits for all that came since the last reading and tells it.

        Raises:
            TrainingError: a loss or a gradient is no number any more.
        """
        self._tell(len(self._pending))

    def _tell(self, count: int) -> None:
        """Tells of so many steps, the oldest."""
        pending, self._pending = self._pending[:count], self._pending[count:]
        if not pending:
            return
        values = [each.reading.figures() for each in pending]
        seconds = time.monotonic() - self._since
        images_per_s = sum(each.images for each in pending) / max(seconds, 1e-9)
        memory_gb = self._device.memory_gb()
        vitals = self._vitals.look() if self._vitals is not None else {}
        for each, (loss, gradient) in zip(pending, values, strict=True):
            if not (math.isfinite(loss) and math.isfinite(gradient)):
                raise TrainingError(
                    f"the {'gradient' if math.isfinite(loss) else 'loss'} is NaN or infinite at step {each.step}",
                    "lower training.learning_rate; the checkpoints of earlier epochs are good",
                )
            self.epoch_loss += loss
            seen = vitals if each is pending[-1] else {}
            self._context.emit(events.Step(each.step, each.epoch, loss, each.lr, images_per_s, memory_gb, **seen))
        if (spilling := self._spill.look(self._device.taken_gb(), seconds / len(pending))) is not None:
            self._context.emit(events.Warning(spilling))
        self.pace.add_steps(len(pending), seconds)
        self.epoch_seconds += seconds
        self.restart_clock()
        self._estimate(pending[-1].step)

    def checkpoint_written(self, seconds: float) -> None:
        """Takes in how long a checkpoint took."""
        self.pace.add_checkpoint(seconds)
        self.restart_clock()

    def looked(self, seconds: float, images: int) -> None:
        """Takes in how long a look at so many held-out images took."""
        self.pace.add_validation(seconds, images)
        self.epoch_seconds += seconds
        self.restart_clock()

    def painted(self, seconds: float, whole: bool) -> None:
        """Takes in how long pictures took; ``whole``: all prompts."""
        if whole:
            self.pace.add_painting(seconds)
        else:
            self.pace.add_other(seconds)
        self.restart_clock()

    def restart_clock(self) -> None:
        """Leaves out the time until now, as after a pause."""
        self._since = time.monotonic()
        self.pace.restart_clock()

    def begin_epoch(self) -> None:
        """Counts the loss and seconds of an epoch from nothing."""
        self.epoch_loss = self.epoch_seconds = 0.0

    def go_back(self, epoch_loss: float, epoch_seconds: float) -> None:
        """Goes back to where a state was kept."""
        self._pending.clear()
        self.epoch_loss, self.epoch_seconds = epoch_loss, epoch_seconds

    def _estimate(self, step: int) -> None:
        if time.monotonic() - self._estimated < ESTIMATE_SECONDS:
            return
        estimate = self.pace.estimate(step)
        if estimate is not None:
            self._context.emit(estimate)
            self._estimated = time.monotonic()
