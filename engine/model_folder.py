"""What of a model's folder could run: only numbers are read, in safetensors, and only by classes that are installed.

diffusers imports whatever module ``model_index.json`` names, also one that lies in the folder itself; a ``.bin``,
``.ckpt`` or ``.pt`` is a pickle, and a pickle is a program (https://docs.python.org/3/library/pickle.html).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.errors import BaseModelError

PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})
"""What pickled weights are called."""

LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl"})
"""Where the parts of a pipeline may come from: two packages, and two modules of diffusers."""

LARGEST_INDEX = 1_000_000
"""Bytes of a ``model_index.json``; real ones have a few hundred."""


def check_pipeline(folder: Path) -> None:
    """Looks at a diffusers folder before anything of it is loaded.

    Raises:
        BaseModelError: no readable ``model_index.json``, a part that names code of its own, or one that is there only
            as a pickle.
    """
    for name, value in _index(folder).items():
        if name == "_class_name" and not isinstance(value, str):
            raise _brings_code(folder, str(value))
        if name.startswith("_") or not isinstance(value, list) or not value or value[0] is None:
            continue
        if value[0] not in LIBRARIES:
            raise _brings_code(folder, f"{name}: {value[0]}")
        check_weights(folder / name)


def check_weights(folder: Path) -> None:
    """Looks at the folder of one model.

    Raises:
        BaseModelError: its weights are there only as a pickle.
    """
    try:
        names = sorted(each for each in folder.iterdir() if each.is_file())
    except OSError:
        return
    pickles = [each.name for each in names if each.suffix.lower() in PICKLES and each.stem != "training_args"]
    if pickles and not any(each.suffix == ".safetensors" for each in names):
        raise BaseModelError(
            f"{folder} holds {pickles[0]} and no safetensors: a pickle can run anything", "use the .safetensors version"
        )


def _index(folder: Path) -> dict[str, Any]:
    path = folder / "model_index.json"
    try:
        if path.stat().st_size > LARGEST_INDEX:
            raise ValueError("too large")
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BaseModelError(f"{path} can't be read ({error})", "copy or download it again") from error
    if not isinstance(record, dict):
        raise BaseModelError(f"{path} is no index of a model", "copy or download it again")
    return record


def _brings_code(folder: Path, what: str) -> BaseModelError:
    return BaseModelError(
        f"{folder} wants to bring code of its own ({what}), which Limner never runs", "use a plain SDXL model"
    )
