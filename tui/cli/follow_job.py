"""Following a job on the command line."""

from __future__ import annotations

import sys
import time

from engine import events
from engine.errors import JobError
from engine.jobs.folder import JobFolder
from engine.jobs.follow import follow
from tui.cli.report import echo


def follow_job(job: JobFolder, word: str) -> None:
    """Follows a job to its end with a line on standard error.

    Raises:
        JobError: it failed; in the words of its error.
    """
    error: events.Error | None = None
    began, shown = time.monotonic(), False
    live = sys.stderr.isatty()
    for entry in follow(job):
        match entry.event:
            case events.Phase(name=name, done=done, total=total) if live and total:
                seconds = time.monotonic() - began
                echo(f"\r{name}: {done:,} of {total:,}, {seconds:.0f} s ", nl=False, err=True)
                shown = True
            case events.Error():
                error = entry.event
            case events.Job(state=events.JobState.FAILED, reason=reason):
                if shown:
                    echo(err=True)
                raise JobError(error.message, error.fix) if error else JobError(reason or f"the {word} failed")
            case events.Job(state=events.JobState.DONE, reason=reason) if reason:
                raise JobError(f"the {word} was stopped", f"start it again with: limner faces {word}")
    if shown:
        echo(err=True)
