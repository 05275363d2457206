"""What a run leaves on disk as it goes: its checkpoints, and the state to go on from. Needs torch.

Both are copied off the device at once and written by a thread, in their order, while training goes on: a checkpoint is
whole before the state that comes after it is, so a run killed in between does those steps again and writes the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from engine import events
from engine.training.lora_file import pairs_of_peft, write_lora
from engine.training.lora_metadata import LoraFacts
from engine.training.state import Memory, Place, write_state

WAITING = 4
"""How many writings may wait for the disk; then training waits too."""


class Keeper:
    """Writes into a run's folder, in the background, in order.

    Args:
        folder: the run's.
        tell: takes the event of each checkpoint once it is whole.
        layers_per_block: of the base model's U-Net, which the names in the LoRA file depend on.
    """

    def __init__(self, folder: Path, tell: Callable[[events.Event], None], layers_per_block: int) -> None:
        self._folder, self._tell, self._layers = folder, tell, layers_per_block
        self._thread = ThreadPoolExecutor(1, "keeper")
        self._waiting: deque[Future[None]] = deque()

    def checkpoint(self, name: str, lora: dict[str, torch.Tensor], facts: LoraFacts) -> None:
        """Writes a LoRA file into ``checkpoints/`` and tells of it."""
        self._do(lambda: self._write_checkpoint(name, lora, facts))

    def state(self, place: Place, memory: Memory) -> None:
        """Writes the state that a run goes on from."""
        self._do(lambda: write_state(self._folder / "state", place, memory))

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

    def _write_checkpoint(self, name: str, lora: dict[str, torch.Tensor], facts: LoraFacts) -> None:
        path = f"checkpoints/{name}.safetensors"
        write_lora(self._folder / path, pairs_of_peft(lora, facts.alpha), facts, self._layers)
        self._tell(events.Checkpoint(path, facts.epoch or 0, facts.steps or 0))
