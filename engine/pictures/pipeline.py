"""Painting with a base model and a LoRA on it. Needs torch.

The model is loaded once; LoRAs are put on and taken off. The noise of a picture comes from its seed on the CPU, so
that the same seed gives the same picture on every device, alone or among others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from engine.base_model import BaseModel
from engine.errors import LoraFileError, PictureError
from engine.pictures.samplers import scheduler_for
from engine.settings import Sampler
from engine.training.base import load_pipeline, native_resolution
from engine.training.device import choose_device
from engine.training.lora_file import load_tensors
from engine.training.lora_header import read_header

ADAPTER = "person"
"""The name that the LoRA goes by inside the model."""


class Stopped(Exception):
    """Painting was told to stop between two steps."""


@dataclass(frozen=True)
class Brush:
    """All that makes a picture but its prompt and seed."""

    steps: int
    guidance: float
    sampler: Sampler
    negative: str = ""
    lora: Path | None = None
    strength: float = 1.0
    width: int | None = None
    """Pixels; None: what the base model was made for."""
    height: int | None = None


class Painting:
    """A base model, loaded and ready to paint."""

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        self.device = choose_device()
        self._whole = load_pipeline(base, self.device.dtype).to(self.device.name)
        # Text is encoded in float32 and handed over: a pipeline with text encoders of its own would paint in theirs.
        parts = {**self._whole.components, "text_encoder": None, "text_encoder_2": None}
        self._pipeline = type(self._whole)(**parts, add_watermarker=False)
        self._pipeline.set_progress_bar_config(disable=True)
        self._noise = dict(self._whole.scheduler.config)
        self._loaded: tuple[Path, int, int] | None = None

    @property
    def native(self) -> int:
        """Pixels a side that the base model was made for."""
        return native_resolution(self._pipeline)

    def size(self, brush: Brush) -> tuple[int, int]:
        """Width and height in pixels.

        Raises:
            PictureError: a size that the model's latents can't have.
        """
        size = (brush.width or self.native, brush.height or self.native)
        grain = self._pipeline.vae_scale_factor
        if size[0] % grain or size[1] % grain:
            raise PictureError(f"{size[0]}x{size[1]} won't do", f"this base paints multiples of {grain} pixels")
        return size

    def paint(
        self,
        prompt: str,
        seeds: Sequence[int],
        brush: Brush,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[Image.Image]:
        """One picture a seed.

        Raises:
            LoraFileError: the LoRA is not there or does not fit the base model.
            PictureError: the size won't do.
            Stopped: it was told to stop.
        """
        width, height = self.size(brush)
        self._put_on(brush.lora, brush.strength)
        pipeline = self._pipeline
        pipeline.scheduler = scheduler_for(brush.sampler, self._noise)

        def between_steps(_pipeline: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if should_stop():
                raise Stopped
            return tensors

        with torch.inference_mode():
            latents = pipeline(
                **self._encode(prompt, brush, len(seeds)),
                num_inference_steps=brush.steps,
                guidance_scale=brush.guidance,
                width=width,
                height=height,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                output_type="latent",
                callback_on_step_end=between_steps,
            ).images
            return [self._decode(latent) for latent in latents]

    def _encode(self, prompt: str, brush: Brush, count: int) -> dict[str, torch.Tensor | None]:
        """The prompts as the pipeline takes them, ``count`` times each."""
        hidden, negative_hidden, pooled, negative_pooled = self._whole.encode_prompt(
            prompt=prompt,
            # None is what SDXL was trained to take for no negative prompt.
            negative_prompt=brush.negative or None,
            device=self.device.name,
            num_images_per_prompt=count,
            do_classifier_free_guidance=brush.guidance > 1,
        )
        return {
            "prompt_embeds": hidden,
            "negative_prompt_embeds": negative_hidden,
            "pooled_prompt_embeds": pooled,
            "negative_pooled_prompt_embeds": negative_pooled,
        }

    def _decode(self, latent: torch.Tensor) -> Image.Image:
        """In float32 and one at a time: SDXL's VAE overflows in half precision, and pictures take memory."""
        vae = self._pipeline.vae
        shift = vae.config.get("shift_factor") or 0.0
        pixels = vae.decode(latent[None].float() / vae.config.scaling_factor + shift).sample[0]
        levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())

    def _put_on(self, lora: Path | None, strength: float) -> None:
        """Makes the LoRA the one that is on, at a strength; None takes any off."""
        if lora is None:
            if self._loaded:
                self._whole.disable_lora()
            return
        try:
            about = lora.stat()
        except OSError as error:
            raise LoraFileError(f"there is no LoRA at {lora}", "list a run's checkpoints with: limner runs") from error
        wanted = (lora, about.st_mtime_ns, about.st_size)
        if wanted != self._loaded:
            self._load(lora)
            self._loaded = wanted
        self._whole.enable_lora()
        self._whole.set_adapters(ADAPTER, adapter_weights=strength)

    def _load(self, lora: Path) -> None:
        self._take_off()
        read_header(lora)
        try:
            self._whole.load_lora_weights(load_tensors(lora), adapter_name=ADAPTER)
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            self._take_off()
            # Neither diffusers nor torch has a class of its own for it, and both say it in pages.
            said = (
                "it was made for another base model" if "size mismatch" in str(error) else " ".join(str(error).split())
            )
            what = f"{lora.name} does not fit {self.base.title} ({said[:160]})"
            raise LoraFileError(what, "look into it with: limner lora show") from error

    def _take_off(self) -> None:
        self._loaded = None
        self._whole.unload_lora_weights()
