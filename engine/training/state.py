"""What a run needs to go on: the data it sees, its LoRA, its optimizer, its place. Needs torch.

``state/data.safetensors`` is written once, ``state/latest.safetensors`` whole after each epoch and when the run is
told to stop; its place travels in the same file, so that the two can't come apart. Nothing is pickled.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from engine.errors import LoraFileError
from engine.training.caches import TrainingData
from engine.training.lora_file import load_tensors, write_tensors
from engine.training.lora_header import read_metadata

DATA_NAME = "data.safetensors"
STATE_NAME = "latest.safetensors"


@dataclass(frozen=True)
class Place:
    """How far a run is."""

    step: int = 0
    """Optimizer steps done."""
    epoch_loss: float = 0.0
    """The sum of the losses of the steps done in the epoch under way."""
    epoch_seconds: float = 0.0
    """Seconds spent in the epoch under way."""
    spent_seconds: float = 0.0
    """Seconds spent in all."""


def write_data(folder: Path, data: TrainingData) -> None:
    """Keeps the data of a run, so that going on needs neither the dataset nor the models that encoded it."""
    write_tensors(folder / DATA_NAME, {name: each.contiguous() for name, each in data.tensors().items()}, {})


def read_data(folder: Path) -> TrainingData | None:
    """The data of a run; None where it never got so far. Raises LoraFileError for a damaged file."""
    path = folder / DATA_NAME
    return TrainingData(**load_tensors(path)) if path.exists() else None


def write_state(folder: Path, place: Place, lora: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Writes where a run stands, whole."""
    tensors = {f"lora/{name}": tensor.detach().cpu().contiguous() for name, tensor in lora.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            tensors[f"optimizer/{number}/{slot}"] = torch.as_tensor(value).detach().cpu().contiguous()
    write_tensors(folder / STATE_NAME, tensors, {"place": json.dumps(asdict(place))})


def read_state(folder: Path, optimizer: torch.optim.Optimizer) -> tuple[Place, dict[str, torch.Tensor]] | None:
    """Reads where a run stood and gives the optimizer its memory back.

    Returns:
        The place and the LoRA's tensors; None where the run never got so far.

    Raises:
        LoraFileError: a damaged file.
    """
    path = folder / STATE_NAME
    if not path.exists():
        return None
    tensors = load_tensors(path)
    try:
        place = Place(**json.loads(read_metadata(path)["place"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LoraFileError(f"{path} is no state of a run", "start the run anew") from error
    lora = {name.removeprefix("lora/"): each for name, each in tensors.items() if name.startswith("lora/")}
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, number, slot = name.split("/")
            slots.setdefault(int(number), {})[slot] = tensor
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return place, lora
