"""The demo: a drawn photo library with its index, and a tiny base model that really learns."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def tiny_base_path() -> Path:
    """The folder of the tiny base model that comes with Limner, as `from_pretrained` takes it.

    It paints 64 px pictures of drawn people and has SDXL's parts and module names; its VAE has factor 4.
    """
    return Path(str(files(__name__) / "tiny_base"))
