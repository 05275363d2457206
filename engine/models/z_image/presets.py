"""What fits Z-Image on cards of each size, by counting: no card measured it yet. No torch.

It takes 12.3 GB in bf16, so that nothing fits on 12 GB.
"""

from __future__ import annotations

from engine.models.preset import DETAIL, EIGHT, FACE, FUSED, ONCE, TWICE, Preset
from engine.settings import Optimizer

PRESETS: tuple[Preset, ...] = (
    Preset(16, (
        ("rank", 16, FACE),
        ("batch_size", 1, "one image at a time is all that fits"),
        ("resolution", 768, "at 1024 the step would hardly fit"),
        ("gradient_checkpointing", True, TWICE),
        ("optimizer", Optimizer.ADAMW_8BIT, EIGHT),
    )),
    Preset(24, (
        ("rank", 32, DETAIL),
        ("batch_size", 2, "two images fit while activations are computed twice"),
        ("gradient_checkpointing", True, TWICE),
        ("optimizer", Optimizer.ADAMW, FUSED),
    )),
    Preset(48, (
        ("rank", 32, DETAIL),
        ("batch_size", 4, "four images fit while activations are computed twice"),
        ("gradient_checkpointing", True, TWICE),
        ("optimizer", Optimizer.ADAMW, FUSED),
    )),
    Preset(80, (
        ("rank", 32, DETAIL),
        ("batch_size", 1, "one image fits with nothing computed twice"),
        ("gradient_checkpointing", False, ONCE),
        ("optimizer", Optimizer.ADAMW, FUSED),
    )),
)  # fmt: skip
