"""A run's figures for TensorBoard, by accelerate's tracker. Needs the package ``tensorboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine import events
from engine.errors import TrainingError


class Board:
    """Writes what a run tells as scalars into its folder ``tensorboard/``.

    Args:
        folder: the run's.

    Raises:
        TrainingError: the package is not there.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401
            from accelerate import PartialState
            from accelerate.tracking import TensorBoardTracker
        except ImportError as error:
            raise TrainingError(
                "training.tensorboard needs tensorboard, which is not installed",
                "install it with: pip install tensorboard, or set training.tensorboard to false",
            ) from error
        PartialState()
        self._step = 0
        self._tracker = TensorBoardTracker("tensorboard", logging_dir=folder)
        self._tracker.start()

    def take(self, event: events.Event) -> None:
        """Takes in an event of the run."""
        match event:
            case events.Step():
                self._step = event.step
                self._log(
                    {
                        "loss/step": event.loss,
                        "learning_rate": event.lr,
                        "speed/images_per_s": event.images_per_s,
                        "memory/gb": event.memory_gb,
                    }
                )
            case events.Epoch():
                found = {"loss/epoch": event.loss, "speed/epoch_seconds": event.seconds}
                if event.validation_loss is not None:
                    found["loss/validation"] = event.validation_loss
                self._log(found)

    def close(self) -> None:
        """Writes what is left."""
        self._tracker.finish()

    def _log(self, values: dict[str, Any]) -> None:
        self._tracker.log(values, step=self._step)
