"""A run as ``train --wait`` and ``watch`` show it: a chart that is drawn anew in a terminal, plain lines in a pipe."""

from __future__ import annotations

import time

import click

from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.jobs.follow import POLL_SECONDS
from engine.training.runs.run_status import RunFollower, RunStatus
from tui.cli.progress import Narrator, clock
from tui.cli.report import narrate
from tui.text.run_summary import over, silence

INTERRUPTED = 130
"""The exit status of a command that ctrl+c ended."""


def follow(job: JobFolder, elsewhere: bool = False, *, by_powers: bool = False, by_time: bool = False) -> None:
    """Tells on standard error how a run stands, until it has ended or ctrl+c; then how that came.

    Args:
        job: the run.
        elsewhere: whether the folder is known to be another machine's.
        by_powers: whether the chart's loss axis is logarithmic.
        by_time: whether it is by time.

    Raises:
        JobError: it failed; with the reason.
        click.exceptions.Exit: ctrl+c; the run is still going, and that is said.
    """
    from tui.cli.run_panel import RunPanel, can_draw

    follower = RunFollower(job, elsewhere)
    try:
        if can_draw():
            status = RunPanel(by_powers, by_time).follow(follower)
        else:
            status = _told(follower)
    except KeyboardInterrupt:
        if job.alive():
            narrate(f"\n{job.id} continues. Follow it with: limner watch {job.id}; end it with: limner stop {job.id}")
            # Leaving is how a watch ends: no word of an interruption.
            raise click.exceptions.Exit(INTERRUPTED) from None
        raise click.Abort from None
    if status.silent_seconds is not None:
        narrate(f"{job.id}: {silence(status)}. {run_line(status)}")
        return
    if status.state is JobState.FAILED:
        raise JobError(*((status.error.message, status.error.fix) if status.error else (status.reason or "it failed",)))
    narrate(f"{job.id}: {status.reason or status.state.value}. {run_line(status)}")


def _told(follower: RunFollower) -> RunStatus:
    """Plain lines: what is new, and now and then how it stands."""
    from engine.training.planning.plan import formula

    narrator = Narrator()
    said_plan, said_where, checkpoints, warnings, fits, phase, line = False, False, 0, 0, 0, "", ""
    while True:
        status = follower.poll()
        if status.elsewhere and not said_where:
            narrator.note(f"on {status.host or 'another machine'}: whether it is running is judged by its log's age")
            said_where = True
        if status.plan and not said_plan:
            narrator.note(formula(status.plan))
            said_plan = True
        if status.phase and not status.step and status.phase.name != phase:
            phase = status.phase.name
            narrator.stage(f"{phase[0].upper()}{phase[1:]}")
        for warning in status.warnings[warnings:]:
            narrator.note(warning)
        for fit in status.fits[fits:]:
            narrator.note(f"to fit into memory: {fit.changed} ({fit.why})")
        if (status.step or status.phase) and run_line(status) != line:
            line = run_line(status)
            narrator.progress(line, last=status.state.ended or len(status.checkpoints) > checkpoints)
        warnings, checkpoints, fits = len(status.warnings), len(status.checkpoints), len(status.fits)
        if over(status):
            return status
        time.sleep(POLL_SECONDS)


def run_line(status: RunStatus) -> str:
    """``epoch 3 of 8 · step 142 of 480 · loss 0.081 (average 0.094) · 6.2 images/s · epoch 0:12 · all 1:24``."""
    if not status.step or status.plan is None:
        phase = status.phase
        return f"{phase.name}: {phase.done} of {phase.total}" if phase else status.state.value
    parts = [f"epoch {status.epoch} of {status.epochs}", f"step {status.step} of {status.steps}"]
    if status.loss is not None and status.average_loss is not None:
        parts.append(f"loss {status.loss:.4f} (average {status.average_loss:.4f})")
    if status.validation_loss is not None:
        parts.append(f"validation {status.validation_loss:.4f}")
    if status.images_per_s is not None:
        parts.append(f"{status.images_per_s:.1f} images/s")
    if status.live and status.loading:
        parts.append("loading")
    elif status.live:
        off = f" ± {clock(status.spread_seconds)}" if (status.spread_seconds or 0) >= 1 else ""
        left = f"{clock(status.epoch_remaining_seconds)}, total {clock(status.remaining_seconds)}{off}"
        parts.append(f"left in epoch {left}")
    if status.state is JobState.PAUSED:
        parts.append("paused")
    return " · ".join(parts)
