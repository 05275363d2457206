"""Painting with a rectified flow: diffusers' own pipeline, its noise of one kind on every device. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from engine.errors import PictureError
from engine.models.loaded import MakeScheduler
from engine.settings.samplers import NoiseSchedule, Sampler

Texts = Mapping[str, torch.Tensor | None]
"""Encoded texts [n, …] by the names of the family's layout; None: there is no such."""


def scheduler_maker(title: str) -> MakeScheduler:
    """What makes schedulers for a family of that title."""

    def make(sampler: Sampler, _schedule: NoiseSchedule, config: Mapping[str, Any]) -> Any:
        """The flow's own Euler steps. Raises PictureError where another sampler was asked for."""
        if sampler is not Sampler.EULER:
            what = f"{title} can't be painted with the sampler {sampler.value}"
            raise PictureError(what, f"use {Sampler.EULER.value}")
        own = {name: value for name, value in config.items() if not name.startswith("_")}
        return FlowMatchEulerDiscreteScheduler.from_config(own)

    return make


class FlowPainter:
    """Called as diffusers' pipelines are; latents are those of the transformer, [n, c, h, w].

    Args:
        pipeline: diffusers', without its text encoder.
        scale: pixels a side that become one of a latent's.
    """

    def __init__(self, pipeline: Any, scale: int) -> None:
        self._pipeline, self._scale = pipeline, scale

    @property
    def scheduler(self) -> Any:
        """What makes the steps."""
        return self._pipeline.scheduler

    @scheduler.setter
    def scheduler(self, scheduler: Any) -> None:
        self._pipeline.scheduler = scheduler

    def __call__(
        self,
        *,
        num_inference_steps: int,
        guidance_scale: float,
        generator: Sequence[torch.Generator],
        callback_on_step_end: Callable[..., dict[str, Any]],
        callback_on_step_end_tensor_inputs: Sequence[str] = (),
        width: int = 0,
        height: int = 0,
        image: torch.Tensor | None = None,
        strength: float = 1.0,
        output_type: str = "latent",
        **texts: torch.Tensor | None,
    ) -> Any:
        """Paints. ``images`` of what it returns are latents [n, c, h, w]; ``texts`` are what the layout begins with."""
        denoiser, device = self._pipeline.transformer, self._pipeline._execution_device
        steps = self._steps(num_inference_steps)
        if image is not None:
            steps = steps[num_inference_steps - max(1, int(num_inference_steps * strength)) :]
            height, width = (int(side) * self._scale for side in image.shape[2:])
        shape = (1, denoiser.config.in_channels, height // self._scale, width // self._scale)
        # In float32 and on the CPU, so that a seed is the same picture on every device and in every precision.
        noise = torch.cat([torch.randn(shape, generator=each) for each in generator])
        begin = noise if image is None else self._noisy(image.float().cpu(), noise, steps, num_inference_steps)
        last: dict[str, torch.Tensor] = {}

        def step_ended(pipeline: Any, index: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            last["latents"] = tensors["latents"]
            held = {name: each for name in callback_on_step_end_tensor_inputs if (each := texts[name]) is not None}
            changed = callback_on_step_end(pipeline, index, time, held)
            return self._texts(changed, device) if held else {}

        self._pipeline(
            **self._texts(texts, device),
            num_inference_steps=num_inference_steps,
            sigmas=steps,
            guidance_scale=self._guidance(guidance_scale),
            latents=begin.to(device),
            width=width,
            height=height,
            output_type=output_type,
            callback_on_step_end=step_ended,
            callback_on_step_end_tensor_inputs=["latents"],
        )
        return SimpleNamespace(images=self._unpacked(last["latents"], shape[1:]))

    def _noisy(self, clean: torch.Tensor, noise: torch.Tensor, steps: list[float], asked: int) -> torch.Tensor:
        """A picture's latents with as much noise as the first of the steps that are made has."""
        self.scheduler.set_timesteps(sigmas=steps, mu=self._shift(clean.shape[2], clean.shape[3], asked))
        level = float(self.scheduler.sigmas[0])
        return (1 - level) * clean + level * noise

    def _steps(self, count: int) -> list[float]:
        """σ of each step before it is shifted, as the pipeline itself has them."""
        raise NotImplementedError

    def _texts(self, texts: Texts, device: Any) -> dict[str, Any]:
        """Texts as the pipeline takes them, to begin with and after a step."""
        raise NotImplementedError

    def _shift(self, height: int, width: int, steps: int) -> float | None:
        """μ, as the pipeline tells its scheduler, for latents of a size; None: none."""
        raise NotImplementedError

    def _guidance(self, scale: float) -> float:
        """What the pipeline calls a guidance scale that is meant as A1111's."""
        return scale

    def _unpacked(self, latents: torch.Tensor, _shape: Sequence[int]) -> torch.Tensor:
        """The pipeline's latents as [n, c, h, w]; ``_shape`` is that of one."""
        return latents
