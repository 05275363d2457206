"""A picture seen while it forms, without the VAE. Needs torch.

A latent's four numbers are nearly a colour: four weights and a constant for each of red, green and blue turn one into
the other. They are fitted to the base model's own VAE by least squares, on colour patches that it encodes once (a
picture of 64 patches); so they fit any base model, and no table of constants is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

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
        """A latent [4, h, w] as a picture of w × h pixels."""
        flat = latent.detach().float().cpu().flatten(1)
        colours = self._weights[:, :4] @ flat + self._weights[:, 4:]
        levels = (colours.clamp(0, 1) * 255).round().to(torch.uint8).view(3, *latent.shape[1:])
        return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


class Looking:
    """Looks at what the U-Net takes a batch for, while it is painted: a forward hook on the U-Net.

    What it is given is latents in the noise's own scale, whatever the sampler; what it says is the noise (or the
    velocity). Both together make the picture as it stands, without its noise.

    Args:
        preview: latents to pictures.
        noise: the configuration of the noise that the base model was trained with.
        guidance: how far the prompt is followed.
        show: gets the pictures, one for each of the batch, at most every half second.
    """

    def __init__(self, preview: Preview, noise: Any, guidance: float, show: Show) -> None:
        first, last = float(noise["beta_start"]) ** 0.5, float(noise["beta_end"]) ** 0.5
        betas = torch.linspace(first, last, int(noise["num_train_timesteps"])) ** 2
        self._kept = torch.cumprod(1 - betas, 0)
        self._velocity = noise.get("prediction_type") == "v_prediction"
        self._preview, self._guidance, self._show = preview, guidance, show
        self._next = 0.0

    def __call__(self, _unet: Any, given: Sequence[Any], said: Any) -> None:
        """Called after each look of the U-Net at the batch."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        sample, when, out = given[0].float(), given[1], said[0].float()
        if self._guidance > 1:
            nothing, prompt = out.chunk(2)
            sample, out = sample.chunk(2)[1], nothing + self._guidance * (prompt - nothing)
        kept = float(self._kept[min(len(self._kept) - 1, max(0, round(float(when))))])
        signal, noise = kept**0.5, (1 - kept) ** 0.5
        clean = signal * sample - noise * out if self._velocity else (sample - noise * out) / signal
        self._show([self._preview.picture(latent) for latent in clean])


def write_preview(image: Image.Image, path: Path) -> None:
    """Writes a preview so that a reader sees this one or the one before. A disk that is full is no reason to stop."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, durable=False) as file:
            image.save(file, "PNG", compress_level=1)


@torch.inference_mode()
def _fit(vae: Vae, factor: int) -> Tensor:
    """float32 [3, 5]: the weights of the four numbers, and the constants; colours are 0 to 1."""
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
