"""Several processes that train one LoRA together, by accelerate and torch.distributed. Needs torch.

Every process holds the whole model and sees its share of each step's images. The gradients are added up over all of
them before the step, so that it is the step of one process with as many times the batch. Only the first one writes
and is asked anything; the others follow it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from engine import events
from engine.errors import LimnerError, TrainingError
from engine.jobs.fast_imports import fast_imports
from engine.jobs.folder import JobFolder, Request
from engine.jobs.machine import die_with_parent
from engine.jobs.worker import Context
from engine.secrets import without_secrets
from engine.security.private_files import story_of
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_json

PATIENCE = timedelta(hours=6)
"""How long a process waits for the others: for the first one while it encodes a dataset, paints, or is paused."""

SAID_NAME = "process-said.json"
"""What the process that failed first says, or why the first process ended early, in the run's folder."""


class SingleProcess:
    """The only process."""

    is_main_process = True
    """Whether it is the one that writes and is asked."""

    def share(self, count: int) -> Sequence[int]:
        """The places of this process's images among the ``count`` of a step."""
        return range(count)

    def all_reduce(self, gradient: torch.Tensor, loss: torch.Tensor, failed: bool) -> torch.Tensor:
        """Adds up the gradient [n], in place, and the loss over the processes; returns the loss.

        Raises:
            torch.OutOfMemoryError: some process had no memory for its share.
        """
        return loss

    def broadcast(self, question: Callable[[], bool]) -> bool:
        """The first process's answer."""
        return question()

    def main_process_first(self, work: Callable[[], Any]) -> Any:
        """Does some work after the first process has done it. Returns what it returns."""
        return work()


class DistributedProcess(SingleProcess):
    """One of several processes, which a launcher started and told each other's address."""

    def __init__(self) -> None:
        from accelerate import PartialState

        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
        self._message: torch.Tensor | None = None
        self._parent = os.getppid()
        self.is_main_process = self._state.is_main_process

    def share(self, count: int) -> Sequence[int]:
        """Every so many-th."""
        return range(self._state.process_index, count, self._state.num_processes)

    def all_reduce(self, gradient: torch.Tensor, loss: torch.Tensor, failed: bool) -> torch.Tensor:
        """In one message: the gradient, the loss, and whether a share did not fit into memory."""
        from accelerate.utils import reduce

        if os.getppid() != self._parent:
            raise TrainingError("the job's process is gone", "resume it with: limner resume")
        if self._message is None:
            self._message = torch.zeros(len(gradient) + 2, device=gradient.device)
        self._message[:-2] = gradient
        self._message[-2] = loss
        self._message[-1] = float(failed)
        added = reduce(self._message, "sum")
        if added[-1] > 0:
            raise torch.OutOfMemoryError("one of the processes ran out of memory")
        gradient.copy_(added[:-2])
        return added[-2].clone()  # type: ignore[no-any-return]

    def broadcast(self, question: Callable[[], bool]) -> bool:
        """Asked of the first alone, and told to all."""
        from accelerate.utils import broadcast_object_list

        return bool(broadcast_object_list([question() if self.is_main_process else None])[0])

    def main_process_first(self, work: Callable[[], Any]) -> Any:
        """The first goes first."""
        with self._state.main_process_first():
            return work()


class Follower(Context):
    """What a process gets that is not the first: it tells nothing and is asked nothing."""

    def emit(self, event: events.Event) -> None:
        """The first process tells it."""

    def asked(self) -> frozenset[Request]:
        """The first process is asked."""
        return frozenset()


def launch(context: Context, processes: int, work: str) -> None:
    """Starts the processes of a run and waits until they have ended, with torch's launcher, as accelerate does it.

    Args:
        context: the job's.
        processes: how many.
        work: what each does, ``MODULE:FUNCTION``; it gets its context and the processes.

    Raises:
        TrainingError: one of them failed, in its own words.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    said = context.folder.path / SAID_NAME
    said.unlink(missing_ok=True)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=context.folder.id,
        max_restarts=0,
        start_method="spawn",
    )
    try:
        elastic_launch(config, _one_of_them)(str(context.folder.path), work)
    except ChildFailedError as error:
        log = f"the traceback is in {context.folder.log_path}"
        raise TrainingError(*_words(said, ("one of the processes ended without a word", log))) from error
    else:
        context.reason = _words(said, ("", ""))[0] or context.reason
    finally:
        said.unlink(missing_ok=True)


def _one_of_them(folder: str, work: str) -> None:
    """What each of the processes does."""
    die_with_parent()
    module, _, function = work.partition(":")
    job = JobFolder(Path(folder))
    try:
        with fast_imports():
            does = importlib.import_module(module)
        together = DistributedProcess()
        context = Context(job) if together.is_main_process else Follower(job)
        getattr(does, function)(context, together)
        if context.reason:
            _say(job, context.reason, "")
    except LimnerError as error:
        _say(job, error.what, error.fix)
        raise
    except Exception as error:
        print(story_of(error), file=sys.stderr)
        _say(job, without_secrets(f"{type(error).__name__}: {error}"), f"the traceback is in {job.log_path}")
        raise


def _say(job: JobFolder, what: str, fix: str) -> None:
    said = job.path / SAID_NAME
    # The others fail because the first to fail is gone: that is no news.
    if not said.exists():
        write_text(said, json.dumps({"what": what, "fix": fix}))


def _words(said: Path, otherwise: tuple[str, str]) -> tuple[str, str]:
    try:
        record = read_json(said)
        return str(record["what"]), str(record["fix"])
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise
