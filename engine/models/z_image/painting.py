"""Painting with Z-Image: how diffusers' pipeline takes texts and guidance. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.pipelines.z_image.pipeline_z_image import get_default_z_image_sigmas

from engine.models.flow.painting import FlowPainter, Texts
from engine.models.z_image.prompt_encoder import EMBEDS, MASK, NEGATIVE, apart


def own_guidance(scale: float) -> float:
    """diffusers' guidance scale for A1111's: its pipeline has pos + g (pos - neg) where A1111 has neg + s (pos - neg)
    (``ZImagePipeline.__call__``); so g = s - 1, and nothing is guided at 1."""
    return max(scale - 1, 0.0)


class ZImagePainter(FlowPainter):
    """Paints with a ``ZImagePipeline``."""

    def _steps(self, count: int) -> list[float]:
        found: list[float] = get_default_z_image_sigmas(count)
        return found

    def _texts(self, texts: Texts, device: Any) -> dict[str, Any]:
        dtype = width_type(self._pipeline.transformer)
        found: dict[str, Any] = {}
        for prefix in ("", NEGATIVE):
            embeds, mask = texts.get(f"{prefix}{EMBEDS}"), texts.get(f"{prefix}{MASK}")
            if embeds is not None and mask is not None:
                found[f"{prefix}{EMBEDS}"] = apart(embeds.to(device, dtype), mask)
        return found

    def _shift(self, _height: int, _width: int, _steps: int) -> float | None:
        # Its scheduler's shift is always the same.
        return None

    def _guidance(self, scale: float) -> float:
        return own_guidance(scale)


def width_type(transformer: Any) -> torch.dtype:
    """The type in which a ``ZImageTransformer2DModel`` computes."""
    found: torch.dtype = transformer.cap_embedder[1].weight.dtype
    return found


class ZImageCleaner:
    """What latents are without their noise, of a call of the transformer."""

    def __call__(self, given: Sequence[Any], said: Any, guidance: float) -> torch.Tensor | None:
        """The latents [n, c, h, w]; ``given`` are the arguments in the order in which diffusers' pipeline has them.
        With guidance the prompts' pictures come first, and then as many for the negative ones."""
        # The time is 1 - σ, and what is said points towards the picture: x + σ (x₀ - ε) = x₀.
        level = 1 - float(given[1].flatten()[0])
        noisy, towards = (torch.stack([each.float() for each in some]).squeeze(2) for some in (given[0], said[0]))
        own = own_guidance(guidance)
        if own:
            noisy, (prompted, negative) = noisy[: len(noisy) // 2], towards.chunk(2)
            towards = prompted + own * (prompted - negative)
        return noisy + level * towards
