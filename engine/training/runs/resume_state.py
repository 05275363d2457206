"""What a run needs to go on: the data it sees, its LoRA, its optimizer, its place. Needs torch.

``state/data.safetensors`` is written once, ``state/latest.safetensors`` whole with each checkpoint and when the run is
told to stop; its place travels in the same file, so that the two can't come apart. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from engine.errors import LoraFileError
from engine.lora.file import load_tensors, write_tensors
from engine.lora.header import read_metadata
from engine.storage.untrusted_files import parse_json
from engine.training.data.tensors import TrainingData
from engine.training.step.memory_fallback import MicrobatchPlan
from engine.training.step.optimizers import memory_of, remember

DATA_NAME = "data.safetensors"
STATE_NAME = "latest.safetensors"


@dataclass(frozen=True)
class TrainingPosition:
    """How far a run is."""

    step: int = 0
    """Optimizer steps done."""
    epoch_loss: float = 0.0
    """The sum of the losses of the steps done in the epoch under way."""
    epoch_seconds: float = 0.0
    """Seconds spent in the epoch under way."""
    spent_seconds: float = 0.0
    """Seconds spent in all."""
    fitting: MicrobatchPlan | None = None
    """How the work was cut so that it fits into memory; None: as the settings say."""


@dataclass(frozen=True)
class OptimizerState:
    """What a learner remembers, on the CPU: tensors and plain numbers, by names of their own."""

    tensors: Mapping[str, torch.Tensor]
    """``PART/NAME`` for the LoRA and the like, ``optimizer/PARAMETER/SLOT``."""
    plain: Mapping[str, Any] = field(default_factory=dict)
    """What of the optimizer is no tensor."""

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, **parts: Mapping[str, torch.Tensor]) -> OptimizerState:
        """Copies an optimizer's memory and some tensors of other parts."""
        tensors, plain = memory_of(optimizer)
        found = {f"optimizer/{name}": each for name, each in tensors.items()}
        for part, named in parts.items():
            for name, each in named.items():
                found[f"{part}/{name}"] = each.detach().to("cpu", copy=True).contiguous()
        return cls(found, plain)

    def part(self, part: str) -> dict[str, torch.Tensor]:
        """The tensors of one part."""
        return {
            name.removeprefix(f"{part}/"): each for name, each in self.tensors.items() if name.startswith(f"{part}/")
        }

    def give_back(self, optimizer: torch.optim.Optimizer) -> None:
        """Gives an optimizer its memory."""
        remember(optimizer, self.part("optimizer"), self.plain)


def write_data(folder: Path, data: TrainingData) -> None:
    """Keeps the data of a run, so that going on needs neither the dataset nor the models that encoded it."""
    write_tensors(folder / DATA_NAME, {name: each.contiguous() for name, each in data.tensors().items()}, {})


def read_data(folder: Path, old_names: Mapping[str, str]) -> TrainingData | None:
    """The data of a run; None where it never got so far.

    Args:
        folder: the run's state.
        old_names: what tensors of captions were called in earlier versions, and are called now.

    Raises:
        LoraFileError: a damaged file.
    """
    path = folder / DATA_NAME
    if not path.exists():
        return None
    tensors = load_tensors(path)
    try:
        return TrainingData.of(_brought_over(tensors, old_names))
    except (KeyError, ValueError) as error:
        raise LoraFileError(f"{path} is not a run's data", "start a new run") from error


def _brought_over(tensors: Mapping[str, torch.Tensor], old_names: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Tensors by the names of now: earlier versions knew one family, and its tensors lay among all others."""
    fields_of_now = {each.name for each in fields(TrainingData)}
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if "/" in name or name in fields_of_now:
            found[name] = tensor
        else:
            found[f"text/{old_names[name]}" if name in old_names else f"image/{name}"] = tensor
    return found


def write_state(folder: Path, place: TrainingPosition, memory: OptimizerState) -> None:
    """Writes where a run stands, whole. Raises LoraFileError where the disk refuses."""
    about = {"place": json.dumps(asdict(place)), "optimizer": json.dumps(memory.plain)}
    write_tensors(folder / STATE_NAME, dict(memory.tensors), about)


def read_state(folder: Path) -> tuple[TrainingPosition, OptimizerState] | None:
    """Reads where a run stood; None where it never got so far.

    Raises:
        LoraFileError: a damaged file.
    """
    path = folder / STATE_NAME
    if not path.exists():
        return None
    tensors = load_tensors(path)
    try:
        about = read_metadata(path)
        record = parse_json(about["place"])
        fitting = record.pop("fitting", None)
        place = TrainingPosition(**record, fitting=MicrobatchPlan.read(fitting) if fitting else None)
        return place, OptimizerState(tensors, parse_json(about["optimizer"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LoraFileError(f"{path} is not a run's state", "start a new run") from error
