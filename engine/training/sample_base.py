"""Another base model that paints a run's sample pictures, wearing the LoRA that is trained. Needs torch and peft."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.settings import TrainingSettings
from engine.training.step.lora_adapter import add_network, copy_lora


class SampleBase:
    """A second denoiser, which waits in main memory and is on the device only while it paints.

    Args:
        model: the base model that paints, of the family that is trained.
        settings: the run's.
        device: where it paints.
    """

    def __init__(self, model: LoadedBase, settings: TrainingSettings, device: Device) -> None:
        self._model, self._device = model, device
        add_network(model.denoiser, settings, settings.seed, model.lora_targets)
        model.denoiser.eval()
        self._rest()

    @contextmanager
    def wearing(self, trained: Any) -> Iterator[Any]:
        """The denoiser with the LoRA of ``trained`` as it is now."""
        copy_lora(trained, self._model.denoiser)
        try:
            yield self._model.denoiser.to(self._device.name)
        finally:
            self._rest()

    def _rest(self) -> None:
        self._model.denoiser.to("cpu")
        self._device.free()
