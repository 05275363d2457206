"""The job's own process: ``python -m engine.jobs.worker FOLDER``.

The only process that imports the modules which need torch.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

from engine import events
from engine.errors import LimnerError
from engine.jobs import work
from engine.jobs.fast_imports import fast_imports
from engine.jobs.folder import EventLog, JobFolder, JobKind, Request, this_machine
from engine.jobs.gpu_in_use import all_held_for_training
from engine.jobs.machine import boot_id
from engine.jobs.needed_packages import missed
from engine.jobs.start import NEEDED_BY
from engine.secrets import HidingStream, register_secret, without_secrets
from engine.security.private_files import keep_private, story_of
from engine.storage.os_errors import explain

NICE = 5
"""How far a job stands behind, of 19."""


class Context:
    """What a job's function gets: its order, a way to tell, and a way to be told."""

    def __init__(self, folder: JobFolder) -> None:
        order = folder.read_order()
        self.folder = folder
        self.began = time.monotonic()
        """When the process began, but for what it imported until here."""
        self.project: Path = order.project
        self.args: dict[str, Any] = order.args
        self.listeners: list[Callable[[events.Event], None]] = []
        """Take each event too, after the log."""
        self.reason: str | None = None
        """Why the job ends before it is through, where nobody asked it to."""
        self._log = EventLog(folder.events_path)

    def emit(self, event: events.Event) -> None:
        """Appends an event to the job's log."""
        self._log.emit(event)
        for listener in self.listeners:
            listener(event)

    def relay(self, line: str) -> None:
        """Appends a line of another machine's log to the job's own."""
        self._log.relay(line)

    def asked(self) -> frozenset[Request]:
        """What the job is asked at present."""
        return self.folder.asked()

    def should_stop(self) -> bool:
        """Whether the job is asked to stop now."""
        return Request.STOP in self.folder.asked()

    def fail(self, what: str, fix: str = "") -> None:
        """Tells that the job failed, and why; on a full disk, too."""
        self.end(events.Error(what, fix), events.Job(events.JobState.FAILED, reason=f"{what}: {fix}" if fix else what))

    def end(self, *last: events.Event) -> None:
        """Tells the last there is to tell, into the room that was kept for it."""
        for event in last:
            self._log.emit_last(event)
        for event in last:
            for listener in self.listeners:
                # The job is over: who only listened can't change that any more.
                with contextlib.suppress(Exception):
                    listener(event)


def run(folder: Path) -> int:
    """Does the folder's job. Returns the process's exit status: 0 done, 1 failed."""
    context = Context(JobFolder(folder))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        context.folder.ask(Request.STOP)

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        context.emit(events.Job(events.JobState.RUNNING, pid=os.getpid(), host=this_machine(), boot=boot_id()))
        kind = context.folder.read_order().kind
        module, function = work.WORK[kind].split(":")
        with _cards(context, kind):
            with fast_imports():
                does = importlib.import_module(module)
            getattr(does, function)(context)
    except Exception as error:
        context.fail(*_told(context, error))
        return 1
    reason = "stopped on request" if context.asked() & {Request.STOP, Request.STOP_AFTER_EPOCH} else context.reason
    context.folder.answered(*context.asked())
    context.end(events.Job(events.JobState.DONE, reason=reason))
    return 0


def _told(context: Context, error: Exception) -> tuple[str, str]:
    """An error in a user's words: what happened, and what to do. What is none of ours is printed whole."""
    told = missed(error) or explain(error)
    if told is None or not isinstance(error, LimnerError):
        # Printed into a file, which a full disk refuses as well.
        with contextlib.suppress(OSError):
            print(story_of(error), file=sys.stderr)
    if told is not None:
        return told.what, told.fix
    return without_secrets(f"{type(error).__name__}: {error}"), f"the traceback is in {context.folder.log_path}"


def _cards(context: Context, kind: JobKind) -> AbstractContextManager[None]:
    """A run that trains has the machine's cards for itself: a painter gives them back."""
    if kind not in (JobKind.TRAIN, JobKind.PROBE):
        return nullcontext()
    return all_held_for_training(lambda text: context.emit(events.Phase(text, 0, 1)))


def give_way() -> None:
    """Lets whoever types go first where cores are short: an app beside a run answers its keys all the same.

    A process with a session of its own has a share of its own in the machine, in which being nice means nothing, so
    that the share is made nice, too (sched(7), "The autogroup feature").
    """
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))


def fetch_no_code() -> None:
    """Lets no library run code that it fetches: where Hugging Face's ``kernels`` is installed, bitsandbytes does so as
    soon as it is imported, and without it takes what it brings along."""
    sys.modules["kernels"] = None  # type: ignore[assignment]


def main(folder: Path) -> int:
    """The process of a job, from its first moment on; returns its exit status, as ``run`` does."""
    keep_private()
    fetch_no_code()
    give_way()
    for secret in NEEDED_BY:
        register_secret(os.environ.get(secret))
    # What libraries print goes into the job's log.
    sys.stdout, sys.stderr = cast(TextIO, HidingStream(sys.stdout)), cast(TextIO, HidingStream(sys.stderr))
    return run(folder)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
