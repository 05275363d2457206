"""Samplers and noise schedules by the names that A1111's users know.

Since its version 1.9 A1111 names them apart ("DPM++ 2M" and "Karras"); before, in one ("DPM++ 2M Karras"). Both are
read. Source: A1111 ``modules/sd_samplers_kdiffusion.py`` (the samplers, and the schedule of each that "Automatic"
stands for) and ``modules/sd_schedulers.py``.
"""

from __future__ import annotations

import difflib
import re
from enum import StrEnum


class Sampler(StrEnum):
    """How each step goes from noise towards the picture."""

    EULER = "Euler"
    EULER_A = "Euler a"
    HEUN = "Heun"
    DPM2 = "DPM2"
    DPM2_A = "DPM2 a"
    DPMPP_2S_A = "DPM++ 2S a"
    DPMPP_2M = "DPM++ 2M"
    DPMPP_SDE = "DPM++ SDE"
    DPMPP_2M_SDE = "DPM++ 2M SDE"
    DPMPP_3M_SDE = "DPM++ 3M SDE"
    DDIM = "DDIM"
    UNIPC = "UniPC"
    DEIS = "DEIS"
    LCM = "LCM"


class NoiseSchedule(StrEnum):
    """How much noise is left at each step."""

    AUTOMATIC = "Automatic"
    """What the sampler is usually run with."""
    UNIFORM = "Uniform"
    """As the base model was trained."""
    KARRAS = "Karras"
    EXPONENTIAL = "Exponential"
    SGM_UNIFORM = "SGM Uniform"


NAMED = (NoiseSchedule.KARRAS, NoiseSchedule.EXPONENTIAL, NoiseSchedule.SGM_UNIFORM)
"""Schedules that a sampler's name may end with, as older A1111 wrote it."""

USUAL: dict[Sampler, NoiseSchedule] = {
    Sampler.DPM2: NoiseSchedule.KARRAS,
    Sampler.DPM2_A: NoiseSchedule.KARRAS,
    Sampler.DPMPP_2S_A: NoiseSchedule.KARRAS,
    Sampler.DPMPP_2M: NoiseSchedule.KARRAS,
    Sampler.DPMPP_SDE: NoiseSchedule.KARRAS,
    Sampler.DPMPP_2M_SDE: NoiseSchedule.EXPONENTIAL,
    Sampler.DPMPP_3M_SDE: NoiseSchedule.EXPONENTIAL,
}
"""What "Automatic" is for a sampler; "Uniform" for the others."""

UNSCHEDULED = (Sampler.DDIM, Sampler.LCM)
"""Samplers that diffusers runs on evenly spaced steps alone; of A1111's others every one follows every schedule."""


def usual_schedule(sampler: Sampler, schedule: NoiseSchedule) -> NoiseSchedule:
    """The schedule that is really run: what "Automatic" stands for."""
    if sampler is Sampler.LCM:
        return NoiseSchedule.UNIFORM
    if schedule is not NoiseSchedule.AUTOMATIC:
        return schedule
    return USUAL.get(sampler, NoiseSchedule.UNIFORM)


def ignored_schedule(sampler: Sampler, schedule: NoiseSchedule) -> str | None:
    """What is said where a sampler goes on steps of its own, whatever the schedule; None where it follows it."""
    if sampler is not Sampler.LCM or schedule in (NoiseSchedule.AUTOMATIC, NoiseSchedule.UNIFORM):
        return None
    return f"{sampler} has its own steps and ignores the schedule {schedule}"


def read_sampler(text: str) -> tuple[Sampler, NoiseSchedule | None]:
    """A sampler by its name in any case; its schedule too where the name holds one.

    Raises:
        ValueError: no such sampler; names the nearest.
    """
    bare = _bare(text)
    for sampler in Sampler:
        if bare == _bare(sampler):
            return sampler, None
        for schedule in NAMED:
            if bare == _bare(sampler + schedule):
                return sampler, schedule
    raise ValueError(f"there is no sampler {text!r}: {_nearest(text, [each.value for each in Sampler])}")


def read_schedule(text: str) -> NoiseSchedule:
    """A noise schedule by its name in any case. Raises ValueError, which names the nearest."""
    for schedule in NoiseSchedule:
        if _bare(text) == _bare(schedule):
            return schedule
    names = [each.value for each in NoiseSchedule]
    raise ValueError(f"there is no schedule {text!r}: {_nearest(text, names)}")


def refuse_unscheduled(sampler: Sampler, schedule: NoiseSchedule) -> None:
    """Raises ValueError where a sampler can't follow a schedule."""
    if sampler in UNSCHEDULED and schedule in (NoiseSchedule.KARRAS, NoiseSchedule.EXPONENTIAL):
        raise ValueError(f"{sampler} has no {schedule} schedule: leave it Automatic, or use DPM++ 2M")


def _bare(text: str) -> str:
    """The letters that tell names apart: ``k_dpmpp_2m`` and ``DPM++ 2M`` are one."""
    plain = re.sub(r"[\s_-]", "", text.casefold()).replace("dpmpp", "dpm++").replace("ancestral", "a")
    return plain.removeprefix("k") if plain.startswith(("kdpm", "keuler", "kheun")) else plain


def _nearest(text: str, names: list[str]) -> str:
    by_bare = {_bare(name): name for name in names}
    near = difflib.get_close_matches(_bare(text), by_bare, 1, 0.4)
    others = f"there are {', '.join(names)}"
    return f"the nearest is {by_bare[near[0]]}; {others}" if near else others
