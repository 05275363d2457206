"""What of a model's folder could run: only numbers are read, in safetensors, and only by classes that are installed.

diffusers imports whatever module ``model_index.json`` names, also one that lies in the folder itself; a ``.bin``,
``.ckpt`` or ``.pt`` is a pickle, and a pickle is a program (https://docs.python.org/3/library/pickle.html).
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Any

from engine.errors import BaseModelError
from engine.storage.untrusted_files import read_json

PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})
"""What pickled weights are called."""

LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl"})
"""Where the parts of a pipeline may come from: two packages, and two modules of diffusers."""

LARGEST_INDEX = 1_000_000
"""Bytes of a ``model_index.json``; real ones have a few hundred."""

LARGEST_SHARD_INDEX = 20_000_000
"""Bytes of an index of shards; those of large models have some hundred thousand."""

MOST_FILES = 10_000
"""Files in a model's folder; real ones have some dozens."""


def pipeline_class(folder: Path) -> str | None:
    """The pipeline that a diffusers folder's ``model_index.json`` names; None where it names none, or is none."""
    named = pipeline_index(folder).get("_class_name")
    return named if isinstance(named, str) else None


def pipeline_index(folder: Path) -> dict[str, Any]:
    """What a diffusers folder's ``model_index.json`` says; nothing where it can't be read, which loading tells."""
    try:
        index = read_json(folder / "model_index.json")
    except (OSError, ValueError, RecursionError):
        return {}
    return index if isinstance(index, dict) else {}


def check_pipeline(folder: Path) -> None:
    """Looks at a diffusers folder before anything of it is loaded.

    Raises:
        BaseModelError: no readable ``model_index.json``, a part that names code of its own, a pickle.
    """
    for name, value in _json(folder / "model_index.json", LARGEST_INDEX).items():
        if name == "_class_name" and not isinstance(value, str):
            raise _brings_code(folder, str(value))
        if name.startswith("_") or not isinstance(value, list) or not value or value[0] is None:
            continue
        if value[0] not in LIBRARIES:
            raise _brings_code(folder, f"{name}: {value[0]}")
    check_weights(folder)


def check_weights(folder: Path) -> None:
    """Looks at the folder of one model, and all below it.

    Raises:
        BaseModelError: a pickle lies there, also beside safetensors, or an index names weights that are none.
    """
    # A part may be a link to a folder elsewhere, and a library would follow it.
    walked = os.walk(folder, followlinks=True)
    files = list(islice((Path(at) / name for at, _, names in walked for name in names), MOST_FILES + 1))
    if len(files) > MOST_FILES:
        raise BaseModelError(f"{folder} holds more than {MOST_FILES:,} files", "give the folder of one model")
    for each in sorted(files):
        if each.suffix.lower() in PICKLES:
            raise BaseModelError(
                f"{folder} holds {each.relative_to(folder)}: a pickle can run anything",
                "use the .safetensors version, and move the pickle out of this folder",
            )
        if ".index." in each.name.lower() and each.suffix.lower() == ".json":
            _check_shards(each)


def _check_shards(path: Path) -> None:
    """Raises BaseModelError where an index of shards names anything but safetensors that lie beside it."""
    shards = _json(path, LARGEST_SHARD_INDEX).get("weight_map")
    for name in set(shards.values()) if isinstance(shards, dict) else ():
        # As the libraries tell them apart, by these letters alone.
        if not isinstance(name, str) or not name.endswith(".safetensors") or "/" in name or "\\" in name:
            raise BaseModelError(
                f"{path} names {str(name)[:80]!r} as weights, which may be a pickle: it can run anything",
                "use a model whose weights are all safetensors",
            )


def _json(path: Path, largest: int) -> dict[str, Any]:
    """A file with one JSON object. Raises BaseModelError."""
    try:
        record = read_json(path, largest)
    except (OSError, ValueError) as error:
        raise BaseModelError(f"{path} can't be read ({error})", "copy or download it again") from error
    if not isinstance(record, dict):
        raise BaseModelError(f"{path} is not a model index", "copy or download it again")
    return record


def _brings_code(folder: Path, what: str) -> BaseModelError:
    return BaseModelError(
        f"{folder} asks to run code of its own ({what}), which Limner never runs", "use a plain SDXL model"
    )
