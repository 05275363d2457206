"""Going on from an existing LoRA or LoKr file, in whatever spelling. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.errors import LoraFileError
from engine.lora.file import LoraContents, LoraPair, read_contents
from engine.lora.lokr import Lokr
from engine.lora.module_names import Part, name_in_file


@dataclass(frozen=True)
class InitResult:
    """A LoRA to start from, as far as it fits."""

    tensors: Mapping[Part, dict[str, torch.Tensor]]
    """By the names of ``lora_state``, in float32."""
    left_out: tuple[str, ...]
    """Modules of the file that the run does not train."""
    fresh: int
    """How many modules the run trains that the file has not: they start at 0."""


Take = Callable[[LoraPair | Lokr, Part, str], Mapping[str, torch.Tensor]]
"""Makes of a file's module the tensors of the run's module of that part and name. Raises LoraFileError."""


def read_start(
    path: Path,
    modules: Mapping[Part, Iterable[str]],
    rank: int,
    alpha: float,
    layers_per_block: int | None,
    family: str | None = None,
) -> InitResult:
    """Reads a LoRA for a run to go on from. What it does to the model (ΔW) is the same with the run's own alpha.

    A module of a lower rank than the run's keeps its ΔW; the ranks that it lacks begin as a fresh LoRA's do.

    Args:
        path: the file.
        modules: the run's modules by part, in diffusers' names.
        rank: the run's.
        alpha: the run's.
        layers_per_block: of the base model's U-Net; None: its family's files have dotted names.
        family: the name of the base model's; None: any with such names.

    Raises:
        LoraFileError: it can't be read, is a LoKr, has a module of a higher rank, or none of the run's.
    """
    contents = read_contents(path, layers_per_block, family)
    largest = max(each.rank for each in contents.modules.values()) if contents.modules else 0

    def take(pair: LoraPair | Lokr, _part: Part, module: str) -> Mapping[str, torch.Tensor]:
        if isinstance(pair, Lokr):
            raise LoraFileError(f"{path.name} is a LoKr, and training.network is lora", "set training.network to lokr")
        if pair.magnitude is not None or pair.bias is not None:
            raise LoraFileError(f"{path.name} is a DoRA, whose scales would be lost", "start from a plain LoRA")
        if pair.rank > rank:
            raise LoraFileError(f"{path.name}: {module} has rank {pair.rank}", f"set training.rank to {largest}")
        down, up = _of_rank(pair, rank, module)
        return {f"{module}.lora_A.weight": down, f"{module}.lora_B.weight": up * (pair.scale / (alpha / rank))}

    return _begun(path, contents, modules, take, layers_per_block)


def read_lokr_start(
    path: Path,
    states: Mapping[Part, Mapping[str, torch.Tensor]],
    scale: float,
    layers_per_block: int | None,
    family: str | None = None,
) -> InitResult:
    """Reads a LoKr for a run to go on from, with an equal ΔW.

    Args:
        path: the file.
        states: the run's own LoKr by part, as ``lora_state`` has it.
        scale: the run's alpha / rank.
        layers_per_block: of the base model's U-Net; None: its family's files have dotted names.
        family: the name of the base model's; None: any with such names.

    Raises:
        LoraFileError: it can't be read, is a LoRA, has a module of another factor or rank, or none of the run's.
    """
    wanted: dict[Part, dict[str, dict[str, torch.Size]]] = {part: {} for part in states}
    for part, state in states.items():
        for name, tensor in state.items():
            wanted[part].setdefault(module_of_tensor(name), {})[name] = tensor.shape

    def take(pair: LoraPair | Lokr, part: Part, module: str) -> Mapping[str, torch.Tensor]:
        if not isinstance(pair, Lokr):
            raise LoraFileError(f"{path.name} is a LoRA, and training.network is lokr", "set training.network to lora")
        if pair.rows is not None:
            what = f"{path.name} has one LoKr for {module} and others together"
            raise LoraFileError(what, "start from one in diffusers' names")
        own = pair.scaled(scale if pair.rank else 1.0).tensors(module)
        if {name: each.shape for name, each in own.items()} != wanted[part][module]:
            what = f"{path.name}: {module} has another factor or rank than training.factor and training.rank say"
            raise LoraFileError(what, "see: limner lora show")
        return {name: each.float() for name, each in own.items()}

    return _begun(path, read_contents(path, layers_per_block, family), wanted, take, layers_per_block)


def module_of_tensor(name: str) -> str:
    """The module that a tensor of ``lora_state`` belongs to."""
    return name.rpartition(".lora_")[0] or name.rpartition(".lokr_")[0]


def _begun(
    path: Path,
    contents: LoraContents,
    modules: Mapping[Part, Iterable[str]],
    take: Take,
    layers_per_block: int | None,
) -> InitResult:
    places = {(part, _plain(module)): module for part, names in modules.items() for module in names}
    found: dict[Part, dict[str, torch.Tensor]] = {part: {} for part in modules}
    left_out, taken = list(contents.left_out), set()
    for (part, spelt), pair in contents.modules.items():
        module = places.get((part, _plain(spelt)))
        if module is None:
            left_out.append(_told(part, spelt, layers_per_block))
            continue
        found[part] |= take(pair, part, module)
        taken.add((part, module))
    if not taken:
        raise LoraFileError(f"{path.name} fits no module of this base model", "see: limner lora show")
    return InitResult(found, tuple(left_out), len(places) - len(taken))


def _of_rank(pair: LoraPair, rank: int, module: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Its matrices in float32, filled up to a rank by rows that a fresh LoRA begins with and zeros: ΔW is the same."""
    down, up = pair.down.float().flatten(1), pair.up.float()
    missing = rank - pair.rank
    if not missing:
        return down, up
    # As peft begins, Kaiming's uniform with a = √5: up to 1/√inputs either way. By the module's name, so that each
    # process of a run draws the same.
    randomness = torch.Generator().manual_seed(sum(module.encode()))
    rows = (torch.rand(missing, down.shape[1], generator=randomness) * 2 - 1) / down.shape[1] ** 0.5
    return torch.cat([down, rows]), torch.cat([up, torch.zeros(up.shape[0], missing)], dim=1)


def _told(part: Part, module: str, layers_per_block: int | None) -> str:
    """A module's name as the family's files have it, where they have it."""
    try:
        return name_in_file(module, part, layers_per_block)
    except LoraFileError:
        return f"{part}{module}"


def _plain(module: str) -> str:
    """Without what some versions of transformers put before a text encoder's modules."""
    return module.removeprefix("text_model.")
