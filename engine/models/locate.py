"""Which base model a project uses, found without loading it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from engine.errors import BaseModelError
from engine.models.folder_safety import PICKLES, check_pipeline, check_weights
from engine.models.prediction import NoiseKind, Prediction, noise_of_file, noise_of_folder
from engine.settings import DEMO_BASE, DEMO_BASES, DEMO_KLEIN, BaseSettings
from engine.storage.project_paths import expand_home

_DEMO_FOLDERS = {DEMO_BASE: "tiny_base", DEMO_KLEIN: "tiny_klein"}
_DEMO_TITLES = {DEMO_BASE: "limner-tiny-base", DEMO_KLEIN: "limner-tiny-klein"}


class BaseKind(StrEnum):
    """The ways in which a base model is given."""

    FOLDER = "folder"
    FILE = "file"
    HUB = "hub"


@dataclass(frozen=True)
class BaseModel:
    """A base model that was found: a diffusers folder, a single ``.safetensors`` file, or a hub name."""

    kind: BaseKind
    source: str
    """The path or the hub name."""
    config: Path | None = None
    """For a single file: a diffusers folder whose configuration fits it; None: the hub's."""
    noise: NoiseKind | None = None
    """What it predicts; None: its scheduler says it once it is loaded."""
    vae: Path | None = None
    """A VAE in place of its own."""

    @property
    def title(self) -> str:
        """A short name for the PNG and the LoRA's metadata."""
        for name, title in _DEMO_TITLES.items():
            if self.source == str(demo_folder(name)):
                return title
        return Path(self.source).stem if self.kind is BaseKind.FILE else Path(self.source).name


def find_base(settings: BaseSettings) -> BaseModel:
    """What the settings name, told apart.

    Raises:
        BaseModelError: a path that is not there, a folder without ``model_index.json``, a pickle, code, or a model that
            predicts neither the noise nor the velocity.
    """
    base = replace(_named(settings), vae=_vae(settings))
    return replace(base, noise=_noise(base, settings))


def _named(settings: BaseSettings) -> BaseModel:
    name = settings.model
    if name in DEMO_BASES:
        return BaseModel(BaseKind.FOLDER, str(demo_folder(name)))
    path = expand_home(name)
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise BaseModelError(
                f"{path} holds no model_index.json",
                "give a diffusers folder, a hub name or one .safetensors file",
            )
        check_pipeline(path)
        return BaseModel(BaseKind.FOLDER, str(path.resolve()))
    if path.suffix.lower() in PICKLES:
        raise BaseModelError(f"{path.name} is a pickle, which can run anything", "use the .safetensors version")
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise BaseModelError(f"there is no base model at {path}", "check base.model in limner.toml")
        if settings.config is not None and settings.config.is_dir():
            check_pipeline(settings.config)
        return BaseModel(BaseKind.FILE, str(path.resolve()), settings.config)
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise BaseModelError(f"there is no base model at {name}", "check base.model in limner.toml")
    return BaseModel(BaseKind.HUB, name)


def _noise(base: BaseModel, settings: BaseSettings) -> NoiseKind | None:
    """What it predicts, as its files tell it and the settings say otherwise."""
    known = _told_noise(base, lenient=settings.prediction_type != "auto")
    wanted = settings.prediction_type
    if wanted == "auto" and settings.zero_terminal_snr is None:
        return known
    found = known or NoiseKind()
    prediction = found.prediction if wanted == "auto" else Prediction(wanted)
    zero_snr = found.zero_snr if settings.zero_terminal_snr is None else settings.zero_terminal_snr
    return NoiseKind(prediction, zero_snr, "the settings")


def _told_noise(base: BaseModel, lenient: bool) -> NoiseKind | None:
    """By the base model's files.

    Args:
        base: the model.
        lenient: whether a name of a prediction that nobody knows will do, for the settings say which it is.
    """
    if base.kind is BaseKind.FILE:
        return noise_of_file(Path(base.source), lenient)
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else hub_folder(base.source)
    return None if folder is None else noise_of_folder(folder, lenient)


def _vae(settings: BaseSettings) -> Path | None:
    """The VAE that the settings name."""
    if settings.vae is None:
        return None
    path = expand_home(settings.vae).resolve()
    if path.suffix.lower() in PICKLES:
        raise BaseModelError(f"{path.name} is a pickle, which can run anything", "use the .safetensors version")
    if path.is_dir():
        check_weights(path)
    if not (path.suffix == ".safetensors" and path.is_file()) and not (path / "config.json").is_file():
        fix = "base.vae: give a .safetensors file, or a folder with a config.json"
        raise BaseModelError(f"there is no VAE at {path}", fix)
    return path


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


def demo_folder(name: str = DEMO_BASE) -> Path:
    """A tiny base model that comes with Limner, as diffusers loads it.

    They paint drawn people at 64 × 64 and have the parts and module names of SDXL and of FLUX.2 klein; their VAEs have
    factor 4.
    """
    return Path(str(files("engine.demo").joinpath(_DEMO_FOLDERS[name])))
