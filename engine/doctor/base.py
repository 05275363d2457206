"""The base model: whether it is here, whole, and how large."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from engine.doctor.check import Check, gigabytes
from engine.errors import LimnerError
from engine.models.family import Family
from engine.models.locate import BaseKind, BaseModel, find_base, hub_folder
from engine.models.registry import family_of
from engine.models.usual_settings import find_painting_base
from engine.settings import DEMO_BASES, BaseSettings
from engine.storage.untrusted_files import read_json

WEIGHTS = (".safetensors", ".index.json")
"""What holds a part's numbers, or says in which files they lie."""

CUT_OFF = 0.15
"""A single file has a third of its usual size in eight bits; below this share it was cut off."""


def base_checks(settings: BaseSettings) -> list[Check]:
    """The base model that the settings name, and the one to paint with where that is another."""
    found = [base_check(settings)]
    if settings.for_painting is settings:
        return found
    try:
        find_painting_base(settings)
    except LimnerError as error:
        return [*found, Check("paint with", False, error.what, error.fix, needed=True)]
    return [*found, replace(base_check(settings.for_painting), name="paint with")]


def base_check(settings: BaseSettings) -> Check:
    """The base model that the settings train on."""
    try:
        base = find_base(settings)
        family = family_of(base)
    except LimnerError as error:
        return Check("base model", False, error.what, error.fix, needed=True)
    found = _whole(base, family)
    if not found.ok:
        return found
    named = "the demo's own" if settings.model in DEMO_BASES else base.source
    detail = f"{family.title}: {found.detail.replace(base.source, named, 1)}"
    noise = f"; {base.noise.words()}" if base.noise is not None else ""
    licence = family.licences.get(family.shape(base).name)
    return replace(found, detail=detail + noise + (f"; its licence: {licence}" if licence else ""))


def _whole(base: BaseModel, family: Family) -> Check:
    """Whether all of it is here."""
    if base.kind is not BaseKind.FOLDER:
        return _file(Path(base.source), family) if base.kind is BaseKind.FILE else _hub(base, family)
    missing = missing_parts(Path(base.source), family)
    if missing:
        fix = "copy the whole folder again, or set another base.model in limner.toml"
        return Check("base model", False, f"{base.source} lacks {', '.join(missing)}", fix, needed=True)
    return Check("base model", True, f"{base.source}, {gigabytes(_size(Path(base.source)))}")


def missing_parts(folder: Path, family: Family) -> list[str]:
    """What a diffusers folder lacks: parts that its ``model_index.json`` names, or weights in one of them."""
    try:
        index = read_json(folder / "model_index.json")
    except (OSError, ValueError):
        return ["a readable model_index.json"]
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0] is not None]
    missing = [part for part in parts if not (folder / part).is_dir()]
    for part in set(family.parts) & set(parts) - set(missing):
        files = [path for path in (folder / part).iterdir() if path.name.endswith(WEIGHTS)]
        # A link into the hub's cache may point to what was never fetched.
        if not any(path.exists() for path in files):
            missing.append(f"the weights in {part}")
    return sorted(missing)


def _hub(base: BaseModel, family: Family) -> Check:
    wanted = " ".join(f"'{each}'" for each in family.hub_files)
    fix = f"hf download {shlex.quote(base.source)} --include {wanted}"
    folder = hub_folder(base.source)
    if folder is None:
        how_much = f"about {family.file_gb:.0f} GB" if family.file_gb else "it"
        detail = f"{base.source} is not downloaded yet; the first run downloads {how_much}"
        return Check("base model", False, detail, fix)
    missing = missing_parts(folder, family)
    if missing:
        return Check("base model", False, f"{base.source} is partly downloaded: {', '.join(missing)} missing", fix)
    return Check("base model", True, f"{base.source}, {gigabytes(_size(folder))} in {folder}")


def _file(path: Path, family: Family) -> Check:
    size, whole = path.stat().st_size, family.file_gb or 0.0
    if size < CUT_OFF * whole * 1e9:
        detail = f"{path} has only {gigabytes(size)}; {family.title}'s single files have about {whole:.0f} GB"
        return Check("base model", False, detail, "download it again; the download was probably cut off")
    return Check("base model", True, f"{path}, {gigabytes(size)}")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
