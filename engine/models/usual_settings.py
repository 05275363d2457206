"""Settings as a base model's family is usually used, where the project says nothing else; and those that do nothing.
No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.errors import BaseModelError
from engine.models.family import Family
from engine.models.locate import BaseModel, find_base, hub_folder
from engine.models.registry import FAMILIES, family_of
from engine.settings import BaseSettings, Settings
from engine.settings.painting import PaintingSettings
from engine.storage.project_paths import expand_home


@dataclass(frozen=True)
class Kind:
    """What kind of base model some settings name."""

    family: Family
    distilled: bool = False
    """Whether it was distilled to paint in few steps, without CFG."""
    licence: str | None = None
    """What its licence is, where not everybody may use it for everything."""

    @property
    def painting(self) -> Mapping[str, Any]:
        """Settings of ``painting`` that it is usually painted with, where these are not the defaults."""
        return self.family.distilled_painting if self.distilled else self.family.painting


def kind_of(settings: BaseSettings) -> Kind:
    """The kind of ``base.model``; SDXL's where it can't be found: that is told where it is needed.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    return _kind(settings.model_dump_json(exclude={"paint_with"}), _stamp(settings.model))


def family_in(settings: Settings) -> Family:
    """The family of the base model that is trained on. Raises what ``kind_of`` raises."""
    return kind_of(settings.base).family


@lru_cache(maxsize=16)
def _kind(base: str, _stamp: object) -> Kind:
    """As ``kind_of``: every picture asks, and a base model's folder is walked through before it is taken."""
    try:
        found = find_base(BaseSettings.model_validate_json(base))
        family = family_of(found)
    except BaseModelError:
        return Kind(FAMILIES[0])
    return Kind(family, family.is_distilled(found), family.licences.get(family.shape(found).name))


def _stamp(model: str) -> object:
    """What is another where there is another model of that name."""
    path = expand_home(model)
    for each in (path / "model_index.json", path):
        with suppress(OSError, ValueError):
            return each.stat().st_mtime_ns
    return hub_folder(model)


def find_painting_base(settings: BaseSettings) -> BaseModel:
    """The base model that paints.

    Raises:
        BaseModelError: it is not there, or of another family than the one that is trained on, whose LoRAs would mean
            nothing to it.
        LimnerError: a package's family can't be loaded.
    """
    found = find_base(settings.for_painting)
    if settings.for_painting is not settings:
        family, wanted = family_of(found), family_of(find_base(settings))
        if family is not wanted:
            what = f"base.paint_with is a {family.title} model, and base.model is {wanted.title}"
            raise BaseModelError(what, f"set base.paint_with to a model of {wanted.title}, or leave it out")
    return found


def painting_of(settings: Settings) -> PaintingSettings:
    """How is painted: as the settings say, and where they say nothing as the model that paints usually is.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    painting = settings.painting
    usual = kind_of(settings.base.for_painting).painting
    missing = {name: value for name, value in usual.items() if name not in painting.model_fields_set}
    return painting.model_copy(update=missing) if missing else painting


def guidance_remarks(kind: Kind, guidance: float, negatives: Sequence[str]) -> list[str]:
    """What a guidance scale and negative prompts don't do for a kind of base model, a sentence each."""
    found = []
    if kind.distilled and guidance > 1:
        found.append(
            f"this {kind.family.title} model is distilled: paint with a guidance scale of 1, which needs no negative"
        )
    if guidance <= 1 and any(each.strip() for each in negatives):
        found.append("a negative prompt has no effect at a guidance scale of 1 or less")
    return found


def sample_settings(settings: Settings) -> Settings:
    """The settings with which a run paints its pictures, all filled in.

    Where another base model paints portraits than the run's pictures, ``painting`` says nothing of the latter's sampler
    and guidance: it gets those that it is usually painted with.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    painting, training = painting_of(settings), settings.training
    own = settings.base.for_painting
    if own is not settings.base and training.sample_base == "model":
        usual = kind_of(settings.base).painting
        fields = PaintingSettings.model_fields
        told = {name: usual.get(name, fields[name].default) for name in ("sampler", "schedule", "guidance_scale")}
        return settings.model_copy(update={"painting": painting.model_copy(update=told)})
    steps = kind_of(own).painting.get("steps")
    if steps is not None and "sample_inference_steps" not in training.model_fields_set:
        training = training.model_copy(update={"sample_inference_steps": steps})
    return settings.model_copy(update={"painting": painting, "training": training})


def remarks_on_base(settings: Settings) -> list[str]:
    """What is to be known of a base model before training on it, a sentence each: which settings of the project's file
    mean nothing for it, that it was distilled, what its licence is.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    kind = kind_of(settings.base)
    found = []
    for name, why in kind.family.unused.items():
        section, _, field = name.partition(".")
        part = getattr(settings, section)
        default = type(part).model_fields[field].default
        if field in part.model_fields_set and getattr(part, field) not in (default, None):
            found.append(f"{name} has no effect: {why}")
    if kind.distilled:
        found.append(
            f"{settings.base.model} was distilled to paint in few steps, and training may undo that: train on its base"
            " model and name this one in base.paint_with"
        )
    if kind.licence is not None:
        found.append(f"{settings.base.model} has the {kind.licence}, which holds for what is made with it")
    return found
