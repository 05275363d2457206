"""``run.toml``: the exact settings, seed and versions of a run, for whoever wants to do it again."""

from __future__ import annotations

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tomlkit

from engine import __version__
from engine.storage.atomic_files import write_text
from engine.training.loading import Loaded

PACKAGES = ("torch", "diffusers", "transformers", "peft", "safetensors")
"""The packages whose versions may change what comes out."""


def write_record(path: Path, loaded: Loaded) -> None:
    """Writes ``run.toml`` once; a run that is resumed keeps the one of its beginning.

    Args:
        path: where it is to lie.
        loaded: its settings, with the presets', and all that it trains with.
    """
    if path.exists():
        return
    settings, base, data, device = loaded.settings, loaded.base, loaded.data, loaded.device
    training = settings.training
    effective = {
        "alpha": training.effective_alpha,
        "resolution": loaded.resolution,
        "images": sum(not each.regularisation and not each.held_out for each in data.seen),
        "held_out": sum(each.held_out for each in data.seen),
        "regularisation_images": sum(each.regularisation for each in data.seen),
        "buckets": [f"{width}x{height}: {count}" for width, height, count in data.buckets(loaded.scale) if count],
        # The empty one, which dropout shows, is not counted.
        "captions": data.different_captions - 1,
        "device": device.name,
        "dtype": str(device.dtype).removeprefix("torch."),
    }
    document = tomlkit.document()
    document.add(tomlkit.comment("How this run was made. Limner only writes this file."))
    document["started"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    document["seed"] = training.seed
    document["person"] = _table({"trigger": settings.person.trigger, "class_word": settings.person.class_word})
    document["base"] = _table(
        {
            "title": base.title,
            "family": loaded.model.shape.family,
            "kind": base.kind.value,
            "source": base.source,
            "paint_with": settings.base.paint_with,
        }
    )
    document["training"] = _table(training.model_dump(mode="json"))
    document["effective"] = _table(effective)
    document["versions"] = _table({"limner": __version__, "python": platform.python_version(), **_versions()})
    write_text(path, tomlkit.dumps(document))


def _table(values: dict[str, Any]) -> tomlkit.items.Table:
    table = tomlkit.table()
    # TOML has no null: what was left out stays out.
    table.update({key: value for key, value in values.items() if value is not None})
    return table


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
