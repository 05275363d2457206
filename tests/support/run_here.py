"""Training runs in the test's own process, where something can be put in their way."""

from __future__ import annotations

import signal
from typing import Any

from engine import events
from engine.jobs import worker
from engine.jobs.folder import JobFolder, JobKind, Order
from engine.project import Project
from engine.settings import with_changes
from engine.training.runs.run_status import RunStatus, run_status


def ordered(project: Project, name: str = "20261121-1403-jx265", **changes: object) -> JobFolder:
    """A run's folder with its order; ``changes`` are settings with ``__`` for the dot."""
    settings = with_changes(project.settings, {key.replace("__", "."): value for key, value in changes.items()})
    job = JobFolder(project.runs / name)
    job.write_order(Order(JobKind.TRAIN, project.root, {"settings": settings.model_dump(mode="json")}))
    return job


def run_here(job: JobFolder) -> RunStatus:
    """Does a job, or goes on with it, and returns where it stands then."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)}
    try:
        worker.run(job.path)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return run_status(job)


def of_kind(job: JobFolder, kind: type[events.Event]) -> list[Any]:
    """The events of one kind that a job's log holds."""
    return [entry.event for entry in job.entries() if isinstance(entry.event, kind)]


def losses(job: JobFolder) -> dict[int, float]:
    """Each step's loss; where a step was done again, the later one."""
    return {each.step: each.loss for each in of_kind(job, events.Step)}
