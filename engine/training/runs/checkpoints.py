"""What a run leaves on disk as it goes: its checkpoints, and the state to go on from. Needs torch.

Both are copied off the device at once and written by a thread, in their order, while training goes on: a checkpoint is
whole before the state that comes after it is, so a run killed in between does those steps again and writes the same.
"""

from __future__ import annotations

import glob
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from engine import events
from engine.lora.file import LoraPair, modules_of_peft, write_bytes, write_lora
from engine.lora.lokr import Lokr
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part
from engine.training.runs.resume_state import OptimizerState, TrainingPosition, write_state
from engine.training.runs.start import file_stem

Lora = Mapping[Part, Mapping[str, torch.Tensor]]
"""The tensors of each part of the model."""

WAITING = 4
"""How many writings may wait for the disk; then training waits too."""


@dataclass(frozen=True)
class RetentionPolicy:
    """How many checkpoints are kept of each sort, the newest; None: all. The last of a run always is."""

    of_steps: int | None = None
    of_epochs: int | None = None

    def too_many(self, folder: Path, stem: str) -> list[Path]:
        """The checkpoints in ``folder`` that need not be kept."""
        found: list[Path] = []
        for pattern, count in (("-step*", self.of_steps), ("-[0-9]*", self.of_epochs)):
            # The numbers in the names have leading zeros: by name is by age.
            names = sorted(folder.glob(f"{glob.escape(stem)}{pattern}.safetensors"))
            found += names[:-count] if count else []
        return found


def sweep(folder: Path) -> None:
    """Removes what a killed process had half written: SDXL's state is a gigabyte, each time."""
    for name in ("checkpoints", "state", "samples"):
        for each in (folder / name).glob(".*.part"):
            each.unlink(missing_ok=True)


class CheckpointWriter:
    """Writes into a run's folder, in the background, in order.

    Args:
        folder: the run's.
        tell: takes the event of each checkpoint once it is whole.
        kept: how many checkpoints of steps and of epochs are kept; None: all.
        layers_per_block: of the base model, which the names in the LoRA file depend on.
    """

    def __init__(
        self, folder: Path, tell: Callable[[events.Event], None], kept: RetentionPolicy, layers_per_block: int | None
    ) -> None:
        self._folder, self._tell, self._kept, self._layers = folder, tell, kept, layers_per_block
        self._thread = ThreadPoolExecutor(1, "checkpoint-writer")
        self._waiting: deque[Future[None]] = deque()

    def checkpoint(self, name: str, lora: Lora, facts: LoraFacts) -> None:
        """Writes a LoRA file into ``checkpoints/`` and tells of it."""
        self._do(lambda: self._write_checkpoint(name, lora, facts))

    def state(self, place: TrainingPosition, memory: OptimizerState) -> None:
        """Writes the state that a run goes on from."""
        self._do(lambda: write_state(self._folder / "state", place, memory))

    def picture(self, path: str, png: bytes, sample: events.Sample) -> None:
        """Writes a picture at ``path`` in the run's folder and tells of it."""
        self._do(lambda: self._write_picture(self._folder / path, png, sample))

    def tell(self, event: events.Event) -> None:
        """Tells something after what was written before it."""
        self._do(lambda: self._tell(event))

    def flush(self) -> None:
        """Waits until all is written. Raises LoraFileError where the disk refused."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Ends the thread once all is written."""
        self._thread.shutdown()

    def _do(self, work: Callable[[], None]) -> None:
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= WAITING):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(work))

    def _write_checkpoint(self, name: str, lora: Lora, facts: LoraFacts) -> None:
        path = f"checkpoints/{name}.safetensors"
        pairs: dict[tuple[Part, str], LoraPair | Lokr] = {}
        for part, state in lora.items():
            pairs |= modules_of_peft(state, facts.alpha, part)
        write_lora(self._folder / path, pairs, facts, self._layers)
        old = self._kept.too_many(self._folder / "checkpoints", file_stem(facts.trigger))
        removed = tuple(f"checkpoints/{each.name}" for each in old)
        self._tell(events.Checkpoint(path, facts.epoch or 0, facts.steps or 0, removed))
        # Told first: nobody is to look for a file that is gone.
        for each in old:
            each.unlink(missing_ok=True)

    def _write_picture(self, path: Path, png: bytes, sample: events.Sample) -> None:
        write_bytes(path, png)
        self._tell(sample)
