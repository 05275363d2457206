"""How much arithmetic and memory a training step of FLUX.2 klein is, reckoned from its architecture. No torch.

A weight that a token passes is two operations; attention is four for each pair of tokens and number of its width. The
frozen base needs no gradients of its weights, so a step is linears twice and attention three times, and with gradient
checkpointing a forward pass more. A test holds it, and the VAE's decoder, which has SDXL's blocks,
against PyTorch's ``FlopCounterMode`` on the meta device. Memory and kernels are estimates: no card measured them yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.kronecker import kept_besides, rank_alike, trained_weights
from engine.models.flux2_klein.shape import KleinSize
from engine.models.shape import GIB, STATE_BYTES, MemoryParts, StepShape

TEXT_TOKENS = 512
PIXELS_A_TOKEN = 16
"""A side."""

UNIT_TOKENS = (1024 // PIXELS_A_TOKEN) ** 2

_KEPT_A_TOKEN = 34
"""Numbers that a block keeps for its backward pass, for each of a token's ``width``."""
_CONTEXT_GIB = 1.0
_DECODING = 10.5
"""TFLOP in which the VAE makes a picture of 1024 × 1024."""
_LAUNCHES_A_LINEAR, _AGAIN_A_LINEAR = 40, 16
"""Kernels for each linear with its LoRA and what is around it, and how many more with gradient checkpointing."""


@dataclass(frozen=True)
class KleinArithmetic:
    """What a step of one size of model computes and keeps."""

    size: KleinSize

    def forward_tflop(self, area: float) -> float:
        """One image once through the transformer, in TFLOP; ``area`` in pixels of 1024 × 1024."""
        return sum(self._forward(area)) / 1e12

    def step_tflop(self, shape: StepShape) -> float:
        """One optimizer step, all images of its batch, in TFLOP."""
        linears, attention = self._forward(shape.area)
        a_rank = trained_weights(self.size.sizes, 1, None)
        lora = 6 * a_rank * rank_alike(self.size.sizes, shape.rank, shape.factor) * _tokens(shape.area)
        again = linears + attention + lora / 3 if shape.gradient_checkpointing else 0.0
        return (2 * linears + 3 * attention + lora + again) * shape.batch / 1e12

    def _forward(self, area: float) -> tuple[float, float]:
        """Operations of a forward pass: linears, and attention."""
        tokens = _tokens(area)
        blocks = self.size.double + self.size.single
        return 2 * self.size.weights_a_token * tokens, 4 * self.size.width * tokens**2 * blocks

    def decoding_tflop(self, area: float) -> float:
        """One picture from its latent."""
        return _DECODING * area

    def launches(self, checkpointing: bool) -> int:
        """Kernels of a pass."""
        return self.size.linears * (_LAUNCHES_A_LINEAR + (_AGAIN_A_LINEAR if checkpointing else 0))

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
        weights = trained_weights(self.size.sizes, shape.rank, shape.factor)
        lora = weights * (STATE_BYTES.get(optimizer, STATE_BYTES["adamw"]) + (4 if ema else 0))
        blocks = self.size.double + self.size.single
        tokens = _tokens(shape.area) * shape.batch
        block = tokens * self.size.width * _KEPT_A_TOKEN * weight_bytes * (1.3 if dropout else 1.0)
        between = tokens * self.size.width * weight_bytes * blocks
        lokr = tokens * kept_besides(self.size.sizes, shape.rank, shape.factor) * weight_bytes
        kept = between + block + lokr / blocks if shape.gradient_checkpointing else block * blocks + lokr
        return MemoryParts(base / 1e9, lora / 1e9, kept / 1e9, _CONTEXT_GIB * GIB / 1e9)


def _tokens(area: float) -> float:
    """Tokens of a picture and its text; ``area`` in pixels of 1024 × 1024."""
    return UNIT_TOKENS * area + TEXT_TOKENS
