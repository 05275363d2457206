"""A1111's samplers and noise schedules as diffusers' schedulers. Needs diffusers.

Source of the pairs: https://huggingface.co/docs/diffusers/api/schedulers/overview (A1111's names to schedulers). Two
have no scheduler of their own there: "DPM++ 2S a" is run by the one that the page calls very similar, and "DPM++ SDE"
as the second-order single-step solver with noise that it is. The noise of each step is A1111's (``sigmas.py``),
whatever spacing a base model's own scheduler has: SDXL's begins at σ 11 instead of 14.6 by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    KDPM2AncestralDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from engine.errors import PictureError
from engine.models.loaded import LoadedBase
from engine.pictures.painting.sigmas import Floats, kept_signal, sigmas_for, times_of
from engine.settings.samplers import UNSCHEDULED, NoiseSchedule, Sampler, refuse_unscheduled, usual_schedule

ANY_STEPS = 2
"""How many steps a scheduler has while it is made."""


class Scheduled:
    """What a scheduler's class is mixed with so that its steps have A1111's noise.

    diffusers asks each for Karras' sigmas and builds all that it needs from the answer: there they are given.
    """

    schedule = NoiseSchedule.UNIFORM
    kept: torch.Tensor | None = None
    """ᾱ of each timestep; None: not set yet, while the scheduler is made."""

    def _convert_to_karras(self, in_sigmas: Any, num_inference_steps: int) -> Floats:
        if self.kept is None:
            return np.asarray(in_sigmas)
        return sigmas_for(self.schedule, num_inference_steps, self.kept)

    def set_timesteps(self, num_inference_steps: int, device: Any = None, *more: Any) -> None:
        """Sets the noise of each step, and what the model is told of it: with fractions, where diffusers rounds."""
        if self.kept is None:
            # Some go through all 1,000 steps while they are made, which takes a second and is then thrown away.
            super().set_timesteps(ANY_STEPS, device, *more)  # type: ignore[misc]
            return
        super().set_timesteps(num_inference_steps, device, *more)  # type: ignore[misc]
        if isinstance(self, DEISMultistepScheduler):
            # It can't go to 0; by itself it would end where its last step begins.
            self.sigmas[-1] = ((1 - self.kept[0]) / self.kept[0]) ** 0.5
        exact = times_of(sigmas_for(self.schedule, num_inference_steps, self.kept), self.kept)
        times = torch.from_numpy(exact.astype(np.float32)).to(self.timesteps.device)
        self.timesteps: torch.Tensor = self.timesteps.to(torch.float32)
        if len(times) == len(self.timesteps):
            self.timesteps = times
        elif isinstance(self, HeunDiscreteScheduler):
            self.timesteps = torch.cat([times[:1], times[1:].repeat_interleave(2)])
        else:
            # DPM2 looks once more between two steps.
            self.timesteps[::2] = times


class EulerAncestral(EulerAncestralDiscreteScheduler):  # type: ignore[misc]
    """diffusers' own knows no schedules, though it can step along any: this one takes the plain Euler's."""

    along: Any

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Sets the noise of each step."""
        super().set_timesteps(num_inference_steps, device)
        self.along.set_timesteps(num_inference_steps, device)
        self.timesteps, self.sigmas = self.along.timesteps, self.along.sigmas


SDE: dict[str, Any] = {"algorithm_type": "sde-dpmsolver++"}
TO_ZERO: dict[str, Any] = {"lower_order_final": True}
"""What a single-step solver needs to end without noise."""

SCHEDULERS: dict[Sampler, tuple[Any, dict[str, Any]]] = {
    Sampler.EULER: (EulerDiscreteScheduler, {}),
    Sampler.EULER_A: (EulerAncestral, {}),
    Sampler.HEUN: (HeunDiscreteScheduler, {}),
    Sampler.DPM2: (KDPM2DiscreteScheduler, {}),
    Sampler.DPM2_A: (KDPM2AncestralDiscreteScheduler, {}),
    Sampler.DPMPP_2S_A: (DPMSolverSinglestepScheduler, TO_ZERO),
    Sampler.DPMPP_2M: (DPMSolverMultistepScheduler, {}),
    Sampler.DPMPP_SDE: (DPMSolverSinglestepScheduler, {**SDE, **TO_ZERO}),
    Sampler.DPMPP_2M_SDE: (DPMSolverMultistepScheduler, SDE),
    Sampler.DPMPP_3M_SDE: (DPMSolverMultistepScheduler, {**SDE, "solver_order": 3}),
    Sampler.DDIM: (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False}),
    Sampler.UNIPC: (UniPCMultistepScheduler, {}),
    Sampler.DEIS: (DEISMultistepScheduler, {}),
    Sampler.LCM: (LCMScheduler, {}),
}
"""The scheduler of each sampler, and what is set besides the base model's own noise schedule."""

NOISE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type")
"""What a base model's configuration says of the noise that it was trained with."""

SPACING = ("timestep_spacing", "steps_offset")
"""What it says of the steps, which samplers that know no schedule go by."""


def scheduler_maker(model: LoadedBase) -> Callable[[Sampler, NoiseSchedule], Any]:
    """What makes a base model's schedulers: its family's own, or those of its noise. Holds on to no weights."""
    own, noise = model.make_scheduler, model.noise_config
    return lambda sampler, schedule: (own or scheduler_for)(sampler, schedule, noise)


def scheduler_for(sampler: Sampler, schedule: NoiseSchedule, base_config: Any) -> Any:
    """A fresh scheduler, with the noise that the base model was trained with.

    Raises:
        PictureError: the sampler can't follow the schedule.
    """
    try:
        refuse_unscheduled(sampler, schedule)
    except ValueError as error:
        what, _, fix = str(error).partition(": ")
        raise PictureError(what, fix) from error
    kind, extra = SCHEDULERS[sampler]
    config = {key: base_config[key] for key in (*NOISE, "rescale_betas_zero_snr") if key in base_config}
    schedule = usual_schedule(sampler, schedule)
    if sampler in UNSCHEDULED:
        return kind.from_config({**config, **_spacing(schedule, base_config), **extra})
    # Noise of the first step's σ, as k-diffusion begins: not of √(σ² + 1).
    config |= {"timestep_spacing": "linspace", "use_karras_sigmas": True}
    kept = kept_signal(base_config)
    if kind is EulerAncestral:
        made = kind.from_config({**config, **extra})
        made.along = _with(_scheduled(EulerDiscreteScheduler).from_config(config), schedule, kept)
        return made
    return _with(_scheduled(kind).from_config({**config, **extra}), schedule, kept)


def _with(made: Any, schedule: NoiseSchedule, kept: torch.Tensor) -> Any:
    # Not every scheduler knows of a zero terminal SNR by itself.
    made.schedule, made.kept, made.alphas_cumprod = schedule, kept, kept
    return made


@cache
def _scheduled(kind: Any) -> Any:
    return type(f"Scheduled{kind.__name__}", (Scheduled, kind), {})


def _spacing(schedule: NoiseSchedule, base_config: Any) -> dict[str, Any]:
    """The evenly spaced steps of a sampler that knows no schedule; nothing but noise is begun at the very last one."""
    if schedule is NoiseSchedule.SGM_UNIFORM or base_config.get("rescale_betas_zero_snr"):
        return {"timestep_spacing": "trailing"}
    return {key: base_config[key] for key in SPACING if key in base_config}
