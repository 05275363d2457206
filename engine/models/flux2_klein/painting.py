"""Painting with FLUX.2 klein: diffusers' own pipeline, its noise of one kind on every device. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from engine.errors import PictureError
from engine.settings.samplers import NoiseSchedule, Sampler


def make_scheduler(sampler: Sampler, _schedule: NoiseSchedule, config: Mapping[str, Any]) -> Any:
    """The flow's own Euler steps.

    Raises:
        PictureError: another sampler was asked for.
    """
    if sampler is not Sampler.EULER:
        what = f"FLUX.2 klein can't be painted with the sampler {sampler.value}"
        raise PictureError(what, f"use {Sampler.EULER.value}")
    own = {name: value for name, value in config.items() if not name.startswith("_")}
    return FlowMatchEulerDiscreteScheduler.from_config(own)


class KleinPainter:
    """Called as diffusers' pipelines are; latents are those of the transformer, [n, c, h, w].

    Args:
        pipeline: a ``Flux2KleinPipeline`` without its text encoder.
        grain: pixels a side that become one of a latent's.
    """

    def __init__(self, pipeline: Flux2KleinPipeline, grain: int) -> None:
        self._pipeline, self._grain = pipeline, grain
        self.negative: torch.Tensor | None = None
        """What is seen of the negative prompt while it paints."""

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
        prompt_embeds: torch.Tensor,
        negative_prompt_embeds: torch.Tensor | None,
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
    ) -> Any:
        """Paints. ``images`` of what it returns are latents [n, c, h, w]."""
        denoiser = self._pipeline.transformer
        dtype, device = denoiser.x_embedder.weight.dtype, self._pipeline._execution_device
        # As the pipeline itself has them.
        steps = np.linspace(1.0, 1 / num_inference_steps, num_inference_steps).tolist()
        if image is not None:
            steps = steps[num_inference_steps - max(1, int(num_inference_steps * strength)) :]
            height, width = (int(side) * self._grain for side in image.shape[2:])
        shape = (1, denoiser.config.in_channels, height // self._grain, width // self._grain)
        # In float32 and on the CPU, so that a seed is the same picture on every device and in every precision.
        noise = torch.cat([torch.randn(shape, generator=each) for each in generator])
        begin = noise if image is None else self._noisy(image.float().cpu(), noise, steps, num_inference_steps)
        self.negative = negative_prompt_embeds.to(dtype) if negative_prompt_embeds is not None else None
        last: dict[str, torch.Tensor] = {}

        def step_ended(pipeline: Any, index: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            last["latents"] = tensors["latents"]
            changed = callback_on_step_end(
                pipeline, index, time, {name: each for name, each in tensors.items() if name != "latents"}
            )
            return {name: each.to(dtype) for name, each in changed.items()}

        self._pipeline(
            prompt_embeds=prompt_embeds.to(device, dtype),
            negative_prompt_embeds=self.negative.to(device) if self.negative is not None else None,
            num_inference_steps=num_inference_steps,
            sigmas=steps,
            guidance_scale=guidance_scale,
            latents=begin.to(device),
            width=width,
            height=height,
            output_type=output_type,
            callback_on_step_end=step_ended,
            callback_on_step_end_tensor_inputs=["latents", *callback_on_step_end_tensor_inputs],
        )
        packed = last["latents"]
        return SimpleNamespace(images=packed.transpose(1, 2).reshape(len(packed), *shape[1:]))

    def _noisy(self, clean: torch.Tensor, noise: torch.Tensor, steps: list[float], asked: int) -> torch.Tensor:
        """A picture's latents with as much noise as the first of the steps that are made has."""
        tokens = clean.shape[2] * clean.shape[3]
        self.scheduler.set_timesteps(sigmas=steps, mu=compute_empirical_mu(tokens, asked))
        level = float(self.scheduler.sigmas[0])
        return (1 - level) * clean + level * noise


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
