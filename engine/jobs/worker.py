"""The job's own process: ``python -m engine.jobs.worker FOLDER``.

The only process that imports the modules which need torch.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from engine import events
from engine.errors import LimnerError
from engine.jobs import work
from engine.jobs.card import all_held_for_training
from engine.jobs.folder import EventLog, JobFolder, JobKind, Request, this_machine


class Context:
    """What a job's function gets: its order, a way to tell, and a way to be told."""

    def __init__(self, folder: JobFolder) -> None:
        order = folder.read_order()
        self.folder = folder
        self.project: Path = order.project
        self.args: dict[str, Any] = order.args
        self.listeners: list[Callable[[events.Event], None]] = []
        """Take each event too, after the log."""
        self._log = EventLog(folder.events_path)

    def emit(self, event: events.Event) -> None:
        """Appends an event to the job's log."""
        self._log.emit(event)
        for listener in self.listeners:
            listener(event)

    def asked(self) -> frozenset[Request]:
        """What the job is asked at present."""
        return self.folder.asked()

    def should_stop(self) -> bool:
        """Whether the job is asked to stop now."""
        return Request.STOP in self.folder.asked()

    def fail(self, what: str, fix: str = "") -> None:
        """Tells that the job failed, and why."""
        self.emit(events.Error(what, fix))
        self.emit(events.Job(events.JobState.FAILED, reason=f"{what}: {fix}" if fix else what))


def run(folder: Path) -> int:
    """Does the folder's job. Returns the process's exit status: 0 done, 1 failed."""
    context = Context(JobFolder(folder))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        context.folder.ask(Request.STOP)

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    context.emit(events.Job(events.JobState.RUNNING, pid=os.getpid(), host=this_machine()))
    kind = context.folder.read_order().kind
    module, function = work.WORK[kind].split(":")
    try:
        with _cards(context, kind):
            getattr(importlib.import_module(module), function)(context)
    except LimnerError as error:
        context.fail(error.what, error.fix)
        return 1
    except Exception as error:
        traceback.print_exc()
        context.fail(f"{type(error).__name__}: {error}", f"the whole story is in {context.folder.log_path}")
        return 1
    reason = "stopped on request" if context.asked() & {Request.STOP, Request.STOP_AFTER_EPOCH} else None
    context.folder.answered(*context.asked())
    context.emit(events.Job(events.JobState.DONE, reason=reason))
    return 0


def _cards(context: Context, kind: JobKind) -> AbstractContextManager[None]:
    """A run that trains has the machine's cards for itself: a painter gives them back."""
    if kind not in (JobKind.TRAIN, JobKind.PROBE):
        return nullcontext()
    return all_held_for_training(lambda text: context.emit(events.Phase(text, 0, 1)))


if __name__ == "__main__":
    raise SystemExit(run(Path(sys.argv[1])))
