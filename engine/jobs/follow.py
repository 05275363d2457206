"""Following a job from any number of processes, and what its log says it stands at."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine import events
from engine.errors import JobError
from engine.jobs.folder import ELSEWHERE, EventTail, JobFolder, JobKind, this_machine
from engine.jobs.machine import boot_id

POLL_SECONDS = 0.1
"""How often a follower looks at the log."""


def follow(job: JobFolder) -> Iterator[events.Entry]:
    """Every entry from the log's beginning until the job has ended.

    A process that died without a word ends the stream with a ``failed`` job event of our own making, which is
    not in the log.
    """
    tail = EventTail(job.events_path)
    ended = False
    while True:
        lived = job.alive()
        for entry in tail.read():
            if isinstance(entry.event, events.Job):
                ended = entry.event.state.ended
            yield entry
        if ended:
            return
        if not lived:
            yield events.Entry(time.time(), died(job))
            return
        time.sleep(POLL_SECONDS)


def died(job: JobFolder) -> events.Job:
    """The event for a process that is gone though its log names no end."""
    told = (entry.event for entry in job.entries() if isinstance(entry.event, events.Job))
    boots = [event.boot for event in told if event.boot and event.host in (None, this_machine())]
    why = f"the process ended without a message, see {job.log_path}"
    if boots and (now := boot_id()) and boots[-1] != now:
        why = "the machine was restarted while it was running"
    return events.Job(events.JobState.FAILED, reason=why + _go_on(job))


def _go_on(job: JobFolder) -> str:
    try:
        kind = job.read_order().kind
    except JobError:
        return ""
    return f"; resume it with: limner resume {job.id}" if kind is JobKind.TRAIN or kind in ELSEWHERE else ""


def state(job: JobFolder) -> events.Job:
    """Where the job stands: its last ``job`` event, or ``failed`` where the process is gone without a word."""
    lived = job.alive()
    last = events.Job(events.JobState.QUEUED)
    for entry in job.entries():
        if isinstance(entry.event, events.Job):
            last = entry.event
    if not last.state.ended and not lived:
        return died(job)
    return last


def wait(job: JobFolder) -> None:
    """Waits until the job has ended.

    Raises:
        JobError: it failed; with the error event's words where there is one.
    """
    error: events.Error | None = None
    for entry in follow(job):
        if isinstance(entry.event, events.Error):
            error = entry.event
        if isinstance(entry.event, events.Job) and entry.event.state is events.JobState.FAILED:
            if error is not None:
                raise JobError(error.message, error.fix)
            raise JobError(entry.event.reason or f"{job.id} failed")
