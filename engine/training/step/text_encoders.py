"""The text encoders with a LoRA of their own, where they are trained too. Needs torch."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.errors import TrainingError
from engine.lora.module_names import TEXT_PARTS, Part
from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.settings import TrainingSettings
from engine.training.data.batch import Batch
from engine.training.step.lora_adapter import add_network, lora_state


class TextEncoders:
    """A base model's text encoders, frozen, each with a LoRA on all linears of its layers.

    Args:
        base: the base model, with its encoders on the CPU.
        settings: of the run.
        device: where they go.

    Raises:
        TrainingError: the base model's family has none that are trained.
    """

    def __init__(self, base: LoadedBase, settings: TrainingSettings, device: Device) -> None:
        if not base.text_encoders:
            what = "the text encoders of this base model can't be trained"
            raise TrainingError(what, "set training.train_text_encoders to false")
        self._base = base
        self._encoders = {
            part: encoder.to(device.name, device.dtype)
            for part, encoder in zip(TEXT_PARTS, base.text_encoders, strict=False)
        }
        self.parameters: list[torch.nn.Parameter] = []
        """What is trained, always in the same order."""
        for number, encoder in enumerate(self._encoders.values(), start=1):
            seed = settings.seed + number
            self.parameters += add_network(encoder, settings, seed, base.text_lora_targets)
        self.train(True)

    def train(self, on: bool) -> None:
        """Whether they are being trained, or only looked at."""
        for encoder in self._encoders.values():
            encoder.train(on)

    def encoded(self, batch: Batch) -> Batch:
        """The batch with its captions encoded as they are now.

        Raises:
            ValueError: the batch holds no tokens.
        """
        if batch.tokens is None:
            raise ValueError("this batch has no tokens")
        return replace(batch, text=self._base.encode_tokens(batch.tokens))

    def lora(self) -> dict[Part, dict[str, torch.Tensor]]:
        """Their LoRAs' tensors."""
        return {part: lora_state(encoder) for part, encoder in self._encoders.items()}
