"""Painting with FLUX.2 klein: how diffusers' pipeline takes texts and packs latents. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from engine.models.flow.painting import FlowPainter, Texts
from engine.models.flux2_klein.prompt_encoder import EMBEDS

NEGATIVE = f"negative_{EMBEDS}"


class KleinPainter(FlowPainter):
    """Paints with a ``Flux2KleinPipeline``."""

    negative: torch.Tensor | None = None
    """What is seen of the negative prompt while it paints."""

    def _steps(self, count: int) -> list[float]:
        found: list[float] = np.linspace(1.0, 1 / count, count).tolist()
        return found

    def _texts(self, texts: Texts, device: Any) -> dict[str, Any]:
        dtype = self._pipeline.transformer.x_embedder.weight.dtype
        moved = {name: None if each is None else each.to(device, dtype) for name, each in texts.items()}
        if NEGATIVE in moved:
            self.negative = moved[NEGATIVE]
        return moved

    def _shift(self, height: int, width: int, steps: int) -> float | None:
        found: float = compute_empirical_mu(height * width, steps)
        return found

    def _unpacked(self, latents: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        return latents.transpose(1, 2).reshape(len(latents), *shape)


class KleinCleaner:
    """What latents are without their noise, of a call of the transformer.

    Args:
        negative: what is seen of the negative prompt at present; None: nothing.
    """

    def __init__(self, negative: Callable[[], torch.Tensor | None]) -> None:
        self._negative = negative

    def __call__(self, given: Sequence[Any], said: Any, _guidance: float) -> torch.Tensor | None:
        """The latents [n, c, h, w]; None for a look at the negative prompt. ``given`` are the arguments in the order in
        which diffusers' pipeline has them."""
        sample, when, text, places = given[0], given[1], given[3], given[5]
        negative = self._negative()
        if negative is not None and negative.shape == text.shape and torch.equal(negative.to(text.device), text):
            return None
        clean = sample.float() - float(when.flatten()[0]) * said[0].float()
        rows, columns = (int(places[..., axis].max()) + 1 for axis in (1, 2))
        latents: torch.Tensor = clean.transpose(1, 2).reshape(len(clean), -1, rows, columns)
        return latents
