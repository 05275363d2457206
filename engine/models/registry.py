"""The families of base models there are, and which of them a base model belongs to. No torch.

To add one: a folder beside these modules and an entry here, or a package with an entry point.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import BaseModelError
from engine.models.family import Family
from engine.models.flux2_klein.family import FAMILY as KLEIN_FAMILY
from engine.models.folder_safety import pipeline_class
from engine.models.locate import BaseKind, BaseModel, hub_folder
from engine.models.prediction import names_in
from engine.models.sdxl.family import FAMILY as SDXL_FAMILY
from engine.models.shape import Arithmetic, BaseShape
from engine.models.z_image.family import FAMILY as Z_IMAGE_FAMILY
from engine.plugins import plugins

GROUP = "limner.families"
"""The entry points of other packages."""

FAMILIES = (SDXL_FAMILY, KLEIN_FAMILY, Z_IMAGE_FAMILY)
"""Limner's own; the first is what a model is taken for that says nothing of itself."""


def family_of(base: BaseModel) -> Family:
    """The family of a base model, by its folder's ``model_index.json``, its file's tensors, or its hub name while it is
    not fetched; the first where none tells: what is wrong with it is told when it is loaded.

    Raises:
        BaseModelError: its folder names a pipeline that no family has.
        LimnerError: a package's family can't be loaded.
    """
    if base.kind is BaseKind.FILE:
        names = names_in(Path(base.source))
        return next(filter(lambda family: family.is_in_file(names), _all()), FAMILIES[0])
    named = _pipeline(base)
    if named is None:
        hub_name = base.source.lower() if base.kind is BaseKind.HUB else ""
        return next((each for each in FAMILIES if any(part in hub_name for part in each.hub_names)), FAMILIES[0])
    found = next(filter(lambda family: named in family.pipelines, _all()), None)
    if found is None:
        titles = ", ".join(family.title for family in _all())
        raise BaseModelError(f"{base.source} is a {named[:60]}, which Limner can't train", f"use a model of: {titles}")
    return found


def _all() -> Iterator[Family]:
    """Limner's own, then other packages', which are looked for only where no own one fits."""
    yield from FAMILIES
    yield from plugins(GROUP, Family)


def _pipeline(base: BaseModel) -> str | None:
    """The pipeline that a model's folder names; None where it says nothing of itself, or is not here."""
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else hub_folder(base.source)
    return pipeline_class(folder) if folder is not None else None


def family_named(name: str) -> Family:
    """The family that a record names.

    Raises:
        BaseModelError: there is none of that name; a package of that name may have been removed.
    """
    # Estimates ask hundreds of times: what other packages add is looked for only where it can matter.
    for family in FAMILIES:
        if family.name == name:
            return family
    for family in plugins(GROUP, Family):
        if family.name == name:
            return family
    raise BaseModelError(f"no family of base models is called {name}", "install the package that adds it")


def shape_of(base: BaseModel) -> BaseShape:
    """The size of a base model, unloaded. Raises LimnerError where a package's family can't be loaded."""
    return family_of(base).shape(base)


def is_counted(family: str, size: str) -> bool:
    """Whether the arithmetic of a family's models of that size was counted. Raises BaseModelError."""
    return size in family_named(family).counted


def arithmetic_of(family: str, size: str) -> Arithmetic:
    """What a step of a family's model of that size computes and keeps. Raises BaseModelError for an unknown family."""
    return family_named(family).arithmetic(size)
