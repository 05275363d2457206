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
from engine.pictures.text_encoding import TextEncoding
from engine.settings import Sampler
from engine.training.base import load_pipeline, native_resolution
from engine.training.device import choose_device
from engine.training.lora_file import load_tensors
from engine.training.lora_header import read_header

ADAPTER = "person"
"""The name that the first LoRA goes by inside the model; the second is ``person1``."""

TEXT = ["prompt_embeds", "add_text_embeds"]
"""What the pipeline's loop holds of the text."""


class Stopped(Exception):
    """Painting was told to stop between two steps."""


@dataclass(frozen=True)
class Worn:
    """A LoRA and its weights."""

    file: Path
    unet: float
    te: float
    """In the text encoders."""


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
    named: tuple[Worn, ...] = ()
    """LoRAs that the prompt names; one that is ``lora`` takes its weight from here."""

    def worn(self) -> tuple[Worn, ...]:
        """Every LoRA, each once."""
        own = (Worn(self.lora, self.strength, self.strength),) if self.lora else ()
        return tuple({each.file: each for each in (*own, *self.named)}.values())


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
        self._text = TextEncoding(self._whole, self.device.name)
        self._loaded: list[tuple[Path, int, int]] = []

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
            LoraFileError: a LoRA is not there or does not fit the base model.
            PictureError: the size won't do.
            PromptError: nothing can be painted from the prompt.
            Stopped: it was told to stop.
        """
        width, height = self.size(brush)
        self._put_on(brush.worn())
        pipeline = self._pipeline
        pipeline.scheduler = scheduler_for(brush.sampler, self._noise)
        with torch.inference_mode():
            text = self._text.conditioning(
                prompt, brush.negative, brush.steps, guided=brush.guidance > 1, count=len(seeds)
            )

            def between_steps(pipeline_: Any, index: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
                if should_stop():
                    raise Stopped
                if should_stop():
                    raise Stopped
                # Samplers of a higher order look at each step more than once; the next look is the step's it is in.
                step = (index + 1) // pipeline_.scheduler.order + 1
                return {**tensors, **text.at(step)} if text.changes else tensors

            latents = pipeline(
                **text.first(),
                num_inference_steps=brush.steps,
                guidance_scale=brush.guidance,
                width=width,
                height=height,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                output_type="latent",
                callback_on_step_end=between_steps,
                callback_on_step_end_tensor_inputs=TEXT if text.changes else [],
            ).images
            return [self._decode(latent) for latent in latents]

    def _decode(self, latent: torch.Tensor) -> Image.Image:
        """In float32 and one at a time: SDXL's VAE overflows in half precision, and pictures take memory."""
        vae = self._pipeline.vae
        shift = vae.config.get("shift_factor") or 0.0
        pixels = vae.decode(latent[None].float() / vae.config.scaling_factor + shift).sample[0]
        levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())

    def _put_on(self, worn: Sequence[Worn]) -> None:
        """Makes these LoRAs the ones that are on; none takes all off."""
        if not worn:
            if self._loaded:
                self._whole.disable_lora()
            return
        wanted: list[tuple[Path, int, int]] = []
        for each in worn:
            try:
                about = each.file.stat()
            except OSError as error:
                fix = "list a run's checkpoints with: limner runs"
                raise LoraFileError(f"there is no LoRA at {each.file}", fix) from error
            wanted.append((each.file, about.st_mtime_ns, about.st_size))
        names = [ADAPTER, *(f"{ADAPTER}{number}" for number in range(1, len(worn)))]
        if wanted != self._loaded:
            self._take_off()
            for name, each in zip(names, worn, strict=True):
                self._load(each.file, name)
            self._loaded = wanted
        self._whole.enable_lora()
        weights = [
            each.unet
            if each.unet == each.te
            else {"unet": each.unet, "text_encoder": each.te, "text_encoder_2": each.te}
            for each in worn
        ]
        self._whole.set_adapters(names, adapter_weights=weights)

    def _load(self, lora: Path, name: str) -> None:
        try:
            read_header(lora)
            self._whole.load_lora_weights(load_tensors(lora), adapter_name=name)
        except LoraFileError:
            self._take_off()
            raise
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            self._take_off()
            # Neither diffusers nor torch has a class of its own for it, and both say it in pages.
            said = (
                "it was made for another base model" if "size mismatch" in str(error) else " ".join(str(error).split())
            )
            what = f"{lora.name} does not fit {self.base.title} ({said[:160]})"
            raise LoraFileError(what, "look into it with: limner lora show") from error

    def _take_off(self) -> None:
        self._loaded = []
        self._whole.unload_lora_weights()
