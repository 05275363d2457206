"""A run in one line, as ``train --wait`` and ``watch`` show it while it goes on."""

from __future__ import annotations

import time

from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.jobs.follow import POLL_SECONDS
from engine.training.plan import formula
from engine.training.runs import RunFollower, RunStatus
from tui.commands.progress import Narrator, clock


def follow_run(job: JobFolder) -> RunStatus:
    """Tells on standard error how a run stands, until it has ended.

    Raises:
        JobError: it failed; with the reason.
    """
    narrator, follower = Narrator(), RunFollower(job)
    said_plan, checkpoints, warnings, phase, line = False, 0, 0, "", ""
    while True:
        status = follower.poll()
        if status.plan and not said_plan:
            narrator.note(formula(status.plan))
            said_plan = True
        if status.phase and not status.step and status.phase.name != phase:
            phase = status.phase.name
            narrator.stage(f"{phase[0].upper()}{phase[1:]}")
        for warning in status.warnings[warnings:]:
            narrator.note(warning)
        if (status.step or status.phase) and run_line(status) != line:
            line = run_line(status)
            narrator.progress(line, last=status.state.ended or len(status.checkpoints) > checkpoints)
        warnings, checkpoints = len(status.warnings), len(status.checkpoints)
        if status.state.ended:
            break
        time.sleep(POLL_SECONDS)
    if status.state is JobState.FAILED:
        raise JobError(*((status.error.message, status.error.fix) if status.error else (status.reason or "it failed",)))
    return status


def run_line(status: RunStatus) -> str:
    """``epoch 3 of 8 · step 142 of 480 · loss 0.081 (average 0.094) · 6.2 images/s · epoch 0:12 · all 1:24``."""
    if not status.step or status.plan is None:
        phase = status.phase
        return f"{phase.name}: {phase.done} of {phase.total}" if phase else status.state.value
    parts = [f"epoch {status.epoch} of {status.epochs}", f"step {status.step} of {status.steps}"]
    if status.loss is not None and status.average_loss is not None:
        parts.append(f"loss {status.loss:.4f} (average {status.average_loss:.4f})")
    if status.images_per_s is not None:
        parts.append(f"{status.images_per_s:.1f} images/s")
    if not status.state.ended:
        parts.append(f"left in epoch {clock(status.epoch_remaining_seconds)}, in all {clock(status.remaining_seconds)}")
    if status.state is JobState.PAUSED:
        parts.append("paused")
    return " · ".join(parts)
