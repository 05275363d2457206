"""How much noise is left at each step, as A1111's schedules have it, whatever a base model's own scheduler says.

σ = √((1-ᾱ)/ᾱ) of the 1000 timesteps that a model was trained on. Source of the formulas: k-diffusion ``sampling.py``
(``get_sigmas_karras``, ``get_sigmas_exponential``) and ``external.py`` (``DiscreteSchedule``: between two timesteps
log σ is linear); A1111 ``modules/sd_schedulers.py`` ("Uniform", "SGM Uniform") and ``modules/sd_models.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler
from numpy.typing import NDArray

from engine.settings.samplers import NoiseSchedule

RHO = 7.0
"""Karras' ρ (https://arxiv.org/abs/2206.00364, table 1)."""

LAST_SIGNAL = 4.8973451890853435e-08
"""ᾱ of the last timestep with a zero terminal SNR, as A1111 and ComfyUI have it: σ is 4518.7, for 0 it were endless."""

Floats = NDArray[np.float64]


def kept_signal(noise: Mapping[str, Any]) -> torch.Tensor:
    """ᾱ of each timestep, by a base model's scheduler configuration."""
    names = (
        "num_train_timesteps",
        "beta_start",
        "beta_end",
        "beta_schedule",
        "trained_betas",
        "rescale_betas_zero_snr",
    )
    known = {name: noise[name] for name in names if name in noise}
    kept: torch.Tensor = EulerDiscreteScheduler.from_config(known).alphas_cumprod
    if noise.get("rescale_betas_zero_snr"):
        kept[-1] = LAST_SIGNAL
    return kept


def sigmas_for(schedule: NoiseSchedule, steps: int, kept: torch.Tensor) -> Floats:
    """σ at each of so many steps, falling; the 0 at the end is left out."""
    table = _table(kept)
    last = len(table) - 1
    match schedule:
        case NoiseSchedule.KARRAS:
            ends = table[-1] ** (1 / RHO), table[0] ** (1 / RHO)
            return np.asarray(np.linspace(*ends, steps) ** RHO)
        case NoiseSchedule.EXPONENTIAL:
            return np.exp(np.linspace(np.log(table[-1]), np.log(table[0]), steps))
        case NoiseSchedule.SGM_UNIFORM:
            return _sigma_at(np.linspace(last, 0, steps + 1)[:-1], table)
        case _:
            return _sigma_at(np.linspace(last, 0, steps), table)


def times_of(sigmas: Floats, kept: torch.Tensor) -> Floats:
    """The timesteps, with fractions, that the model is told for some σ."""
    table = _table(kept)
    return np.interp(np.log(sigmas), np.log(table), np.arange(len(table)))


def _sigma_at(times: Floats, table: Floats) -> Floats:
    return np.asarray(np.exp(np.interp(times, np.arange(len(table)), np.log(table))))


def _table(kept: torch.Tensor) -> Floats:
    """σ of each timestep, rising."""
    signal = kept.double().numpy()
    return np.asarray(np.sqrt((1 - signal) / signal))
