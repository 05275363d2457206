"""What a family of base models is: how it is recognised, what is known of it unloaded, what loads it. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.models.locate import BaseModel
from engine.models.preset import Preset
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
    is_distilled: Callable[[BaseModel], bool] = lambda _base: False
    """Whether a model of it was distilled to paint in few steps: nobody trains on such a one. Never raises."""
    distilled_painting: Mapping[str, Any] = field(default_factory=dict)
    """What ``painting`` is for those that were."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Settings that mean nothing for it, as ``training.noise_offset``, and why."""
    prompt_weights: bool = True
    """Whether its text encoders can be made to heed ``(word:1.2)``."""
    hub_files: tuple[str, ...] = ("*.json", "*.txt", "*.fp16.safetensors")
    """What of a hub's model is downloaded, as patterns of ``hf download --include``."""
    presets: tuple[Preset, ...] = ()
    """Settings that fit cards, the smallest first; for the sizes in ``counted``."""
    licences: Mapping[str, str] = field(default_factory=dict)
    """Of published models that not everybody may use for everything, by ``BaseShape.name``: what their licence is."""
    text_tokens: int | None = None
    """Tokens of a text that its denoiser sees, those of ``text_template`` included; what follows is cut off. None:
    prompts are read in chunks of 75, as many as there are."""
    text_template: str = "{}"
    """The chat message that its text encoder reads, around a prompt."""
    file_gb: float | None = None
    """The size of a whole single file in GB (10⁹ bytes); None: its models come as folders."""
    lora_layout: str | None = None
    """``module:name`` of the ``engine.lora.layouts.Layout`` of one of Limner's own: how LoRA files spell its modules;
    None: as SDXL's, or by dotted names."""
    lora_prefix: str = "transformer."
    """What stands before dotted names in LoRA files that Limner writes."""
