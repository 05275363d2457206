"""``python -m tests.support.killing FOLDER KILLS [BASE [NETWORK]]``: kills runs, and compares with an unbroken one.

A process that has everything imported forks one child after the other; each goes on with the run of the child before
it and sends itself SIGKILL at a place that was drawn before: inside a step, between the halves of a line of the log or
of a file that is being written, before or after a file is renamed. Prints one JSON document.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from engine import events
from engine.jobs import worker
from engine.jobs.folder import JobFolder
from engine.lora.header import read_metadata
from engine.storage import atomic_files
from engine.training import loop
from engine.training.run import train
from tests.support.run_here import losses, of_kind, ordered
from tests.support.small_project import small_project

SETTINGS = {"training__save_every_n_steps": 2, "training__keep_checkpoints": 1, "training__ema_decay": 0.9}
"""What the run has besides: a checkpoint between those of epochs, one of them kept, a moving average."""

CLOCKS = ("modelspec.date", "ss_training_started_at", "ss_training_finished_at")
"""What a checkpoint says of the time, which another run has otherwise."""


WORK = train
"""Imported once with all that it needs: children inherit it."""


Deadly = tuple[str, int]
"""How the name of a place begins, and which time it is deadly to come by it."""


class Places:
    """Counts the places that a run comes by, and ends its process at one of them."""

    def __init__(self, deadly: Deadly | None, note: Path) -> None:
        self._deadly, self._note, self._passed = deadly, note, 0

    def pass_by(self, name: str) -> None:
        if self._deadly is not None and not name.startswith(self._deadly[0]):
            return
        self._passed += 1
        if self._deadly is None:
            with self._note.open("a") as note:
                note.write(f"{name}\n")
        elif self._passed == self._deadly[1]:
            self._note.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def passing(*args: Any, **named: Any) -> Any:
            self.pass_by(f"before {name}")
            found = work(*args, **named)
            self.pass_by(f"after {name}")
            return found

        return passing

    def halved(self, write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
        """Writes a line in two halves, with a place between them."""

        def in_halves(handle: int, data: bytes) -> int:
            half = len(data) // 2
            self.pass_by("before a line of the log")
            write(handle, data[:half])
            self.pass_by("inside a line of the log")
            return half + write(handle, data[half:])

        return in_halves

    def install(self) -> None:
        os.replace = self.around("renaming a file", os.replace)
        os.fsync = self.around("syncing a file", os.fsync)
        os.write = self.halved(os.write)  # type: ignore[assignment]
        loop.train_step = self.around("a step", loop.train_step)
        torch.optim.AdamW.step = self.around("moving the weights", torch.optim.AdamW.step)  # type: ignore[method-assign]
        real_file = atomic_files.whole_file

        @contextmanager
        def whole_file(path: Path, durable: bool = True) -> Iterator[Any]:
            with real_file(path, durable) as handle:
                yield self.in_halves(path, handle) if "safetensors" in path.name else handle

        atomic_files.whole_file = whole_file  # type: ignore[assignment]

    def in_halves(self, path: Path, handle: BinaryIO) -> Any:
        """A file that is written in two halves, with a place between them."""
        sort = "a checkpoint" if path.parent.name == "checkpoints" else f"the {path.parent.name}"

        def write(data: bytes) -> int:
            half = len(data) // 2
            written = handle.write(data[:half])
            handle.flush()
            self.pass_by(f"inside writing {sort}")
            return int(written + handle.write(data[half:]))

        return _Handle(handle, write)


INSIDE = "inside writing"


class _Handle:
    """A file whose ``write`` is another."""

    def __init__(self, handle: Any, write: Callable[[bytes], int]) -> None:
        self._handle, self.write = handle, write

    def __enter__(self) -> _Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


def child(job: JobFolder, deadly: Deadly | None, note: Path) -> int:
    """Goes on with the run in a process of its own. Returns its wait status."""
    pid = os.fork()
    if pid == 0:
        printed = os.open(job.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        note.unlink(missing_ok=True)
        Places(deadly, note).install()
        os._exit(worker.run(job.path))
    return os.waitpid(pid, 0)[1]


def tensors_of(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw[8 + int.from_bytes(raw[:8], "little") :]


def about(path: Path) -> dict[str, str]:
    return {key: value for key, value in read_metadata(path).items() if key not in CLOCKS}


def differences(whole: JobFolder, broken: JobFolder) -> list[str]:
    """What of the broken run is not the unbroken one's, bit for bit."""
    found = []
    if losses(whole) != losses(broken):
        found.append("losses")
    files = {each.name for each in (whole.path / "checkpoints").iterdir()}
    if files != {each.name for each in (broken.path / "checkpoints").iterdir()}:
        found.append("the checkpoints that are there")
    if halves := list(broken.path.glob("*/*.safetensors*.part")):
        found.append(f"half-written files are left: {halves[0].name}")
    for name in sorted(files):
        one, other = (each.path / "checkpoints" / name for each in (whole, broken))
        if not other.exists() or tensors_of(one) != tensors_of(other) or about(one) != about(other):
            found.append(name)
    states = [each.path / "state" / "latest.safetensors" for each in (whole, broken)]
    if tensors_of(states[0]) != tensors_of(states[1]):
        found.append("the last state")
    if {each.epoch for each in of_kind(broken, events.Epoch)} != {each.epoch for each in of_kind(whole, events.Epoch)}:
        found.append("the epochs that were told")
    return found


def campaign(
    folder: Path,
    kills: int,
    seed: int = 0,
    until: float | None = None,
    base: str = "demo",
    network: str = "lora",
) -> dict[str, Any]:
    """Kills runs until ``kills`` processes were killed, or that moment of the monotonic clock; every run is brought to
    its end."""
    began = time.monotonic()
    settings = {**SETTINGS, "training__network": network}
    project = small_project(folder / "james", images=4, training__batch_size=2, base__model=base)
    whole = ordered(project, "whole", **settings)
    assert child(whole, None, folder / "note") == 0, whole.log_path.read_text()
    places = (folder / "note").read_text().splitlines()
    randomness = random.Random(seed)
    died: Counter[str] = Counter()
    wrong: list[str] = []
    runs = 0
    inside = sum(name.startswith(INSIDE) for name in places)
    while sum(died.values()) < kills and (until is None or not runs or time.monotonic() < until):
        runs += 1
        broken = ordered(project, f"broken-{runs}", **settings)
        # Killed while a file is being written, and then where it happens to be when it goes on from there.
        for deadly in ((INSIDE, randomness.randint(1, inside)), ("", randomness.randint(1, len(places) // 2))):
            if sum(died.values()) == kills or os.WIFEXITED(child(broken, deadly, folder / "note")):
                break
            died[(folder / "note").read_text()] += 1
        if child(broken, None, folder / "note") != 0:
            wrong.append(f"{broken.id} did not end well")
        wrong += [f"{broken.id}: {each}" for each in differences(whole, broken)]
    return {
        "kills": sum(died.values()),
        "runs": runs,
        "places": len(places),
        "died": dict(sorted(died.items())),
        "wrong": wrong,
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    base, network = (*sys.argv[3:], *("demo", "lora")[len(sys.argv) - 3 :])
    print(json.dumps(campaign(Path(sys.argv[1]), int(sys.argv[2]), base=base, network=network), indent=1))
