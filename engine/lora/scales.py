"""The alpha of each module of a LoRA file, wherever the file tells it. No torch.

ΔW = up · down · alpha / rank. kohya's files have a tensor for each module's alpha; diffusers' tell peft's LoraConfig in
their metadata (``lora_adapter_metadata``); PEFT's own have it in ``adapter_config.json`` beside them. A file that tells
none is read with its rank as alpha, as every program reads it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.errors import LoraFileError
from engine.lora.header import LoraHeader
from engine.lora.key_formats import module_of
from engine.lora.lokr_header import LokrParts
from engine.lora.module_names import DENOISER, Part
from engine.storage.untrusted_files import parse_json, read_text

ADAPTERS = {Part.UNET: "unet", Part.TE1: "text_encoder", Part.TE2: "text_encoder_2"}
"""What diffusers calls the parts."""

PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""What PEFT calls a LoRA's file, and what tells its alpha."""

LARGEST_ALPHA = 1e6
"""More is no alpha, but a number that somebody made up."""

LARGEST_CONFIG = 10_000_000
"""Bytes of an ``adapter_config.json`` that is looked at."""


class Alphas:
    """The alphas of a file's modules.

    Args:
        header: of the file.
    """

    def __init__(self, header: LoraHeader) -> None:
        self._header = header

    def of(self, name: str, part: Part, module: str, rank: int) -> float:
        """A module's alpha.

        Args:
            name: as the file spells it.
            part: where it is.
            module: diffusers' name.
            rank: its own.

        Raises:
            LoraFileError: the file's alpha is no number.
        """
        told = self.told(name, part, module, rank)
        return float(rank) if told is None else told

    def told(self, name: str, part: Part, module: str, rank: int) -> float | None:
        """The same; None where the file tells none."""
        if f"{name}.alpha" in self._header.tensors:
            return self._header.scalar(f"{name}.alpha")
        return self._by_config(part, module, rank)

    def lokr_scale(self, name: str, part: Part, module: str, parts: LokrParts) -> float:
        """What a LoKr module's w1 ⊗ w2 is multiplied by: alpha / rank, 1 where both matrices are whole or no alpha is
        told. PEFT's own files scale those that are whole, too.

        Raises:
            LoraFileError: the file's alpha is no number.
        """
        if f"{name}.alpha" in self._header.tensors:
            return 1.0 if parts.whole else self._header.scalar(f"{name}.alpha") / parts.scaling_rank
        config = self._config.get(part, {})
        rank = _by_pattern(config, "rank_pattern", module, config.get("r"))
        alpha = _by_pattern(config, "alpha_pattern", module, config.get("alpha"))
        return alpha / rank if alpha is not None and rank is not None and rank >= 1 else 1.0

    def targets(self, part: Part) -> bool:
        """Whether the file's config says which modules of a part it is for."""
        return bool(self._config.get(part, {}).get("target_modules"))

    def _by_config(self, part: Part, module: str, rank: int) -> float | None:
        """``alpha_pattern`` names modules by the end of their names, or after ``^`` whole; with ``use_rslora`` alpha is
        divided by √rank instead of the rank (https://arxiv.org/abs/2312.03732)."""
        config = self._config.get(part, {})
        alpha = _by_pattern(config, "alpha_pattern", module, config.get("lora_alpha"))
        if alpha is None:
            return None
        return alpha * math.sqrt(rank) if config.get("use_rslora") is True else float(alpha)

    @cached_property
    def _config(self) -> Mapping[Part, dict[str, Any]]:
        """peft's LoraConfig of each part; empty where nobody wrote one."""
        told = _record(self._header.metadata.get("lora_adapter_metadata", ""))
        if told:
            of_unet = _below(told, f"{ADAPTERS[Part.UNET]}.") or _below(told, DENOISER)
            return {**{part: _below(told, f"{name}.") for part, name in ADAPTERS.items()}, Part.UNET: of_unet}
        beside = self._header.path.with_name(PEFT_CONFIG)
        if self._header.path.name != PEFT_FILE or not beside.is_file():
            return {}
        return dict.fromkeys(Part, _record(_text(beside)))


def told_alphas(header: LoraHeader) -> list[float]:
    """Every alpha that a file tells, wherever it does, the smallest first; empty where readers take the rank."""
    return sorted(set(_all(header)))


def told_alpha(header: LoraHeader) -> float | None:
    """The alpha that most modules are told to have; None where the file tells none."""
    found = Counter(_all(header))
    return found.most_common(1)[0][0] if found else None


def _all(header: LoraHeader) -> list[float]:
    alphas, found = Alphas(header), []
    for name, (_, rank, _) in header.modules.items():
        try:
            part, module = module_of(name, header.layers_per_block)
        except LoraFileError:
            part, module = Part.UNET, name
        if rank and (alpha := alphas.told(name, part, module, rank)) is not None:
            found.append(alpha)
    return found


def _names(end: str, module: str) -> bool:
    """Whether a pattern of peft's names a module; it is text from a file and never run as an expression."""
    plain = end.replace("\\.", ".").removesuffix("$")
    if plain.startswith("^"):
        # Some versions of transformers put "text_model." before a text encoder's modules, some don't.
        return plain[1:].removeprefix("text_model.") == module.removeprefix("text_model.")
    return f".{module}".endswith(f".{plain}")


def _by_pattern(config: Mapping[str, Any], patterns: str, module: str, usual: Any) -> float | None:
    """A module's own number by a config's patterns, else the usual one; None where that is no such number."""
    own = config.get(patterns)
    named = own.items() if isinstance(own, dict) else ()
    value = next((each for end, each in named if _names(str(end), module)), usual)
    return float(value) if isinstance(value, (int, float)) and 0 < value <= LARGEST_ALPHA else None


def _below(told: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in told.items() if key.startswith(prefix)}


def _record(text: str) -> dict[str, Any]:
    try:
        told = parse_json(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(path: Path) -> str:
    try:
        return read_text(path, LARGEST_CONFIG)
    except (OSError, ValueError):
        return ""
