"""Killing processes of this machine by their command lines, as one that goes down does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.jobs.folder import JobFolder
from tests.support.patience import wait_until


def kill_processes(wanted: Callable[[list[str]], bool]) -> None:
    """All whose words are wanted."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted((folder / "cmdline").read_bytes().decode().split("\0")):
                os.kill(int(folder.name), signal.SIGKILL)


def kill_job(job: JobFolder) -> None:
    """A job's process here."""
    kill_processes(lambda words: "engine.jobs.worker" in words and str(job.path.resolve()) in words)
    wait_until(lambda: not job.alive())
