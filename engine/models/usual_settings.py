"""Settings as a base model's family is usually used, where the project says nothing else; and those that do nothing.
No torch."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from engine.errors import BaseModelError
from engine.models.family import Family
from engine.models.locate import find_base, hub_folder
from engine.models.registry import FAMILIES, family_of
from engine.settings import BaseSettings, Settings
from engine.settings.painting import PaintingSettings
from engine.storage.project_paths import expand_home


def family_in(settings: Settings) -> Family:
    """The family of the settings' base model; the first where it can't be found: that is told where it is needed.

    Raises:
        LimnerError: a package's family can't be loaded.
    """
    return _family(settings.base.model_dump_json(), _stamp(settings.base.model))


@lru_cache(maxsize=16)
def _family(base: str, _stamp: object) -> Family:
    """As ``family_in``: every picture asks, and a base model's folder is walked through before it is taken."""
    try:
        return family_of(find_base(BaseSettings.model_validate_json(base)))
    except BaseModelError:
        return FAMILIES[0]


def _stamp(model: str) -> object:
    """What is another where there is another model of that name."""
    path = expand_home(model)
    for each in (path / "model_index.json", path):
        with suppress(OSError, ValueError):
            return each.stat().st_mtime_ns
    return hub_folder(model)


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
