"""The noise of each step is k-diffusion's, for every sampler and schedule, whatever the base model's scheduler says.

The formulas are written out here, from k-diffusion ``sampling.py`` and ``external.py`` and from A1111
``modules/sd_schedulers.py``, in plain numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.pictures.painting.samplers import scheduler_for
from engine.settings.samplers import (
    UNSCHEDULED,
    NoiseSchedule,
    Sampler,
    ignored_schedule,
    refuse_unscheduled,
    usual_schedule,
)
from tests.support.rows import usual

SDXL: dict[str, Any] = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1, "use_karras_sigmas": False,
    "interpolation_type": "linear", "clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True,
    "trained_betas": None,
}  # fmt: skip
"""As stabilityai/stable-diffusion-xl-base-1.0 has it."""

BASES: dict[str, dict[str, Any]] = {
    "leading": SDXL,
    "trailing": {**SDXL, "timestep_spacing": "trailing", "use_karras_sigmas": True},
    "linspace": {**SDXL, "timestep_spacing": "linspace", "use_exponential_sigmas": True},
    "zero terminal SNR": {
        **SDXL, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
}  # fmt: skip

SCHEDULES = [each for each in NoiseSchedule if each is not NoiseSchedule.AUTOMATIC]

Floats = NDArray[np.float64]


@lru_cache
def table(base: str) -> list[float]:
    """σ of each timestep: betas from √0.00085 to √0.012, squared."""
    low, high = math.sqrt(0.00085), math.sqrt(0.012)
    kept, signal = 1.0, []
    for at in range(1000):
        kept *= 1 - (low + (high - low) * at / 999) ** 2
        signal.append(kept)
    if BASES[base].get("rescale_betas_zero_snr"):
        # https://arxiv.org/abs/2305.08891, algorithm 1; the last is A1111's instead of 0, so that σ has an end.
        first, last = math.sqrt(signal[0]), math.sqrt(signal[-1])
        signal = [((math.sqrt(each) - last) * first / (first - last)) ** 2 for each in signal]
        signal[-1] = 4.8973451890853435e-08
    return [math.sqrt((1 - each) / each) for each in signal]


def sigma_at(time: float, sigmas: list[float]) -> float:
    """k-diffusion's ``t_to_sigma``: log σ is linear between two timesteps."""
    low = min(int(time), 998)
    part = time - low
    return math.exp((1 - part) * math.log(sigmas[low]) + part * math.log(sigmas[low + 1]))


def wanted(schedule: NoiseSchedule, n: int, sigmas: list[float]) -> list[float]:
    least, most = sigmas[0], sigmas[-1]
    match schedule:
        case NoiseSchedule.UNIFORM:
            return [sigma_at(999 - 999 * at / (n - 1), sigmas) for at in range(n)]
        case NoiseSchedule.SGM_UNIFORM:
            return [sigma_at(999 - 999 * at / n, sigmas) for at in range(n)]
        case NoiseSchedule.KARRAS:
            low, high = least ** (1 / 7), most ** (1 / 7)
            return [(high + at / (n - 1) * (low - high)) ** 7 for at in range(n)]
        case _:
            low, high = math.log(least), math.log(most)
            return [math.exp(high + at / (n - 1) * (low - high)) for at in range(n)]


@pytest.mark.parametrize("base", usual(BASES, 2))
@pytest.mark.parametrize("sampler", [each for each in Sampler if each not in UNSCHEDULED])
def test_every_sampler_steps_along_k_diffusions_sigmas(sampler: Sampler, base: str) -> None:
    for schedule in SCHEDULES:
        made = scheduler_for(sampler, schedule, BASES[base])
        for steps in (5, 20, 30):
            assert_k_diffusions(made, sampler, schedule, base, steps)


def assert_k_diffusions(made: Any, sampler: Sampler, schedule: NoiseSchedule, base: str, steps: int) -> None:
    made.set_timesteps(steps)
    sigmas = table(base)
    case = f"{schedule}, {steps} steps"
    found = made.sigmas.double().tolist()
    if sampler in (Sampler.HEUN, Sampler.DPM2, Sampler.DPM2_A):
        # They look at each step but the first, or the last, twice.
        found = [each for each, following in pairwise([*found, -1.0]) if each != following]
    *stepped, end = found
    if sampler is Sampler.DEIS:
        assert end == pytest.approx(sigmas[0], rel=1e-4), case
        stepped = stepped if len(stepped) == steps else [*stepped, end]
    else:
        assert end == 0, case
    assert stepped == pytest.approx(wanted(schedule, steps, sigmas), rel=2e-4), case
    # The model is told the timestep that belongs to each σ.
    for time, sigma in zip(first_looks(sampler, made.timesteps.tolist()), stepped, strict=True):
        assert sigma_at(float(time), sigmas) == pytest.approx(sigma, rel=5e-3), case


def first_looks(sampler: Sampler, times: list[float]) -> list[float]:
    """The timestep of each step, of a sampler that looks twice the one at the step's own σ."""
    if sampler is Sampler.HEUN:
        return [times[0], *times[1::2]]
    return times[::2] if sampler in (Sampler.DPM2, Sampler.DPM2_A) else times


def test_sdxls_own_scheduler_begins_and_ends_where_a1111_does() -> None:
    for sampler in (Sampler.EULER, Sampler.EULER_A, Sampler.HEUN):
        for schedule in (NoiseSchedule.UNIFORM, NoiseSchedule.KARRAS, NoiseSchedule.EXPONENTIAL):
            made = scheduler_for(sampler, schedule, SDXL)
            made.set_timesteps(20)
            assert float(made.sigmas[0]) == pytest.approx(14.6146, abs=1e-3)
            assert float(made.sigmas[-2]) == pytest.approx(0.0292, abs=1e-4)
            # The first latents are noise of that σ.
            assert float(made.init_noise_sigma) == pytest.approx(14.6146, abs=1e-3)


@pytest.mark.parametrize("sampler", UNSCHEDULED)
def test_samplers_that_follow_no_schedule_say_so(sampler: Sampler) -> None:
    for schedule in (NoiseSchedule.KARRAS, NoiseSchedule.EXPONENTIAL):
        with pytest.raises(ValueError, match=f"{sampler} has no {schedule} schedule"):
            refuse_unscheduled(sampler, schedule)
    said = ignored_schedule(Sampler.LCM, NoiseSchedule.SGM_UNIFORM)
    assert said is not None
    assert "ignores the schedule SGM Uniform" in said
    assert usual_schedule(Sampler.LCM, NoiseSchedule.SGM_UNIFORM) is NoiseSchedule.UNIFORM
    assert all(ignored_schedule(each, NoiseSchedule.KARRAS) is None for each in Sampler if each is not Sampler.LCM)


def test_a_zero_terminal_snr_begins_at_a1111s_sigma() -> None:
    made = scheduler_for(Sampler.EULER, NoiseSchedule.UNIFORM, BASES["zero terminal SNR"])
    made.set_timesteps(20)
    assert float(made.sigmas[0]) == pytest.approx(4518.7, abs=0.1)


def test_a_zero_terminal_snr_begins_at_the_last_timestep() -> None:
    for sampler in Sampler:
        made = scheduler_for(sampler, NoiseSchedule.AUTOMATIC, BASES["zero terminal SNR"])
        made.set_timesteps(20)
        assert float(made.timesteps[0]) == 999, sampler
        assert made.config.prediction_type == "v_prediction"
