"""What a LoRA file says about itself: kohya's ``ss_`` keys and Stability AI's ``modelspec``.

What a program needs to show and use the file, and the numbers of its training. kohya's folder names, captions and tag
counts are left out unless ``training.publish_captions`` is on: they would publish a real person's. Sources:
kohya-ss/sd-scripts ``train_network.py``, ``library/sai_model_spec.py``;
https://github.com/Stability-AI/ModelSpec.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.lora.lokr_header import network_args
from engine.lora.module_names import DENOISER


@dataclass(frozen=True)
class LoraFacts:
    """What is told about a LoRA."""

    name: str
    """Its name, which A1111 takes as the alias in ``<lora:NAME:1>``."""
    rank: int
    alpha: float
    trigger: str
    resolution: int
    """Pixels a side."""
    prediction_type: str = "epsilon"
    epoch: int | None = None
    epochs: int | None = None
    steps: int | None = None
    """Optimizer steps so far."""
    made_at: float | None = None
    """Unix seconds; None: now."""
    base_title: str | None = None
    base_version: str = "sdxl_base_v1-0"
    """The base model's family, by kohya's name, and below by ModelSpec's."""
    architecture: str = "stable-diffusion-xl-v1-base"
    prefix: str = DENOISER
    """What stands before the modules' names where these are dotted; no part of the header."""
    started_at: float | None = None
    """When the training began, in Unix seconds."""
    factor: int | None = None
    """LyCORIS' factor of a LoKr; None: it is a LoRA."""
    history: Mapping[str, object] = field(default_factory=dict)
    """How it was trained, by kohya's names, and the words that are to be told; ``lora_history`` makes it."""


def metadata(facts: LoraFacts) -> dict[str, str]:
    """The facts as a safetensors file's metadata, every value a string."""
    made = time.gmtime(time.time() if facts.made_at is None else facts.made_at)
    size = f"{facts.resolution}x{facts.resolution}"
    ours: dict[str, object] = {
        "ss_base_model_version": facts.base_version,
        "ss_v2": False,
        "ss_network_module": "networks.lora" if facts.factor is None else "lycoris.kohya",
        "ss_network_args": None if facts.factor is None else network_args(facts.factor),
        "ss_network_dim": facts.rank,
        "ss_network_alpha": float(facts.alpha),
        "ss_output_name": facts.name,
        "ss_sd_model_name": facts.base_title,
        "ss_resolution": f"({facts.resolution}, {facts.resolution})",
        "ss_epoch": facts.epoch,
        "ss_num_epochs": facts.epochs,
        "ss_steps": facts.steps,
        "ss_training_started_at": facts.started_at,
        "ss_training_finished_at": None if facts.started_at is None else float(calendar.timegm(made)),
        **facts.history,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{facts.architecture}/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": facts.name,
        "modelspec.resolution": size,
        "modelspec.date": time.strftime("%Y-%m-%dT%H:%M:%SZ", made),
        "modelspec.trigger_phrase": facts.trigger,
        "modelspec.prediction_type": facts.prediction_type,
    }
    return {key: str(value) for key, value in ours.items() if value is not None}
