"""How large a base model and a step are: what pace and memory depend on. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

GIB = 2**30

STATE_BYTES = {"adamw": 16, "adamw8bit": 10, "adafactor": 9, "prodigy": 24}
"""Bytes a trained weight takes: itself and its gradient in float32, and what the optimizer remembers of it."""

UNIT = 1024
"""Pixels a side of the picture that an area of 1 is."""

FIRST_FAMILY = "sdxl"
"""The family of every record that names none: for a long time there was no other."""


@dataclass(frozen=True)
class BaseShape:
    """The size of a base model, and nothing private."""

    name: str
    """``SDXL``, or the widths of another's U-Net."""
    resolution: int
    """Pixels a side that it was made for."""
    grain: int
    """What a training resolution must be a multiple of."""
    family: str = FIRST_FAMILY
    """The name of its family."""
    patch: int = 1
    """Latents a side that the denoiser can't see apart: a picture's sides are multiples of as many."""


@dataclass(frozen=True)
class StepShape:
    """What the arithmetic and the memory of one step depend on."""

    resolution: int
    """Pixels a side, or the side of the square of as many pixels."""
    batch: int
    rank: int
    gradient_checkpointing: bool = False
    text_encoders: bool = False
    factor: int | None = None
    """A LoKr's; None: a LoRA is trained."""

    @property
    def area(self) -> float:
        """Pixels, in those of 1024 × 1024."""
        return (self.resolution / UNIT) ** 2


@dataclass(frozen=True)
class MemoryParts:
    """Where the memory goes, in GB (10⁹ bytes)."""

    base: float
    """The frozen denoiser, and the text encoders where they are trained."""
    lora: float
    """The LoRA, its gradients and its optimizer."""
    activations: float
    """What the forward pass keeps for the backward pass."""
    other: float
    """CUDA itself."""

    @property
    def total(self) -> float:
        """The most that is taken at a time."""
        return self.base + self.lora + self.activations + self.other


class Arithmetic(Protocol):
    """What a step of one size of base model computes and keeps."""

    @property
    def replayable(self) -> bool:
        """Whether passes over batches of one shape compute the same, so that a CUDA graph can replay them."""

    def forward_tflop(self, area: float) -> float:
        """One image once through the denoiser, in TFLOP; ``area`` in pixels of 1024 × 1024."""

    def step_tflop(self, shape: StepShape) -> float:
        """One optimizer step, all images of its batch, in TFLOP."""

    def decoding_tflop(self, area: float) -> float:
        """One picture from its latent, in TFLOP; ``area`` in pixels of 1024 × 1024."""

    def launches(self, checkpointing: bool) -> int:
        """Kernels that a pass launches, whatever its batch."""

    def memory(
        self,
        shape: StepShape,
        optimizer: str = "adamw",
        weight_bytes: int = 2,
        ema: bool = False,
        dropout: bool = False,
    ) -> MemoryParts:
        """What a step takes on a card.

        Args:
            shape: the step's.
            optimizer: a setting's value; one that is not known is taken for AdamW.
            weight_bytes: of a number of the base and its activations: 2 for bf16, 4 for float32.
            ema: whether an average of the LoRA is kept beside it.
            dropout: whether the LoRA's inputs are dropped by chance.
        """
