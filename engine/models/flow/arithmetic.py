"""How much arithmetic and memory a training step of a transformer is, whatever its blocks are like. No torch.

A weight that a token passes is two operations; attention is four for each pair of tokens and number of its width. The
frozen base needs no gradients of its weights. Kernels are an estimate, and no card measured any of it yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.kronecker import Linears, kept_besides, rank_alike, trained_weights
from engine.models.shape import GIB, STATE_BYTES, MemoryParts, StepShape

PIXELS_A_TOKEN = 16
"""A side."""

_UNIT_TOKENS = (1024 // PIXELS_A_TOKEN) ** 2

_CONTEXT_GIB = 1.0
_LAUNCHES_A_LINEAR, _AGAIN_A_LINEAR = 40, 16
"""Kernels for each linear with its LoRA and what is around it, and how many more with gradient checkpointing."""


class TransformerSize(Protocol):
    """The size of a transformer."""

    @property
    def width(self) -> int:
        """Numbers a token has between the blocks."""

    @property
    def blocks(self) -> int:
        """Those whose linears get a LoRA."""

    @property
    def linears(self) -> int:
        """Those that get a LoRA."""

    @property
    def sizes(self) -> Linears:
        """(Inputs, outputs) of the linears that are trained, and how many there are of each size."""

    @property
    def parameters(self) -> int:
        """All weights."""


@dataclass(frozen=True)
class Operations:
    """What a pass computes: linears, and attention."""

    linears: float
    attention: float


@dataclass(frozen=True)
class TransformerArithmetic:
    """What a step of one size of model computes and keeps.

    A family says what its blocks compute: in ``forward``, ``backward`` and ``again``.
    """

    size: TransformerSize
    text_tokens: int
    """Of a caption, as the transformer sees it."""
    decoding: float
    """TFLOP in which the VAE makes a picture of 1024 × 1024."""
    kept: float
    """Numbers that a block keeps for its backward pass, for each of a token's ``width``."""
    kept_with_dropout: float
    """The same with dropout of the LoRA's inputs: its linears are then peft's, which keep more."""

    @property
    def replayable(self) -> bool:
        """Whether passes over batches of one shape compute the same."""
        return True

    def forward(self, area: float) -> Operations:
        """One image once through the transformer; ``area`` in pixels of 1024 × 1024."""
        raise NotImplementedError

    def backward(self, area: float) -> Operations:
        """And back, without the LoRA: as much again of the linears, and twice of attention."""
        forward = self.forward(area)
        return Operations(forward.linears, 2 * forward.attention)

    def again(self, area: float) -> Operations:
        """What gradient checkpointing computes a second time."""
        return self.forward(area)

    def picture_tokens(self, area: float) -> float:
        """Tokens of a picture."""
        return _UNIT_TOKENS * area

    def tokens(self, area: float) -> float:
        """Tokens of a picture and its text."""
        return self.picture_tokens(area) + self.text_tokens

    def forward_tflop(self, area: float) -> float:
        """One image once through the transformer, in TFLOP; ``area`` in pixels of 1024 × 1024."""
        forward = self.forward(area)
        return (forward.linears + forward.attention) / 1e12

    def step_tflop(self, shape: StepShape) -> float:
        """One optimizer step, all images of its batch, in TFLOP."""
        parts = [self.forward(shape.area), self.backward(shape.area)]
        a_rank = trained_weights(self.size.sizes, 1, None)
        lora = 6 * a_rank * rank_alike(self.size.sizes, shape.rank, shape.factor) * self.tokens(shape.area)
        if shape.gradient_checkpointing:
            parts.append(self.again(shape.area))
            lora *= 4 / 3
        return (sum(each.linears + each.attention for each in parts) + lora) * shape.batch / 1e12

    def decoding_tflop(self, area: float) -> float:
        """One picture from its latent."""
        return self.decoding * area

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
        tokens = self.tokens(shape.area) * shape.batch
        block = tokens * self.size.width * (self.kept_with_dropout if dropout else self.kept) * weight_bytes
        between = tokens * self.size.width * weight_bytes * self.size.blocks
        lokr = tokens * kept_besides(self.size.sizes, shape.rank, shape.factor) * weight_bytes
        blocks = self.size.blocks
        kept = between + block + lokr / blocks if shape.gradient_checkpointing else block * blocks + lokr
        return MemoryParts(base / 1e9, lora / 1e9, kept / 1e9, _CONTEXT_GIB * GIB / 1e9)
