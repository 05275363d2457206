"""How much arithmetic a training step of SDXL's U-Net is. No torch.

Counted with PyTorch's ``FlopCounterMode`` on the U-Net of 2,567 M weights (a multiplication and an addition are 2), at
1024 × 1024, an area of 1: forward 6.76 TFLOP, of which linears 4.35, convolutions 1.62, attention 0.78; a LoRA step on
the 722 linears 14.21 at rank 8 and 14.62 at rank 32, with gradient checkpointing 20.30 and 20.84. The frozen base
needs no gradients of its weights, so a backward pass costs about one forward pass, and not two.
"""

from __future__ import annotations

from engine.kronecker import rank_alike
from engine.models.sdxl.memory import LINEARS
from engine.models.shape import StepShape

_BY_PIXEL = 4.30 + 1.62
"""Linears and convolutions, which every pixel passes."""
_OF_TEXT = 0.053
"""Keys and values of the text: 77 tokens, whatever the picture's size."""
_ATTENTION_ACROSS = 0.70
"""Attention between pixels, which grows with their square."""
_ATTENTION_TO_TEXT = 0.08

_STEP_OF_FORWARD = 2.081
"""A step without a LoRA's own arithmetic, in forward passes."""
_AGAIN_OF_FORWARD = 0.895
"""What gradient checkpointing computes a second time, in forward passes."""
_RANK = 0.0171
_RANK_AGAIN = 0.0054
"""TFLOP a step for each unit of rank, and what checkpointing adds to it."""
_TEXT_ENCODERS = 0.25
"""Both text encoders, forward and back: 77 tokens through 715 M weights."""

_DECODING = 10.5
"""The VAE makes a picture of 1024 × 1024 from a latent."""


def forward_tflop(area: float) -> float:
    """One image once through the U-Net, in TFLOP; ``area`` in pixels of 1024 × 1024."""
    return _BY_PIXEL * area + _OF_TEXT + _ATTENTION_ACROSS * area**2 + _ATTENTION_TO_TEXT * area


def step_tflop(shape: StepShape) -> float:
    """One optimizer step, all images of its batch, in TFLOP."""
    forward, rank = forward_tflop(shape.area), rank_alike(LINEARS, shape.rank, shape.factor)
    image = _STEP_OF_FORWARD * forward + _RANK * rank * shape.area
    if shape.gradient_checkpointing:
        image += _AGAIN_OF_FORWARD * forward + _RANK_AGAIN * rank * shape.area
    if shape.text_encoders:
        image += _TEXT_ENCODERS
    return image * shape.batch


def decoding_tflop(area: float) -> float:
    """One picture from its latent, in TFLOP; ``area`` in pixels of 1024 × 1024."""
    return _DECODING * area
