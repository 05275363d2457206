"""What is written into a picture about how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine import __version__
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.png_parameters import Parameters, add_lora_tag
from engine.pictures.painting.request import GenerationParams
from engine.prompts.extra_networks import strip
from engine.settings.samplers import NoiseSchedule, usual_schedule

if TYPE_CHECKING:
    from engine.pictures.painting.face_fix import Fixed

PROMPT_ID = "Limner prompt"
"""The pair that names the prompt on the shelf that a picture was made from."""

LEFT_OUT = "Lora modules left out"
"""The pair that tells how many modules of a LoRA the base model has not."""


def describe(
    prompt: str,
    seed: int,
    params: GenerationParams,
    size: tuple[int, int],
    model: str,
    lora_hashes: dict[str, str],
    prompt_id: int | None = None,
    said: Mapping[str, str] = MappingProxyType({}),
) -> Parameters:
    """The parameters of a painted picture.

    Args:
        prompt: as it was ordered; LoRAs that it does not name are added, so that a pasted text has them, too.
        seed: the random seed.
        params: how it was painted.
        size: of the first pass, as A1111 has it.
        model: the base model's title.
        lora_hashes: names of LoRAs to the beginning of their hash.
        prompt_id: the prompt on the shelf.
        said: more pairs, told of the base model.
    """
    named = {tag.name for tag in strip(prompt).loras}
    for each in params.loras():
        if not named & {each.file.stem, _run_and_stem(each.file)}:
            prompt = add_lora_tag(prompt, each.file.stem, each.te, each.unet)
    schedule = usual_schedule(params.sampler, params.schedule)
    return Parameters(
        prompt=prompt,
        negative=params.negative,
        steps=params.steps,
        sampler=params.sampler.value,
        schedule=None if schedule is NoiseSchedule.UNIFORM else schedule.value,
        guidance=params.guidance,
        seed=seed,
        size=size,
        model=model,
        lora_hashes=lora_hashes,
        extra={**_passes(params), **said, **({PROMPT_ID: str(prompt_id)} if prompt_id is not None else {})},
        version=f"Limner {__version__}",
    )


def told_of_fix(about: Parameters, fix: FaceFix | None, fixed: Fixed) -> Parameters:
    """The parameters with what the face fix did."""
    if fix is None or not fixed.faces:
        return replace(about, extra={**about.extra, "Face fix": fixed.why})
    pairs = {
        "Face fix": "after" if fixed.after else "before",
        "Face fix faces": str(fixed.faces),
        "Face fix denoising": f"{fix.denoise:g}",
    }
    before, after = (("–" if each is None else f"{each:.0f}") for each in fixed.likeness)
    if fixed.likeness != (None, None):
        pairs["Face fix likeness"] = f"{before} to {after}"
    return replace(about, extra={**about.extra, **pairs})


def told_of_left_out(about: Parameters, left_out: Mapping[str, tuple[int, int]]) -> Parameters:
    """The parameters with what of each LoRA the base model had no place for: how many modules, and of how many."""
    if not left_out:
        return about
    told = ", ".join(f"{name} {count} of {total}" for name, (count, total) in left_out.items())
    return replace(about, extra={**about.extra, LEFT_OUT: told})


def _passes(params: GenerationParams) -> dict[str, str]:
    """The pairs for what was begun from, and for the second pass. A1111 has one "Denoising strength" for both."""
    hires = params.hires
    if hires is None:
        return {"Denoising strength": f"{params.denoise:g}"} if params.denoise is not None else {}
    pairs = {
        "Denoising strength": f"{hires.denoise:g}",
        "Hires upscale": f"{hires.scale:g}",
        "Hires upscaler": hires.upscaler.value,
    }
    if hires.steps:
        pairs["Hires steps"] = str(hires.steps)
    if params.denoise is not None:
        pairs["First pass denoising"] = f"{params.denoise:g}"
    return pairs


def _run_and_stem(file: Path) -> str:
    """The longer name of a run's checkpoint: ``20261121-1403-jx265/jx265-000002``."""
    return f"{file.parent.parent.name}/{file.stem}"
