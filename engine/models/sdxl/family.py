"""SDXL as one of the families of base models: SDXL 1.0 and all that was made from it. No torch."""

from __future__ import annotations

from engine.models.family import Family
from engine.models.sdxl.flops import decoding_tflop, forward_tflop, step_tflop
from engine.models.sdxl.memory import memory_parts
from engine.models.sdxl.presets import PRESETS
from engine.models.sdxl.shape import SDXL, shape_of
from engine.models.shape import FIRST_FAMILY, Arithmetic, MemoryParts, StepShape

LAUNCHES, LAUNCHES_AGAIN = 10_600, 4_200
"""Kernels that a LoRA step launches, as an H200 was seen to take them (10,566), and how many more with checkpointing,
counted; the same for any batch."""


class SdxlArithmetic:
    """What ``flops.py`` and ``memory.py`` counted; other sizes are scaled by it."""

    replayable = True

    def forward_tflop(self, area: float) -> float:
        """One image once through the U-Net."""
        return forward_tflop(area)

    def step_tflop(self, shape: StepShape) -> float:
        """One optimizer step."""
        return step_tflop(shape)

    def decoding_tflop(self, area: float) -> float:
        """One picture from its latent."""
        return decoding_tflop(area)

    def launches(self, checkpointing: bool) -> int:
        """Kernels of a pass."""
        return LAUNCHES + (LAUNCHES_AGAIN if checkpointing else 0)

    def memory(
        self,
        shape: StepShape,
        optimizer: str = "adamw",
        weight_bytes: int = 2,
        ema: bool = False,
        dropout: bool = False,
    ) -> MemoryParts:
        """What a step takes on a card."""
        return memory_parts(shape, optimizer, weight_bytes, ema, dropout)


def _arithmetic(_size: str) -> Arithmetic:
    return SdxlArithmetic()


def _is_in_file(names: frozenset[str]) -> bool:
    """By the second text encoder, which no other family has in one file with a U-Net."""
    return any(name.startswith(("conditioner.embedders.1.", "text_encoder_2.")) for name in names)


FAMILY = Family(
    FIRST_FAMILY,
    SDXL.name,
    pipelines=frozenset(
        {"StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline"}
    ),
    parts=("unet", "vae", "text_encoder", "text_encoder_2"),
    is_in_file=_is_in_file,
    shape=shape_of,
    arithmetic=_arithmetic,
    counted=frozenset({SDXL.name}),
    base_version="sdxl_base_v1-0",
    architecture="stable-diffusion-xl-v1-base",
    loader="engine.models.sdxl.loaded:load",
    file_gb=6.9,
    presets=PRESETS,
)
