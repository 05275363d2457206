"""How much of a card's memory training SDXL takes, before it is tried. No torch.

Activations: 6.55 GiB an image at 1024 × 1024, measured on an H200 with batches of 1 to 6, where the sum below is 0 to
5 % above what was taken (docs/performance.md). With dropout the linears are peft's, which keep more: 9.46, counted as
the tensors that autograd keeps (bf16, attention that keeps no score matrix, 722 linears). So were 0.62 with gradient
checkpointing and 1.5 for the block that is computed again.
"""

from __future__ import annotations

from engine.models.shape import GIB, STATE_BYTES, MemoryParts, StepShape

LORA_WEIGHTS_A_RANK = 2_659_840
TEXT_LORA_WEIGHTS_A_RANK = 165_888 + 737_280
"""Weights of a LoRA for each unit of rank: on the U-Net's 722 linears, and on those of both text encoders."""

_UNET_GIB = 4.78
_TEXT_ENCODERS_GIB = 1.52
_ACTIVATIONS_GIB, _WITH_DROPOUT_GIB = 6.55, 9.46
_KEPT_GIB = 0.62
_BLOCK_GIB = 1.5
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
    weights = LORA_WEIGHTS_A_RANK * shape.rank
    if shape.text_encoders:
        base += _TEXT_ENCODERS_GIB * wide
        weights += TEXT_LORA_WEIGHTS_A_RANK * shape.rank
    lora = weights * (STATE_BYTES.get(optimizer, STATE_BYTES["adamw"]) + (4 if ema else 0))
    images = shape.area * shape.batch
    whole = (_WITH_DROPOUT_GIB if dropout else _ACTIVATIONS_GIB) * images
    kept = _KEPT_GIB * images + _BLOCK_GIB * shape.area if shape.gradient_checkpointing else whole
    return MemoryParts(base * GIB / 1e9, lora / 1e9, kept * wide * GIB / 1e9, _CONTEXT_GIB * GIB / 1e9)
