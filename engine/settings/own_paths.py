"""Paths of ``limner.toml`` that are relative: they are the project's own, wherever a command is called."""

from __future__ import annotations

from pathlib import Path

from engine.settings.file import Settings
from engine.settings.models import DEMO_BASES


def with_own_paths(settings: Settings, root: Path) -> Settings:
    """The settings with the models and LoRAs that lie in the project by their full paths.

    A relative path that is nothing in the project stays as it is, and is then the working folder's, as older versions
    had it; so does a hub's name.

    Args:
        settings: as ``limner.toml`` says them.
        root: the project's folder, absolute.
    """
    base, training = settings.base, settings.training
    found: dict[str, Path | str] = {
        name: root / path
        for name, path in (("config", base.config), ("vae", base.vae))
        if path is not None and _is_own(root, path)
    }
    for name in ("model", "paint_with"):
        model = getattr(base, name)
        if name in base.model_fields_set and model and model not in DEMO_BASES and _is_own(root, Path(model)):
            found[name] = str(root / model)
    if found:
        settings = settings.model_copy(update={"base": base.model_copy(update=found)})
    if training.network_weights is not None and _is_own(root, training.network_weights):
        training = training.model_copy(update={"network_weights": root / training.network_weights})
        settings = settings.model_copy(update={"training": training})
    return settings


def _is_own(root: Path, path: Path) -> bool:
    return not path.is_absolute() and not str(path).startswith("~") and (root / path).exists()
