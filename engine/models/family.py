"""What a family of base models is: how it is recognised, what is known of it unloaded, what loads it. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.models.locate import BaseModel
from engine.models.shape import Arithmetic, BaseShape


@dataclass(frozen=True)
class Family:
    """A family of base models, which are loaded, trained and painted with in the same way.

    To add one: a folder beside ``sdxl`` and an entry in ``registry.py``, or a package with the entry point
    ``limner.families``. What is loaded is an ``engine.models.loaded.LoadedBase``.
    """

    name: str
    """As records have it: short, in lower case."""
    title: str
    """As people call it: ``SDXL``."""
    pipelines: frozenset[str]
    """The classes by which a folder's ``model_index.json`` names a model of this family."""
    parts: tuple[str, ...]
    """The subfolders that have weights."""
    is_in_file: Callable[[frozenset[str]], bool]
    """Whether a single file is of this family, by the names of its tensors."""
    shape: Callable[[BaseModel], BaseShape]
    """The size of a model of this family, from its configuration; never raises."""
    arithmetic: Callable[[str], Arithmetic]
    """What a step computes and keeps, for a ``BaseShape.name``."""
    counted: frozenset[str]
    """The sizes, by ``BaseShape.name``, for which that was counted: a card's speed then tells that of a step."""
    base_version: str
    """``ss_base_model_version`` in a LoRA's header, by kohya's names."""
    architecture: str
    """``modelspec.architecture`` there, without ``/lora`` (https://github.com/Stability-AI/ModelSpec)."""
    loader: str
    """``module:function``, imported only in the job that needs it: takes a ``BaseModel`` and the denoiser's dtype,
    returns a ``LoadedBase``, raises BaseModelError."""
    hub_names: tuple[str, ...] = ()
    """What hub names of its models have in them, in lower case: until one is fetched nothing else tells."""
    painting: Mapping[str, Any] = field(default_factory=dict)
    """Settings of ``painting`` that its models are usually painted with, where these are not the defaults."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Settings that mean nothing for it, as ``training.noise_offset``, and why."""
    prompt_weights: bool = True
    """Whether its text encoders can be made to heed ``(word:1.2)``."""
    file_gb: float | None = None
    """The size of a whole single file in GB (10⁹ bytes); None: its models come as folders."""
    lora_layout: str | None = None
    """``module:name`` of the ``engine.lora.layouts.Layout`` of one of Limner's own: how LoRA files spell its modules;
    None: as SDXL's, or by dotted names."""
    lora_prefix: str = "transformer."
    """What stands before dotted names in LoRA files that Limner writes."""
