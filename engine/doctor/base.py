"""The base model: whether it is here, whole, and how large."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from engine.base_model import BaseKind, BaseModel, find_base
from engine.doctor.check import Check, gigabytes
from engine.errors import LimnerError
from engine.settings import DEMO_BASE, BaseSettings

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
    if base.kind is BaseKind.FILE:
        return _file(Path(base.source))
    if base.kind is BaseKind.HUB:
        return _hub(base)
    missing = missing_parts(Path(base.source))
    if missing:
        fix = "copy the whole folder again, or name another base.model in limner.toml"
        return Check("base model", False, f"{base.source} lacks {', '.join(missing)}", fix, needed=True)
    named = "the demo's own" if settings.model == DEMO_BASE else base.source
    return Check("base model", True, f"{named}, {gigabytes(_size(Path(base.source)))}")


def missing_parts(folder: Path) -> list[str]:
    """What a diffusers folder lacks: parts that its ``model_index.json`` names, or weights in one of them."""
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
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


def hub_folder(name: str, environment: dict[str, str] | None = None) -> Path | None:
    """Where the hub's cache keeps a model's newest snapshot; None: it is not there.

    The layout is huggingface_hub's (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
    """
    known = os.environ if environment is None else environment
    home = Path(known.get("HF_HOME") or Path(known.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface")
    cache = Path(known.get("HF_HUB_CACHE") or known.get("HUGGINGFACE_HUB_CACHE") or home / "hub")
    model = cache / f"models--{name.replace('/', '--')}"
    try:
        snapshot = model / "snapshots" / (model / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return snapshot if snapshot.is_dir() else None


def _hub(base: BaseModel) -> Check:
    fix = f"hf download {shlex.quote(base.source)} --include '*.json' '*.txt' '*.fp16.safetensors'"
    folder = hub_folder(base.source)
    if folder is None:
        return Check("base model", False, f"{base.source} is not here yet; the first run fetches about 7 GB", fix)
    missing = missing_parts(folder)
    if missing:
        return Check("base model", False, f"{base.source} was fetched in part: {', '.join(missing)} missing", fix)
    return Check("base model", True, f"{base.source}, {gigabytes(_size(folder))} in {folder}")


def _file(path: Path) -> Check:
    size = path.stat().st_size
    if size < _SMALL:
        detail = f"{path} has only {gigabytes(size)}; SDXL's single files have about 7 GB"
        return Check("base model", False, detail, "fetch it again; it was probably cut off")
    return Check("base model", True, f"{path}, {gigabytes(size)}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
