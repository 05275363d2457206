"""Where the files of a captioner's model lie: a folder, or a hub name that is fetched once and then kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import BaseModelError, DatasetError
from engine.models.folder_safety import check_weights
from engine.storage.project_paths import expand_home

NEEDED_OF_A_HUB = ["*.json", "*.safetensors", "*.txt", "*.model"]
"""What is fetched of a hub's model: configuration, vocabularies and weights; nothing that could run."""


def find_files(source: str, names: Sequence[str], setting: str) -> list[Path]:
    """The files of a model.

    Args:
        source: a folder or a hub name.
        names: the files that are needed.
        setting: the setting that names the model, for what to do.

    Raises:
        DatasetError: the folder lacks one of them, or the hub can't be reached or has none of that name.
    """
    folder = expand_home(source)
    if folder.is_dir():
        found = [folder / name for name in names]
        if missing := [path.name for path in found if not path.is_file()]:
            raise DatasetError(f"{folder} holds no {' and no '.join(missing)}", f"check {setting} in limner.toml")
        return found
    _check_hub_name(source, setting)
    from huggingface_hub import hf_hub_download

    try:
        return [Path(hf_hub_download(source, name)) for name in names]
    except Exception as error:
        raise not_fetched(source, setting, error) from error


def check_source(source: str, setting: str) -> str:
    """A model's folder, as transformers takes it: one that is here, or one that is fetched from the hub and then kept.

    Raises:
        DatasetError: neither a folder with a model in safetensors nor a hub name; it can't be fetched.
    """
    folder = expand_home(source)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise DatasetError(f"{folder} holds no config.json", f"check {setting} in limner.toml")
        return _checked(folder)
    _check_hub_name(source, setting)
    from huggingface_hub import snapshot_download

    try:
        fetched = snapshot_download(source, allow_patterns=NEEDED_OF_A_HUB)
    except Exception as error:
        raise not_fetched(source, setting, error) from error
    return _checked(Path(fetched))


def _checked(folder: Path) -> str:
    """The folder, which holds no pickle. Raises DatasetError."""
    try:
        check_weights(folder)
    except BaseModelError as error:
        raise DatasetError(error.what, error.fix) from error
    return str(folder)


def not_fetched(source: str, setting: str, error: Exception) -> DatasetError:
    """What to tell when the hub gave nothing: its client raises many kinds of errors, with long texts."""
    first = (str(error) or type(error).__name__).strip().splitlines()[0][:160]
    return DatasetError(f"the model {source} can't be loaded ({first})", f"set {setting} in limner.toml to a folder")


def _check_hub_name(source: str, setting: str) -> None:
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise DatasetError(f"there is no model at {source}", f"check {setting} in limner.toml")
