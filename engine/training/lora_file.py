"""Writing and reading LoRA files in kohya's layout. Needs torch; names and headers are understood without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from engine.errors import LoraFileError
from engine.storage import atomic_files
from engine.training.lora_header import read_header
from engine.training.lora_metadata import LoraFacts, metadata
from engine.training.lora_names import SDXL_LAYERS_PER_BLOCK, Part, diffusers_name, kohya_name


@dataclass(frozen=True)
class LoraPair:
    """One module's LoRA: ΔW = up · down · alpha / rank."""

    down: torch.Tensor
    """[rank, inputs]"""
    up: torch.Tensor
    """[outputs, rank]"""
    alpha: float

    @property
    def rank(self) -> int:
        """The rank."""
        return int(self.down.shape[0])

    def delta(self) -> torch.Tensor:
        """ΔW, [outputs, inputs], in float32."""
        return self.up.float() @ self.down.float() * (self.alpha / self.rank)


Modules = Mapping[tuple[Part, str], LoraPair]
"""Part and diffusers' module name to that module's LoRA."""


def pairs_of_peft(
    state: Mapping[str, torch.Tensor], alpha: float, part: Part = Part.UNET
) -> dict[tuple[Part, str], LoraPair]:
    """A model's LoRA from ``peft.get_peft_model_state_dict``.

    Args:
        state: ``MODULE.lora_A.weight`` [rank, inputs] and ``MODULE.lora_B.weight`` [outputs, rank].
        alpha: the adapter's alpha.
        part: the model.

    Raises:
        LoraFileError: a tensor that is neither, or one without its other half.
    """
    suffixes = (".lora_A.weight", ".lora_B.weight")
    if stray := [name for name in state if not name.endswith(suffixes)]:
        raise LoraFileError(f"{stray[0]} has no place in a kohya LoRA", "train a plain LoRA")
    pairs: dict[tuple[Part, str], LoraPair] = {}
    for module in dict.fromkeys(name[: -len(suffixes[0])] for name in state):
        halves = [state.get(module + suffix) for suffix in suffixes]
        if halves[0] is None or halves[1] is None:
            raise LoraFileError(f"{module} has only half of its LoRA", "save the whole adapter")
        pairs[part, module] = LoraPair(halves[0], halves[1], alpha)
    return pairs


def write_lora(
    path: Path,
    modules: Modules,
    facts: LoraFacts,
    layers_per_block: int = SDXL_LAYERS_PER_BLOCK,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Writes a LoRA so that every program loads the whole of it.

    The file comes into being at once: under a temporary name, synced, then renamed.

    Raises:
        LoraFileError: a module has no name in such a file, or the disk refuses.
    """
    tensors: dict[str, torch.Tensor] = {}
    for (part, module), pair in modules.items():
        name = kohya_name(module, part, layers_per_block)
        for suffix, tensor in (("lora_down.weight", pair.down), ("lora_up.weight", pair.up)):
            tensors[f"{name}.{suffix}"] = tensor.detach().to("cpu", dtype).contiguous()
        tensors[f"{name}.alpha"] = _scalar(pair.alpha, dtype)
    write_tensors(path, tensors, metadata(facts))


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, str]) -> None:
    """Writes a safetensors file whole: a reader sees the old file or the new one, also after a power cut.

    Raises:
        LoraFileError: the disk is full or refuses.
    """
    write_bytes(path, save(tensors, about))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole: a reader sees the old file or the new one, also after a power cut.

    Raises:
        LoraFileError: the disk is full or refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write_bytes(path, data)
        atomic_files.sync_folder(path.parent)
    except OSError as error:
        raise LoraFileError(f"{path} can't be written ({error.strerror})", "make room or mend permissions") from error


def read_lora(path: Path, layers_per_block: int = SDXL_LAYERS_PER_BLOCK) -> dict[tuple[Part, str], LoraPair]:
    """Reads a LoRA in kohya's layout. A module without alpha has its rank as alpha, as in kohya's own reader.

    Raises:
        LoraFileError: not readable, not in kohya's layout, or with a key that is not understood.
    """
    header = read_header(path)
    if stray := header.stray_tensors():
        raise LoraFileError(f"{path.name}: {stray[0]} is not understood", "use a plain LoRA in kohya's layout")
    tensors = load_lora(path)
    modules: dict[tuple[Part, str], LoraPair] = {}
    for name in header.modules:
        down = tensors.get(f"{name}.lora_down.weight")
        if down is None:
            raise LoraFileError(f"{path.name} is not in kohya's layout", "convert it first")
        alpha = tensors.get(f"{name}.alpha")
        pair = LoraPair(
            down, tensors[f"{name}.lora_up.weight"], float(down.shape[0]) if alpha is None else float(alpha)
        )
        modules[diffusers_name(name, layers_per_block)] = pair
    return modules


def load_lora(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a LoRA, on the CPU; each is made of numbers that a model can go on with.

    Raises:
        LoraFileError: not there, damaged, or with something in it that is no number.
    """
    tensors = load_tensors(path)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.float()).all():
            raise LoraFileError(f"{path}: {name} holds what is no number (NaN or endless)", "use another checkpoint")
    return tensors


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, on the CPU.

    Raises:
        LoraFileError: not there or damaged.
    """
    try:
        tensors: dict[str, torch.Tensor] = load_file(str(path))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise LoraFileError(f"{path} can't be read ({error})", "give a whole .safetensors file") from error
    return tensors


def _scalar(value: float, dtype: torch.dtype) -> torch.Tensor:
    """A number in ``dtype``, or in float32 where that would change it."""
    tensor = torch.tensor(value, dtype=dtype)
    return tensor if float(tensor) == value else torch.tensor(value, dtype=torch.float32)
