"""A1111's samplers as diffusers' schedulers. Needs diffusers.

Source of the pairs: https://huggingface.co/docs/diffusers/api/schedulers/overview (A1111 names to schedulers).
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)

from engine.settings import Sampler

SCHEDULERS: dict[Sampler, tuple[Any, dict[str, Any]]] = {
    Sampler.EULER: (EulerDiscreteScheduler, {}),
    Sampler.EULER_A: (EulerAncestralDiscreteScheduler, {}),
    Sampler.DPMPP_2M_KARRAS: (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    Sampler.DDIM: (DDIMScheduler, {}),
}
"""The scheduler of each sampler, and what is set besides the base model's own noise schedule."""


def scheduler_for(sampler: Sampler, base_config: Any) -> Any:
    """A fresh scheduler for a sampler, with the noise schedule that the base model was trained with."""
    scheduler, extra = SCHEDULERS[sampler]
    return scheduler.from_config({**base_config, **extra})
