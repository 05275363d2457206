"""Which base model a project uses, found without loading it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from engine.errors import BaseModelError
from engine.model_folder import PICKLES, check_pipeline
from engine.settings import DEMO_BASE, BaseSettings
from engine.settings.sizes import USUAL_SIDE


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

    @property
    def title(self) -> str:
        """A short name for the PNG and the LoRA's metadata."""
        if self.source == str(_demo_folder()):
            return "limner-tiny-base"
        return Path(self.source).stem if self.kind is BaseKind.FILE else Path(self.source).name

    @property
    def native(self) -> int:
        """Pixels a side that it was made for, as its folder tells; what SDXL was made for where no folder is here."""
        folder = Path(self.source) if self.kind is BaseKind.FOLDER else self.config
        if folder is None:
            return USUAL_SIDE
        try:
            unet, vae = (json.loads((folder / part / "config.json").read_text("utf-8")) for part in ("unet", "vae"))
            return int(int(unet["sample_size"]) << (len(vae["block_out_channels"]) - 1))
        except (OSError, ValueError, KeyError, TypeError):
            return USUAL_SIDE


def find_base(settings: BaseSettings) -> BaseModel:
    """What the settings name, told apart.

    Raises:
        BaseModelError: a path that is not there, a folder without ``model_index.json``, a pickle, code.
    """
    name = settings.model
    if name == DEMO_BASE:
        return BaseModel(BaseKind.FOLDER, str(_demo_folder()))
    path = Path(name).expanduser()
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


def _demo_folder() -> Path:
    """The tiny base model that comes with Limner."""
    return Path(str(files("engine.demo").joinpath("tiny_base")))
