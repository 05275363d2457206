"""Settings as a base model's family is usually used, where the project says nothing else; and those that do nothing.
No torch."""

from __future__ import annotations

from engine.errors import BaseModelError
from engine.models.family import Family
from engine.models.locate import find_base
from engine.models.registry import FAMILIES, family_of
from engine.settings import Settings
from engine.settings.painting import PaintingSettings


def family_in(settings: Settings) -> Family:
    """The family of the settings' base model; the first where it can't be found: that is told where it is needed.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    try:
        return family_of(find_base(settings.base))
    except BaseModelError:
        return FAMILIES[0]


def painting_of(settings: Settings) -> PaintingSettings:
    """How is painted: as the settings say, and where they say nothing as the family usually is.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    painting = settings.painting
    usual = family_in(settings).painting
    missing = {name: value for name, value in usual.items() if name not in painting.model_fields_set}
    return painting.model_copy(update=missing) if missing else painting


def without_effect(settings: Settings) -> list[str]:
    """Settings that the project's file sets and that mean nothing for its base model, a sentence each.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    family = family_in(settings)
    found = []
    for name, why in family.unused.items():
        section, _, field = name.partition(".")
        part = getattr(settings, section)
        default = type(part).model_fields[field].default
        if field in part.model_fields_set and getattr(part, field) not in (default, None):
            found.append(f"{name} has no effect: {why}")
    return found
