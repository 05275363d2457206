"""Starting a job: a process of its own session that outlives whoever started it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import events
from engine.errors import JobError
from engine.jobs.folder import EventLog, JobFolder, JobKind, Order


def start(
    folder: Path, kind: JobKind, project: Path, args: dict[str, Any], secrets: Mapping[str, str] | None = None
) -> JobFolder:
    """Starts a job in ``folder`` (made if missing) and returns at once.

    The lock is taken here and handed to the child, so that from the first moment to the last exactly the
    living process holds it. The child has its own session, no terminal, and prints to ``worker.log``. ``secrets``
    are put into its environment and nowhere else.

    Raises:
        JobError: a job already runs in that folder.
    """
    job = JobFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(job.lock_path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobError(f"{job.id} is already running", "follow it with: limner watch") from None
        job.write_order(Order(kind, project.resolve(), args))
        job.answered(*job.asked())
        log = EventLog(job.events_path)
        log.emit(events.Job(events.JobState.STARTING))
        log.close()
        with job.log_path.open("ab") as printed:
            subprocess.Popen(
                [sys.executable, "-m", "engine.jobs.worker", str(folder.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
                cwd="/",
                env={**_environment(), **(secrets or {})},
            )
    finally:
        os.close(lock)
    return job


def _environment() -> dict[str, str]:
    """The child's environment: ours, able to import the engine from where it lies, unbuffered.

    OpenMP's threads sleep while they wait. By default they spin, and on a machine whose cores have other work too
    (another run, the app, a compiler) a thread that spins keeps the one it waits for from running: two trainings at
    once on 2 cores took 85 s for 40 steps, and 10 s for 120 with this.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
