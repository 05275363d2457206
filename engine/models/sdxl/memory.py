"""How much of a card's memory training SDXL takes, before it is tried. No torch.

Activations: 6.55 GiB an image at 1024 × 1024, measured on an H200 with batches of 1 to 6, where the sum below is 0 to
5 % above what was taken (docs/performance.md). With dropout the linears are peft's, which keep more: 9.46, counted as
the tensors that autograd keeps (bf16, attention that keeps no score matrix, 722 linears). So were 0.62 with gradient
checkpointing and 1.5 for the block that is computed again.
"""

from __future__ import annotations

from engine.kronecker import kept_besides, trained_weights
from engine.models.shape import GIB, STATE_BYTES, MemoryParts, StepShape

LINEARS = {
    (640, 640): 70,
    (640, 5120): 10,
    (2560, 640): 10,
    (1280, 1280): 372,
    (1280, 10240): 60,
    (5120, 1280): 60,
    (2048, 640): 20,
    (2048, 1280): 120,
}
"""(Inputs, outputs) of the U-Net's 722 linears that are trained, and how many there are of each size."""

TEXT_LINEARS = {
    (768, 768): 48,
    (768, 3072): 12,
    (3072, 768): 12,
    (1280, 1280): 128,
    (1280, 5120): 32,
    (5120, 1280): 32,
}
"""The same of both text encoders' 264."""

_UNET_GIB = 4.78
_TEXT_ENCODERS_GIB = 1.52
_ACTIVATIONS_GIB, _WITH_DROPOUT_GIB = 6.55, 9.46
_KEPT_GIB = 0.62
_BLOCK_GIB = 1.5
_WIDE_TOKENS, _NARROW_TOKENS, _TEXT_TOKENS = 1024, 4096, 77
"""Rows that go through the linears of 1280 and of 640 numbers, at 1024 × 1024, and through those that read text."""
_CONTEXT_GIB = 1.0
"""CUDA itself and the workspaces of its libraries."""


def memory_parts(
    shape: StepShape, optimizer: str = "adamw", weight_bytes: int = 2, ema: bool = False, dropout: bool = False
) -> MemoryParts:
    """What a step takes.

    Args:
        shape: the step's.
        optimizer: a key of ``STATE_BYTES``; another is taken for AdamW.
        weight_bytes: of a number of the base and its activations: 2 for bf16, 4 for float32.
        ema: whether an average of the LoRA is kept beside it.
        dropout: whether the LoRA's inputs are dropped by chance.
    """
    wide = weight_bytes / 2
    base = _UNET_GIB * wide
    weights = trained_weights(LINEARS, shape.rank, shape.factor)
    if shape.text_encoders:
        base += _TEXT_ENCODERS_GIB * wide
        weights += trained_weights(TEXT_LINEARS, shape.rank, shape.factor)
    lora = weights * (STATE_BYTES.get(optimizer, STATE_BYTES["adamw"]) + (4 if ema else 0))
    images = shape.area * shape.batch
    whole = (_WITH_DROPOUT_GIB if dropout else _ACTIVATIONS_GIB) * images + _of_lokr(shape) * images
    kept = _KEPT_GIB * images + _BLOCK_GIB * shape.area if shape.gradient_checkpointing else whole
    return MemoryParts(base * GIB / 1e9, lora / 1e9, kept * wide * GIB / 1e9, _CONTEXT_GIB * GIB / 1e9)


def _of_lokr(shape: StepShape) -> float:
    """GiB that a LoKr keeps of an image at 1024 × 1024 beside what a LoRA does, in bf16."""
    numbers = 0
    for size, count in LINEARS.items():
        tokens = _TEXT_TOKENS if size[0] == 2048 else _NARROW_TOKENS if 640 in size else _WIDE_TOKENS
        numbers += tokens * kept_besides({size: count}, shape.rank, shape.factor)
    return 2 * numbers / GIB
