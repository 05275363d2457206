"""Both text encoders with a LoRA of their own, where they are trained too. Needs torch."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.lora.module_names import Part
from engine.models.device import Device
from engine.models.sdxl.loading import Pipeline
from engine.settings import TrainingSettings
from engine.training.data.batch import Batch
from engine.training.step.lora_adapter import TEXT_TARGETS, add_lora, lora_state


class TextEncoders:
    """CLIP-L and OpenCLIP-bigG, frozen, each with a LoRA on all linears of its layers.

    Args:
        pipeline: of the base model, with both encoders on the CPU.
        settings: of the run.
        device: where they go.
    """

    def __init__(self, pipeline: Pipeline, settings: TrainingSettings, device: Device) -> None:
        self._encoders = {
            part: encoder.to(device.name, device.dtype)
            for part, encoder in ((Part.TE1, pipeline.text_encoder), (Part.TE2, pipeline.text_encoder_2))
        }
        self.parameters: list[torch.nn.Parameter] = []
        """What is trained, always in the same order."""
        for number, encoder in enumerate(self._encoders.values(), start=1):
            seed = settings.seed + number
            self.parameters += add_lora(
                encoder, settings.rank, settings.effective_alpha, seed, TEXT_TARGETS, settings.dropout
            )
        self.train(True)

    def train(self, on: bool) -> None:
        """Whether they are being trained, or only looked at."""
        for encoder in self._encoders.values():
            encoder.train(on)

    def encoded(self, batch: Batch) -> Batch:
        """The batch with its captions encoded as they are now: what the pipeline's ``encode_prompt`` gives.

        Raises:
            ValueError: the batch holds no tokens.
        """
        if batch.tokens is None:
            raise ValueError("this batch has no tokens")
        seen = [
            encoder(batch.tokens[:, number], output_hidden_states=True)
            for number, encoder in enumerate(self._encoders.values())
        ]
        # The last hidden state but one of both, side by side; of the second also the text as a whole.
        hidden = torch.cat([each.hidden_states[-2] for each in seen], dim=-1)
        return replace(batch, hidden=hidden, pooled=seen[1].text_embeds)

    def lora(self) -> dict[Part, dict[str, torch.Tensor]]:
        """Their LoRAs' tensors."""
        return {part: lora_state(encoder) for part, encoder in self._encoders.items()}
