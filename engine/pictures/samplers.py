"""A1111's samplers and noise schedules as diffusers' schedulers. Needs diffusers.

Source of the pairs: https://huggingface.co/docs/diffusers/api/schedulers/overview (A1111's names to schedulers, and its
schedules to settings). Two have no scheduler of their own there: "DPM++ 2S a" is run by the one that the page calls
very similar, and "DPM++ SDE" as the second-order single-step solver with noise that it is.
"""

from __future__ import annotations

from typing import Any

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
from engine.settings.samplers import NoiseSchedule, Sampler, refuse_unscheduled, usual_schedule


class EulerAncestral(EulerAncestralDiscreteScheduler):  # type: ignore[misc]
    """diffusers' own ignores schedules, though it can step along any: this one takes the plain Euler's."""

    along: EulerDiscreteScheduler

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Sets the noise of each step."""
        super().set_timesteps(num_inference_steps, device)
        self.along.set_timesteps(num_inference_steps, device)
        self.timesteps, self.sigmas = self.along.timesteps, self.along.sigmas


SDE: dict[str, Any] = {"algorithm_type": "sde-dpmsolver++"}

SCHEDULERS: dict[Sampler, tuple[Any, dict[str, Any]]] = {
    Sampler.EULER: (EulerDiscreteScheduler, {}),
    Sampler.EULER_A: (EulerAncestral, {}),
    Sampler.HEUN: (HeunDiscreteScheduler, {}),
    Sampler.DPM2: (KDPM2DiscreteScheduler, {}),
    Sampler.DPM2_A: (KDPM2AncestralDiscreteScheduler, {}),
    Sampler.DPMPP_2S_A: (DPMSolverSinglestepScheduler, {}),
    Sampler.DPMPP_2M: (DPMSolverMultistepScheduler, {}),
    Sampler.DPMPP_SDE: (DPMSolverSinglestepScheduler, SDE),
    Sampler.DPMPP_2M_SDE: (DPMSolverMultistepScheduler, SDE),
    Sampler.DPMPP_3M_SDE: (DPMSolverMultistepScheduler, {**SDE, "solver_order": 3}),
    Sampler.DDIM: (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False}),
    Sampler.UNIPC: (UniPCMultistepScheduler, {}),
    Sampler.DEIS: (DEISMultistepScheduler, {}),
    Sampler.LCM: (LCMScheduler, {}),
}
"""The scheduler of each sampler, and what is set besides the base model's own noise schedule."""

SCHEDULES: dict[NoiseSchedule, dict[str, Any]] = {
    NoiseSchedule.UNIFORM: {},
    NoiseSchedule.KARRAS: {"use_karras_sigmas": True},
    NoiseSchedule.EXPONENTIAL: {"use_exponential_sigmas": True},
    NoiseSchedule.SGM_UNIFORM: {"timestep_spacing": "trailing"},
}

OF_A_SAMPLER = {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "algorithm_type", "solver_order"}
"""What a base model's configuration may say about its own scheduler, and must not say about another."""


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
    scheduler, extra = SCHEDULERS[sampler]
    noise = {key: value for key, value in base_config.items() if key not in OF_A_SAMPLER}
    config = {**noise, **extra, **SCHEDULES[usual_schedule(sampler, schedule)]}
    made = scheduler.from_config(config)
    if isinstance(made, EulerAncestral):
        made.along = EulerDiscreteScheduler.from_config(config)
    return made
