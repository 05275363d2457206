"""A picture seen while it forms, without the VAE. Needs torch.

A latent's few numbers are nearly a colour: a weight for each and a constant for each of red, green and blue turn one
into the other. They are fitted to the base model's own VAE by least squares, on colour patches that it encodes once (a
picture of 64 patches); so they fit any base model, and no table of constants is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from engine.models.loaded import Clean
from engine.pictures.painting.vae import Vae
from engine.storage.atomic_files import whole_file

PATCHES = 8
"""Colour patches a side."""

PATCH_LATENTS = 4
"""Latents a side of a patch."""

SECONDS = 0.5
"""Between two looks."""

Show = Callable[[list[Image.Image]], None]


class Preview:
    """Latents as small pictures, one pixel a latent."""

    def __init__(self, vae: Vae, factor: int) -> None:
        self._weights = _fit(vae, factor)

    def picture(self, latent: Tensor) -> Image.Image:
        """A latent [c, h, w] as a picture of w × h pixels."""
        flat = latent.detach().float().cpu().flatten(1)
        colours = self._weights[:, :-1] @ flat + self._weights[:, -1:]
        levels = (colours.clamp(0, 1) * 255).round().to(torch.uint8).view(3, *latent.shape[1:])
        return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


class Looking:
    """Looks at what the denoiser takes a batch for, while it is painted: a forward hook on the denoiser.

    Args:
        preview: latents to pictures.
        clean: the base model's: makes the picture as it stands of a call.
        guidance: how far the prompt is followed.
        show: gets the pictures, one for each of the batch, at most every half second.
    """

    def __init__(self, preview: Preview, clean: Clean, guidance: float, show: Show) -> None:
        self._preview, self._clean, self._guidance, self._show = preview, clean, guidance, show
        self._next = 0.0

    def __call__(self, _denoiser: Any, given: Sequence[Any], named: Mapping[str, Any], said: Any) -> None:
        """Called after each look of the denoiser at the batch."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        clean = self._clean((*given, *named.values()), said, self._guidance)
        if clean is not None:
            self._show([self._preview.picture(latent) for latent in clean])


def write_preview(image: Image.Image, path: Path) -> None:
    """Writes a preview so that a reader sees this one or the one before. A disk that is full is no reason to stop."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, durable=False) as file:
            image.save(file, "PNG", compress_level=1)


@torch.inference_mode()
def _fit(vae: Vae, factor: int) -> Tensor:
    """float32 [3, c + 1]: the weights of a latent's numbers, and the constants; colours are 0 to 1."""
    chance = torch.Generator().manual_seed(0)
    patches = torch.rand(3, PATCHES, PATCHES, generator=chance)
    side = PATCHES * PATCH_LATENTS
    wanted = F.interpolate(patches[None], size=(side, side), mode="nearest")[0]
    levels = (F.interpolate(patches[None], size=(side * factor, side * factor), mode="nearest")[0] * 255).round()
    image = Image.fromarray(levels.to(torch.uint8).permute(1, 2, 0).contiguous().numpy())
    latents = vae.encode(image).float().cpu().flatten(1)
    known = torch.cat([latents, torch.ones(1, latents.shape[1])])
    fitted: Tensor = torch.linalg.lstsq(known.T, wanted.flatten(1).T).solution
    return fitted.T
