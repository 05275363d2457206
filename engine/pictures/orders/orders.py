"""What to order: pictures as the project's settings would have them, their names, and the LoRA that they take."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import BaseModelError
from engine.models.family import Family
from engine.models.locate import find_base
from engine.models.registry import shape_of
from engine.models.usual_settings import guidance_remarks, kind_of, painting_of
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.picture import LoraWeight, PictureOrder, checked, settled
from engine.pictures.orders.prompt_loras import known_loras
from engine.project import Project
from engine.prompts.extra_networks import strip
from engine.prompts.grammar import chosen
from engine.prompts.to_paint import names_a_lora, remarks_on
from engine.prompts.tokenizer import Words, find_words
from engine.settings import DEMO_BASES, Settings
from engine.settings.sizes import USUAL_SIDE, SizeName, size_of
from engine.storage.project_paths import expand_home
from engine.training.runs.run_status import run_status

SEEDS = 2**32
"""Seeds are below this, as A1111's are."""


def order_for(
    project: Project,
    prompt: str,
    *,
    seed: int | None = None,
    lora: Path | None = None,
    strength: float | None = None,
    path: Path | None = None,
    prompt_id: int | None = None,
) -> PictureOrder:
    """An order as the project's settings would have it; change what differs with ``dataclasses.replace``.

    Args:
        project: the project.
        prompt: ``{trigger}`` and ``{class}`` are filled; of choices ``{a|b}`` the seed takes one.
        seed: where its chance comes from; None: a new one.
        lora: the LoRA, if any.
        strength: its weight; None: the settings'.
        path: where it is written; None: a new name in ``pictures/``.
        prompt_id: its number on the shelf of prompts.

    Raises:
        PromptError: the prompt is empty or not balanced.
        ProjectError: the settings are broken.
    """
    settings = project.settings
    seed = random.SystemRandom().randrange(SEEDS) if seed is None else seed
    text = chosen(prompt, settings.person, seed)
    path = new_picture_path(project, seed) if path is None else path
    return replace(order_from_settings(settings, text, path, seed, lora, strength), prompt_id=prompt_id)


def usual_size(settings: Settings) -> tuple[int | None, int | None]:
    """Width and height in pixels as the settings say; None: what the base model was made for."""
    painting = settings.painting
    if painting.size is None or (painting.width is not None and painting.height is not None):
        return painting.width, painting.height
    return named_size(painting.size, settings)


def named_size(name: SizeName, settings: Settings) -> tuple[int, int]:
    """Width and height in pixels of a size by its name, for the base model that paints."""
    return size_of(name, native_side(settings))


def native_side(settings: Settings) -> int:
    """Pixels a side that the base model that paints was made for."""
    try:
        return shape_of(find_base(settings.base.for_painting)).resolution
    except BaseModelError:
        # Told where the model is needed.
        return USUAL_SIDE


def order_from_settings(
    settings: Settings, prompt: str, path: Path, seed: int, lora: Path | None = None, strength: float | None = None
) -> PictureOrder:
    """An order as some settings would have it.

    Args:
        settings: the project's.
        prompt: filled, without choices.
        path: where it is to be written.
        seed: where its chance comes from.
        lora: the LoRA, if any.
        strength: its weight; None: the settings'.
    """
    painting = painting_of(settings)
    width, height = usual_size(settings)
    return PictureOrder(
        prompt=prompt,
        path=path,
        seed=seed,
        steps=painting.steps,
        guidance=painting.guidance_scale,
        sampler=painting.sampler,
        schedule=painting.schedule,
        negative=painting.negative,
        lora=lora,
        strength=(painting.strength if strength is None else strength) if lora else None,
        width=width,
        height=height,
        face_fix=FaceFix() if painting.face_fix else None,
    )


def ready_to_queue(project: Project, order: PictureOrder) -> PictureOrder:
    """The order as it lies in the queue: all that makes the picture in it, whatever changes in the project later.

    Its paths are absolute, it names its base model, and the LoRAs that its prompt names are among its own. A name that
    no run has stays for the painter to refuse.

    Raises:
        PictureError: a number out of its range.
        ProjectError: the settings are broken.
    """
    tags = strip(order.prompt).loras
    known = known_loras(project) if tags else {}
    named = tuple(LoraWeight(known[tag.name], tag.unet, tag.te) for tag in tags if tag.name in known)
    model = project.settings.base.for_painting.model
    there = expand_home(model)
    # The demo's base keeps its name, whatever folder is called the same where somebody stands.
    base = str(there.resolve()) if model not in DEMO_BASES and there.exists() else model
    return checked(settled(replace(order, others=(*order.others, *named)), base))


def new_picture_path(project: Project, seed: int, name: str = "") -> Path:
    """Where a new picture goes: ``pictures/20261121-140312-7.png``, the last number being the seed."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{seed}"
    if name:
        stem += "-" + re.sub(r"[^\w-]+", "_", name)
    return free_path(project.pictures / f"{stem}.png")


def free_path(path: Path) -> Path:
    """The path, or the first of ``-2``, ``-3`` … where something lies: nothing is ever overwritten."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return candidate


def told_of_prompts(
    project: Project,
    prompts: Sequence[str],
    seed: int,
    steps: int | None = None,
    negatives: Sequence[str] = (),
    guidance: float | None = None,
) -> list[str]:
    """What is odd about prompts that are about to be painted, as ``prompt show`` says it.

    Args:
        project: the project.
        prompts: as they were written.
        seed: which of their choices are taken.
        steps: of the sampler; None: the settings'.
        negatives: negative prompts.
        guidance: the guidance scale; None: the settings'.

    Raises:
        PromptError: nothing can be painted from one of them; a LoRA that it names is not there, say.
    """
    settings = project.settings
    painting, kind = painting_of(settings), kind_of(settings.base.for_painting)
    known = known_loras(project) if any("<lora:" in each for each in prompts) else {}
    steps = painting.steps if steps is None else steps
    guidance = painting.guidance_scale if guidance is None else guidance
    words = _counting(settings, kind.family, [*prompts, *negatives])
    found = remarks_on(prompts, settings.person, steps, seed, known, negatives, kind.family, words)
    return found + guidance_remarks(kind, guidance, negatives)


def _counting(settings: Settings, family: Family, texts: Sequence[str]) -> Words | None:
    """The tokenizer, where one of some texts may be too long: reading it takes half a second."""
    most = family.text_tokens
    if most is None or max(len(each.encode("utf-8")) for each in texts) < most // 2:
        return None
    try:
        return find_words(find_base(settings.base.for_painting))
    except BaseModelError:
        # Told where the model is needed.
        return None


def usual_lora(project: Project, prompt: str) -> Path | None:
    """The LoRA of a prompt that nobody gave one for: the newest, and none where it names its own."""
    return None if names_a_lora(prompt) else newest_lora(project)


def newest_lora(project: Project) -> Path | None:
    """The last checkpoint of the newest run that has one; None where there is none."""
    for job in reversed(project.run_folders()):
        if checkpoints := [each for each in run_status(job).checkpoints if each.exists()]:
            return checkpoints[-1]
    return None
