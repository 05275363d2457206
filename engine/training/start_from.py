"""Going on from an existing LoRA file, in kohya's, diffusers' or PEFT's names. Needs torch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import LoraFileError
from engine.training.lora_file import load_lora
from engine.training.lora_header import PAIRS, LoraHeader, read_header
from engine.training.lora_names import Part
from engine.training.lora_spelling import module_of

ADAPTERS = {Part.UNET: "unet", Part.TE1: "text_encoder", Part.TE2: "text_encoder_2"}
"""What diffusers calls the parts."""

LARGEST_ALPHA = 1e6
"""More is no alpha, but a number that somebody made up."""


@dataclass(frozen=True)
class Begun:
    """A LoRA to start from, as far as it fits."""

    tensors: Mapping[Part, dict[str, torch.Tensor]]
    """``MODULE.lora_A.weight`` [rank, inputs] and ``MODULE.lora_B.weight`` [outputs, rank], in float32."""
    left_out: tuple[str, ...]
    """Modules of the file that the run does not train."""
    fresh: int
    """How many modules the run trains that the file has not: they start at 0."""


def read_start(
    path: Path, modules: Mapping[Part, Iterable[str]], rank: int, alpha: float, layers_per_block: int
) -> Begun:
    """Reads a LoRA for a run to go on from. What it does to the model (ΔW) is the same with the run's own alpha.

    Args:
        path: the file.
        modules: the run's modules by part, in diffusers' names.
        rank: the run's.
        alpha: the run's.
        layers_per_block: of the base model's U-Net.

    Raises:
        LoraFileError: it can't be read, has another rank, or no module of the run's.
    """
    header, tensors = read_header(path), load_lora(path)
    config = adapter_config(header)
    places = {(part, _plain(module)): module for part, names in modules.items() for module in names}
    found: dict[Part, dict[str, torch.Tensor]] = {part: {} for part in modules}
    left_out: list[str] = []
    for name, (_, its_rank, _) in header.modules.items():
        try:
            part, spelt = module_of(name, layers_per_block)
            module = places[part, _plain(spelt)]
        except (LoraFileError, KeyError):
            left_out.append(name)
            continue
        if its_rank != rank:
            raise LoraFileError(f"{path.name}: {name} has rank {its_rank}, not {rank}", f"set training.rank {its_rank}")
        down, up = _pair(tensors, name)
        its_alpha = tensors.get(f"{name}.alpha")
        scale = (adapter_alpha(config, part, spelt, rank) if its_alpha is None else float(its_alpha)) / alpha
        found[part][f"{module}.lora_A.weight"] = down.float().flatten(1)
        found[part][f"{module}.lora_B.weight"] = up.float().flatten(1) * scale
    if not any(found.values()):
        raise LoraFileError(f"{path.name} fits no module of this base model", "look into it with: limner lora show")
    fresh = sum(f"{module}.lora_A.weight" not in found[part] for part, names in modules.items() for module in names)
    return Begun(found, tuple(left_out), fresh)


def adapter_config(header: LoraHeader) -> dict[str, Any]:
    """What diffusers wrote of the adapter: peft's LoraConfig of each part, ``{"unet.lora_alpha": 8, …}``; else nothing.

    As diffusers 0.42.1 writes ``lora_adapter_metadata``.
    """
    try:
        told = json.loads(header.metadata.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def adapter_alpha(config: Mapping[str, Any], part: Part, module: str, rank: int) -> float:
    """The alpha of a module whose file has no tensor for it; the rank where the adapter's config tells none.

    ``alpha_pattern`` names modules by the end of their names; with ``use_rslora`` alpha is divided by √rank instead of
    the rank (https://arxiv.org/abs/2312.03732).
    """
    name = ADAPTERS[part]
    patterns = config.get(f"{name}.alpha_pattern")
    own = patterns.items() if isinstance(patterns, dict) else ()
    fits = (each for end, each in own if f".{module}".endswith(f".{end}"))
    alpha = next(fits, config.get(f"{name}.lora_alpha"))
    if not isinstance(alpha, (int, float)) or not 0 < alpha <= LARGEST_ALPHA:
        return float(rank)
    return alpha * math.sqrt(rank) if config.get(f"{name}.use_rslora") is True else float(alpha)


def _plain(module: str) -> str:
    """Without what some versions of transformers put before a text encoder's modules."""
    return module.removeprefix("text_model.")


def _pair(tensors: Mapping[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    down, up = next(pair for pair in PAIRS if name + pair[0] in tensors)
    return tensors[name + down], tensors[name + up]
