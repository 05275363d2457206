"""How much arithmetic and memory a training step of FLUX.2 klein is, reckoned from its architecture. No torch.

A weight that a token passes is two operations. The forward pass of the 4B is 10.2, 19.7 and 34.8 TFLOP at 512, 768 and
1024 pixels a side by PyTorch's ``FlopCounterMode`` on the meta device; the sum here is held against that by a test.
Memory is reckoned in the same way as SDXL's was counted and not yet measured on a card.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.models.flux2_klein.shape import KleinSize
from engine.models.sdxl.memory import STATE_BYTES
from engine.models.shape import GIB, MemoryParts, StepShape

TEXT_TOKENS = 512
PIXELS_A_TOKEN = 16
"""A side."""

UNIT_TOKENS = (1024 // PIXELS_A_TOKEN) ** 2

_STEP_OF_FORWARD = 2.1
"""A LoRA step in forward passes, as SDXL's: the frozen weights need no gradients."""
_AGAIN_OF_FORWARD = 0.9
"""What gradient checkpointing computes a second time."""
_KEPT_A_TOKEN = 34
"""Numbers that a block keeps for its backward pass, for each of a token's ``width``."""
_CONTEXT_GIB = 1.0
_DECODING = 4.9
"""TFLOP in which the VAE makes a picture of 1024 × 1024: FLUX.2's has the blocks of SDXL's, at half of its widths."""


@dataclass(frozen=True)
class KleinArithmetic:
    """What a step of one size of model computes and keeps."""

    size: KleinSize

    def forward_tflop(self, area: float) -> float:
        """One image once through the transformer, in TFLOP; ``area`` in pixels of 1024 × 1024."""
        tokens = UNIT_TOKENS * area + TEXT_TOKENS
        linears = 2 * self.size.weights_a_token * tokens
        attention = 4 * self.size.width * tokens**2 * (self.size.double + self.size.single)
        return (linears + attention) / 1e12

    def step_tflop(self, shape: StepShape) -> float:
        """One optimizer step, all images of its batch, in TFLOP."""
        passes = _STEP_OF_FORWARD + (_AGAIN_OF_FORWARD if shape.gradient_checkpointing else 0.0)
        tokens = UNIT_TOKENS * shape.area + TEXT_TOKENS
        lora = 6 * self.size.lora_weights_a_rank * shape.rank * tokens / 1e12
        return (passes * self.forward_tflop(shape.area) + lora) * shape.batch

    def decoding_tflop(self, area: float) -> float:
        """One picture from its latent."""
        return _DECODING * area

    def launches(self, checkpointing: bool) -> int:
        """Kernels of a pass: some 40 a linear with its LoRA and what is around it."""
        return 40 * self.size.linears + (16 * self.size.linears if checkpointing else 0)

    def memory(
        self,
        shape: StepShape,
        optimizer: str = "adamw",
        weight_bytes: int = 2,
        ema: bool = False,
        dropout: bool = False,
    ) -> MemoryParts:
        """What a step takes on a card."""
        base = self.size.parameters * weight_bytes
        weights = self.size.lora_weights_a_rank * shape.rank
        lora = weights * (STATE_BYTES.get(optimizer, STATE_BYTES["adamw"]) + (4 if ema else 0))
        blocks = self.size.double + self.size.single
        tokens = (UNIT_TOKENS * shape.area + TEXT_TOKENS) * shape.batch
        block = tokens * self.size.width * _KEPT_A_TOKEN * weight_bytes * (1.3 if dropout else 1.0)
        between = tokens * self.size.width * weight_bytes * blocks
        kept = between + block if shape.gradient_checkpointing else block * blocks
        return MemoryParts(base / 1e9, lora / 1e9, kept / 1e9, _CONTEXT_GIB * GIB / 1e9)
