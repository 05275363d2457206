"""Loading a base model of any family. Needs torch."""

from __future__ import annotations

from importlib import import_module

import torch

from engine.models.loaded import LoadedBase
from engine.models.locate import BaseModel
from engine.models.registry import family_of


def load_base(base: BaseModel, dtype: torch.dtype = torch.float32) -> LoadedBase:
    """Loads a base model onto the CPU by its family, everything but the denoiser in float32.

    Args:
        base: the model.
        dtype: the denoiser's.

    Raises:
        BaseModelError: not there, not whole, no safetensors, or of another architecture than it says.
        LimnerError: a package's family can't be loaded.
    """
    module, name = family_of(base).loader.split(":")
    loaded: LoadedBase = getattr(import_module(module), name)(base, dtype)
    return loaded
