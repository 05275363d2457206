"""How a job other than training stands: folded from its log, read in a thread."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine import events
from engine.errors import JobError, LimnerError
from engine.jobs.folder import EventTail, JobFolder
from engine.jobs.follow import died


@dataclass(frozen=True)
class JobStatus:
    """One job, as far as its log tells."""

    id: str
    state: events.JobState = events.JobState.QUEUED
    phase: events.Phase | None = None
    steps: int = 0
    """Steps of training."""
    warnings: int = 0
    """Warnings about one file each."""
    told: tuple[str, ...] = ()
    """Warnings about the whole."""
    error: LimnerError | None = None


class JobFollower:
    """Follows one job: each ``poll`` reads what is new in its log."""

    def __init__(self, job: JobFolder) -> None:
        self._job = job
        self._tail = EventTail(job.events_path)
        self._status = JobStatus(job.id)

    def poll(self) -> JobStatus:
        """Reads the log's new entries and returns where the job stands now."""
        lived = self._job.alive()
        for entry in self._tail.read():
            self._take(entry.event)
        if not self._status.state.ended and not lived:
            gone = died(self._job)
            self._status = replace(
                self._status, state=gone.state, error=JobError(gone.reason or "the job's process is gone")
            )
        return self._status

    def _take(self, event: events.Event) -> None:
        status = self._status
        match event:
            case events.Job():
                status = replace(status, state=event.state)
                if event.state is events.JobState.FAILED and status.error is None:
                    status = replace(status, error=JobError(event.reason or "the job failed"))
            case events.Phase():
                status = replace(status, phase=event)
            case events.Step():
                status = replace(status, steps=status.steps + 1)
            case events.Warning(message=message, subject=None):
                status = replace(status, told=(*status.told, message))
            case events.Warning():
                status = replace(status, warnings=status.warnings + 1)
            case events.Error():
                status = replace(status, error=JobError(event.message, event.fix))
        self._status = status
