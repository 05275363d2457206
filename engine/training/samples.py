"""Pictures painted while a run trains: the same prompts and seeds each time, so that the epochs can be compared.

Needs torch. The denoiser that is being trained paints them between two steps; their noise comes from generators of
their own, so that the run goes on as if nothing had been painted. They are saved by the run's writer, in the
background.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.settings import Settings
from engine.training.planning.sample_prompts import sample_prompts
from engine.training.sample_base import SampleBase
from engine.training.sample_likeness import Judging
from engine.training.step.memory_fallback import is_out_of_memory

STYLE = "engine.pictures.painting.run_samples:SampleStyle"
"""Named as text: training comes before pictures, and a run that paints nothing loads nothing of it."""


@dataclass(frozen=True)
class Painted:
    """One picture of a run."""

    number: int
    """Its prompt's, from 1."""
    prompt: str
    seed: int
    png: bytes
    """The whole file."""
    likeness: float | None = None
    """0 to 100; None: not scorable, or nothing here can tell."""
    sampling_step: float = 0.0
    """Seconds that a step of the sampler took."""
    besides: float = 0.0
    """Seconds that it took besides these."""


class StepTimer:
    """Measures the steps of a sampler."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._at = [time.monotonic()]

    def following(self, text: Any) -> Callable[..., dict[str, Any]]:
        """What diffusers calls after each step: takes it in, and has the next one see what its text then says."""

        def tick(pipeline: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            self._device.wait()
            self._at.append(time.monotonic())
            if not text.changes:
                return tensors
            # Samplers of a higher order look at each step more than once.
            done = (step + 1) // pipeline.scheduler.order
            return {name: tensor.to(tensors[name]) for name, tensor in text.at(done + 1).items()}

        return tick

    @property
    def seconds(self) -> float:
        """What a step takes; the first, which waits for models to be moved, is left out where there are others."""
        at = self._at[1:] if len(self._at) > 2 else self._at
        return (at[-1] - at[0]) / max(1, len(at) - 1)


class SampleRenderer:
    """Paints as ``limner paint`` does, with the denoiser that is being trained.

    Args:
        model: the base model, whole; its text encoders are not kept unless they are trained.
        settings: the project's.
        device: where the denoiser is.
        judging: tells how like the person a picture is.
        title: the base model's name.
        own_denoiser: whether the base model is another than the one that is trained, and wears its LoRA.
    """

    def __init__(
        self,
        model: LoadedBase,
        settings: Settings,
        device: Device,
        judging: Judging | None = None,
        title: str = "",
        own_denoiser: bool = False,
    ) -> None:
        self.prompts = sample_prompts(settings)
        self._settings, self._device, self._judging = settings, device, judging
        self._style = _style(settings, model, title)
        self._size = settings.training.resolution or model.shape.resolution
        # Trained text encoders read the prompts anew each time.
        self._encoding = model if settings.training.train_text_encoders else None
        self._texts: list[Any] = [] if self._encoding else self._read(model)
        # Nothing else of the model is held on to: the encoders are gigabytes on a card that is to train.
        self._model = model.without_text_encoders()
        self._vae = model.vae.to("cpu")
        self._wearing = SampleBase(model, settings.training, device).wearing if own_denoiser else nullcontext

    def paint(
        self, denoiser: Any, but: Container[int] = (), most_steps: int | None = None, checkpoint: str | None = None
    ) -> Iterator[Painted]:
        """One picture a prompt, as the denoiser is now.

        Args:
            denoiser: the one that is trained, in its evaluation mode.
            but: the numbers of prompts that need no picture.
            most_steps: no more steps of the sampler than these, where only the pace is of interest.
            checkpoint: the name of the file that keeps what the denoiser is now; None: none does.
        """
        texts = self._read(self._encoding) if self._encoding else self._texts
        painting, training = self._settings.painting, self._settings.training
        first, steps = training.sample_seed, training.sample_inference_steps
        if most_steps is not None:
            steps = min(steps, most_steps)
        with self._wearing(denoiser) as painter, self._on_device(self._vae) as vae:
            pipeline = self._model.text_to_image(painter)
            for number, (prompt, text) in enumerate(zip(self.prompts, texts, strict=True)):
                if number + 1 in but:
                    continue
                began, ticks = time.monotonic(), StepTimer(self._device)
                pipeline.scheduler = self._style.scheduler()
                with torch.no_grad():
                    latents = pipeline(
                        **text.first(),
                        num_inference_steps=steps,
                        guidance_scale=painting.guidance_scale,
                        width=self._size,
                        height=self._size,
                        generator=[torch.Generator().manual_seed(first + number)],
                        output_type="latent",
                        callback_on_step_end=ticks.following(text),
                        callback_on_step_end_tensor_inputs=text.held,
                    ).images
                    image = self._decode(vae, latents[0])
                likeness = self._judging(image) if self._judging else None
                png: bytes = self._style.png(image, prompt, first + number, checkpoint)
                besides = time.monotonic() - began - steps * ticks.seconds
                yield Painted(number + 1, prompt, first + number, png, likeness, ticks.seconds, max(0.0, besides))

    @contextmanager
    def _on_device(self, vae: Any) -> Iterator[Any]:
        try:
            yield vae.to(self._device.name)
        finally:
            vae.to("cpu")

    def _read(self, model: LoadedBase) -> list[Any]:
        texts: list[Any] = self._style.read(model, self._device.name, self.prompts)
        return texts

    def _decode(self, vae: Any, latent: torch.Tensor) -> Image.Image:
        """In float32, since SDXL's VAE overflows in half precision; in tiles where memory does not suffice."""
        scaled = self._model.denormalise(latent[None])
        try:
            pixels = vae.decode(scaled).sample
        except (RuntimeError, MemoryError) as error:
            if vae.use_tiling or not is_out_of_memory(error):
                raise
            pixels = None
        if pixels is None:
            # Outside of the except clause: the error holds on to all that was computed until then.
            self._device.free()
            vae.enable_tiling()
            pixels = vae.decode(scaled).sample
        levels = ((pixels[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())


def _style(settings: Settings, model: LoadedBase, title: str) -> Any:
    module, name = STYLE.split(":")
    return getattr(importlib.import_module(module), name)(settings, model, title)
