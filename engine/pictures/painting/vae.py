"""Pictures to latents and back, kept sound. Needs torch.

The VAE is kept in float32, in which none overflows. Decoding in half precision is quicker; a picture that came
out as not-a-number there is decoded again in float32. Where memory runs out pictures are decoded in tiles.
"""

from __future__ import annotations

import copy

import torch
from PIL import Image, ImageOps

from engine.faces.photo.loading import upright_srgb
from engine.models.loaded import LoadedBase
from engine.pictures.painting.memory import Tell, free_memory, ran_out


class Vae:
    """A base model's VAE.

    Args:
        base: the base model, its VAE in float32.
        device: where it is.
        half: the type to decode in first; None: float32 alone.
        tell: gets what was changed to fit memory.
    """

    def __init__(
        self, base: LoadedBase, device: str, half: torch.dtype | None = None, tell: Tell = lambda *_: None
    ) -> None:
        self._base, self._model = base, base.vae
        self._device = device
        # A copy: weights that were rounded to half precision don't come back.
        self._half = copy.deepcopy(base.vae).to(half) if half is not None else None
        self._tell = tell
        self.tiled = False

    def decode(self, latent: torch.Tensor) -> Image.Image:
        """A latent [c, h, w] as a picture. Raises torch.OutOfMemoryError when tiles are too much, too."""
        pixels = self._in_tiles_if_need_be(latent[None].to(self._device))
        levels = ((pixels[0].float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())

    def encode(self, image: Image.Image) -> torch.Tensor:
        """A picture as a latent [c, h, w], the middle of what the VAE takes it for: the same each time."""
        raw = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
        pixels = raw.view(image.height, image.width, 3).permute(2, 0, 1)[None].float() / 127.5 - 1
        latent = self._model.encode(pixels.to(self._device)).latent_dist.mode()
        return self._base.normalise(latent)[0]

    def tile(self) -> None:
        """Decodes in tiles from now on: a little less exact at their seams."""
        for model in filter(None, (self._model, self._half)):
            model.enable_tiling()
        self.tiled = True

    def _in_tiles_if_need_be(self, latents: torch.Tensor) -> torch.Tensor:
        try:
            return self._sound(latents)
        except (RuntimeError, MemoryError) as error:
            if self.tiled or not ran_out(error):
                raise
        # Outside of the except: while the error lives, so do the tensors of its frames.
        free_memory()
        self.tile()
        self._tell("pictures are decoded in tiles", "memory ran out in the VAE")
        return self._sound(latents)

    def _sound(self, latents: torch.Tensor) -> torch.Tensor:
        latents = self._base.denormalise(latents)
        if self._half is not None:
            pixels = self._half.decode(latents.to(self._half.dtype)).sample
            if bool(torch.isfinite(pixels).all()):
                return pixels  # type: ignore[no-any-return]
            self._tell("the VAE decodes in float32", "half precision overflowed")
            self._half = None
        return self._model.decode(latents).sample  # type: ignore[no-any-return]


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture of exactly this size: enlarged or reduced until it covers it, the middle of it taken."""
    return ImageOps.fit(upright_srgb(image).convert("RGB"), size, Image.Resampling.LANCZOS)


def nearest_size(image: tuple[int, int], native: int, grain: int) -> tuple[int, int]:
    """The size for a picture of that shape with about as many pixels as the base model was made for.

    Args:
        image: its width and height.
        native: pixels a side that the base was made for.
        grain: what both sides are multiples of.
    """
    factor = native / (image[0] * image[1]) ** 0.5
    width, height = (max(grain, round(side * factor / grain) * grain) for side in image)
    return width, height
