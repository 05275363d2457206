"""What fits FLUX.2 klein on cards of each size, by counting: no card measured it yet. No torch.

The 4B takes 7.8 GB in bf16, so that nothing fits on 8 GB. Where the 9B does not fit, less is taken until it does.
"""

from __future__ import annotations

from engine.models.preset import DETAIL, EIGHT, FACE, FUSED, ONCE, TWICE, Preset
from engine.settings import Optimizer

PRESETS: tuple[Preset, ...] = (
    Preset(12, (
        ("rank", 16, FACE),
        ("batch_size", 1, "one image at a time is all that surely fits"),
        ("resolution", 768, "a step takes half as long as at 1024, and there is room to spare"),
        ("gradient_checkpointing", True, TWICE),
        ("optimizer", Optimizer.ADAMW_8BIT, EIGHT),
    )),
    Preset(16, (
        ("rank", 32, DETAIL),
        ("batch_size", 2, "two images fit while activations are computed twice"),
        ("gradient_checkpointing", True, TWICE),
        ("optimizer", Optimizer.ADAMW_8BIT, EIGHT),
    )),
    Preset(24, (
        ("rank", 32, DETAIL),
        ("batch_size", 4, "four images fit while activations are computed twice"),
        ("gradient_checkpointing", True, TWICE),
        ("optimizer", Optimizer.ADAMW, FUSED),
    )),
    Preset(48, (
        ("rank", 32, DETAIL),
        ("batch_size", 2, "two images fit with nothing computed twice"),
        ("gradient_checkpointing", False, ONCE),
        ("optimizer", Optimizer.ADAMW, FUSED),
    )),
    Preset(80, (
        ("rank", 32, DETAIL),
        ("batch_size", 3, "three images fit with nothing computed twice"),
        ("gradient_checkpointing", False, ONCE),
        ("optimizer", Optimizer.ADAMW, FUSED),
    )),
)  # fmt: skip
