"""The base model: whether it is here, whole, and how large."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from engine.doctor.check import Check, gigabytes
from engine.errors import LimnerError
from engine.models.locate import BaseKind, BaseModel, find_base, hub_folder
from engine.settings import DEMO_BASE, BaseSettings
from engine.storage.untrusted_files import read_json

WEIGHTS = (".safetensors", ".index.json")
"""What holds a part's numbers, or says in which files they lie."""

FULL = ("unet", "vae", "text_encoder", "text_encoder_2")
"""The parts that have weights."""

_SMALL = 1_000_000_000
"""A single file of SDXL has 6.9 GB, or a third of that in eight bits; below this it was cut off."""


def base_check(settings: BaseSettings) -> Check:
    """The base model that the settings name."""
    try:
        base = find_base(settings)
    except LimnerError as error:
        return Check("base model", False, error.what, error.fix, needed=True)
    noise = f"; {base.noise.words()}" if base.noise is not None else ""
    if base.kind is not BaseKind.FOLDER:
        found = _file(Path(base.source)) if base.kind is BaseKind.FILE else _hub(base)
        return replace(found, detail=f"{found.detail}{noise}") if found.ok else found
    missing = missing_parts(Path(base.source))
    if missing:
        fix = "copy the whole folder again, or set another base.model in limner.toml"
        return Check("base model", False, f"{base.source} lacks {', '.join(missing)}", fix, needed=True)
    named = "the demo's own" if settings.model == DEMO_BASE else base.source
    return Check("base model", True, f"{named}, {gigabytes(_size(Path(base.source)))}{noise}")


def missing_parts(folder: Path) -> list[str]:
    """What a diffusers folder lacks: parts that its ``model_index.json`` names, or weights in one of them."""
    try:
        index = read_json(folder / "model_index.json")
    except (OSError, ValueError):
        return ["a readable model_index.json"]
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0] is not None]
    missing = [part for part in parts if not (folder / part).is_dir()]
    for part in set(FULL) & set(parts) - set(missing):
        files = [path for path in (folder / part).iterdir() if path.name.endswith(WEIGHTS)]
        # A link into the hub's cache may point to what was never fetched.
        if not any(path.exists() for path in files):
            missing.append(f"the weights in {part}")
    return sorted(missing)


def _hub(base: BaseModel) -> Check:
    fix = f"hf download {shlex.quote(base.source)} --include '*.json' '*.txt' '*.fp16.safetensors'"
    folder = hub_folder(base.source)
    if folder is None:
        return Check(
            "base model", False, f"{base.source} is not downloaded yet; the first run downloads about 7 GB", fix
        )
    missing = missing_parts(folder)
    if missing:
        return Check("base model", False, f"{base.source} is partly downloaded: {', '.join(missing)} missing", fix)
    return Check("base model", True, f"{base.source}, {gigabytes(_size(folder))} in {folder}")


def _file(path: Path) -> Check:
    size = path.stat().st_size
    if size < _SMALL:
        detail = f"{path} has only {gigabytes(size)}; SDXL's single files have about 7 GB"
        return Check("base model", False, detail, "download it again; the download was probably cut off")
    return Check("base model", True, f"{path}, {gigabytes(size)}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
