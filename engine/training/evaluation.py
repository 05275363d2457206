"""What a run does between its steps with what it learnt so far: looks at held-out images, paints. Needs torch.

It takes time that is not the steps' pace, and never the run: where memory does not suffice, the run goes on without it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Collection

from engine import events
from engine.models.device import Device
from engine.training.data.tensors import TrainingData
from engine.training.learner import Learner
from engine.training.runs.checkpoints import CheckpointWriter
from engine.training.runs.progress import Progress
from engine.training.samples import SampleRenderer
from engine.training.step.memory_fallback import is_out_of_memory

NO_VALIDATION = "not enough memory for the held-out images: the run continues without a validation loss"
NO_SAMPLES = "not enough memory to paint samples: the run continues without them"


class Evaluator:
    """The validation and the samples of one run.

    Args:
        learner: what learns.
        device: where it is.
        progress: takes in how long they took.
        writer: writes the pictures.
        tell: gets what had to be left out.
        renderer: paints; None: nothing is painted.
    """

    def __init__(
        self,
        learner: Learner,
        device: Device,
        progress: Progress,
        writer: CheckpointWriter,
        tell: Callable[[events.Event], None],
        renderer: SampleRenderer | None,
    ) -> None:
        self._learner, self._device, self._progress, self._keeper = learner, device, progress, writer
        self._tell, self._renderer = tell, renderer
        self._at_once: int | None = None
        self._looks = True

    def validate(self, data: TrainingData, images: int | None = None) -> float | None:
        """The loss on the held-out images, or on the first ``images`` of them; None where there are none, or no memory.

        What does not fit at once is looked at one by one.
        """
        began = time.monotonic()
        while self._looks:
            try:
                loss = self._learner.validate(data, self._at_once, images)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            else:
                if loss is not None:
                    held_out = len([each for each in data.seen if each.held_out][:images])
                    self._progress.looked(time.monotonic() - began, held_out)
                return loss
            # Outside of the except clause: the error holds on to all that was computed until then.
            self._let_go()
            if self._at_once == 1 or self._learner.fitting.batch == 1:
                self._looks = False
                self._progress.pace.leave_out(validations=True)
                self._tell(events.Warning(NO_VALIDATION))
            self._at_once = 1
        return None

    def paint(self, name: str, epoch: int, painted: Collection[int] = (), checkpoint: str | None = None) -> float:
        """Paints the run's prompts. Returns the seconds that it took.

        Args:
            name: begins the pictures' names.
            epoch: the one they are told to belong to.
            painted: the numbers of prompts that need no picture.
            checkpoint: the name of the file that keeps what is painted with; None: none does.
        """
        if self._renderer is None:
            return 0.0
        self._progress.read()
        began = time.monotonic()
        try:
            with self._learner.inference_mode() as unet:
                for each in self._renderer.paint(unet, painted, checkpoint=checkpoint):
                    path = sample_path(name, each.number)
                    seconds = round(time.monotonic() - began, 3)
                    sample = events.Sample(path, each.prompt, each.seed, epoch, each.likeness, seconds)
                    self._keeper.picture(path, each.png, sample)
                    self._progress.pace.add_picture(each.sampling_step, each.besides)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._renderer = None
            self._progress.pace.leave_out(paintings=True)
            self._tell(events.Warning(NO_SAMPLES))
        self._let_go()
        seconds = time.monotonic() - began
        self._progress.painted(seconds, whole=not painted)
        return seconds

    def measure(self, data: TrainingData, sampling_steps: int) -> None:
        """Looks at one held-out image and paints one picture with few steps, for what that takes; keeps neither."""
        self.validate(data, images=1)
        if self._renderer is None:
            return
        try:
            with self._learner.inference_mode() as unet:
                picture = next(self._renderer.paint(unet, (), sampling_steps))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._tell(events.Warning(NO_SAMPLES))
        else:
            self._progress.pace.add_picture(picture.sampling_step, picture.besides)
        self._let_go()

    def _let_go(self) -> None:
        gc.collect()
        self._device.free()
        self._device.forget_peak()


def sample_path(name: str, number: int) -> str:
    """Where a picture lies in the run's folder."""
    return f"samples/{name}-{number:02d}.png"
