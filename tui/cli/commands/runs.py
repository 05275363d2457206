"""Commands that look at runs: ``runs``, ``watch``. They read logs, so they answer at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.errors import JobError, ProjectError
from engine.jobs.folder import JobFolder
from engine.project import Project, open_project
from engine.training.runs.run_status import RunStatus, run_at, run_status
from tui.cli.report import document, echo, json_option, narrate, table


@click.command()
@json_option
@click.pass_obj
def runs(folder: Path, as_json: bool) -> None:
    """List the training runs of this project, newest first."""
    project = open_project(folder)
    _follow_again(project)
    found = [run_status(job) for job in reversed(project.run_folders())]
    if as_json:
        document({"runs": [run_record(status) for status in found]})
        return
    if not found:
        narrate("No runs yet. Start one with: limner train")
        return
    rows = [
        (
            s.id,
            _state(s),
            f"{s.epoch}/{s.epochs}",
            f"{s.step}/{s.steps}",
            _loss(s),
            len(s.checkpoints),
        )
        for s in found
    ]
    table(("run", "state", "epoch", "step", "average loss", "checkpoints"), rows)


@click.command()
@click.argument("run", required=False)
@click.option("--log", "by_powers", is_flag=True, help="Logarithmic loss axis.")
@click.option("--time", "by_time", is_flag=True, help="Time on the x axis instead of steps.")
@click.pass_obj
def watch(folder: Path, run: str | None, by_powers: bool, by_time: bool) -> None:
    """Follow a run (default: the newest) until it ends; leaving does not stop it.

    RUN is a run's name, or the path of a run's folder: one copied or mounted from another machine, too.
    """
    from tui.cli.run_line import follow

    job, elsewhere = _found(folder, run)
    if not elsewhere:
        _follow_again(open_project(folder))
    follow(job, elsewhere, by_powers=by_powers, by_time=by_time)
    for path in run_status(job).checkpoints:
        echo(path)


def run_record(status: RunStatus) -> dict[str, Any]:
    """A run as ``--json`` tells it."""
    gpu = status.gpu
    return {
        "id": status.id,
        "path": str(status.folder),
        "state": status.state.value,
        "reason": status.reason,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "step": status.step,
        "steps": status.steps,
        "loss": status.loss,
        "average_loss": status.average_loss,
        "validation_loss": status.validation_loss,
        "learning_rate": status.learning_rate,
        "images_per_s": status.images_per_s,
        "seconds": status.seconds,
        "epoch_seconds": status.epoch_seconds,
        "remaining_seconds": status.remaining_seconds,
        "spread_seconds": status.spread_seconds,
        "spent": status.spent,
        "cost": status.cost,
        "memory_gb": status.memory_gb,
        "gpu_percent": gpu.gpu_percent if gpu else None,
        "gpu_watts": gpu.gpu_watts if gpu else None,
        "gpu_celsius": gpu.gpu_celsius if gpu else None,
        "host": status.host,
        "sent_to": status.sent_to,
        "silent_seconds": status.silent_seconds,
        "checkpoints": [str(path) for path in status.checkpoints],
    }


def _state(status: RunStatus) -> str:
    from tui.text.run_summary import state_of

    word, _ = state_of(status)
    return f"{word} on {status.sent_to}" if status.sent_to else word


def _follow_again(project: Project) -> None:
    """Runs on other machines that nobody follows, as after this one was restarted, are followed again."""
    if not any(job.sent_to() for job in project.run_folders()):
        return
    # Only then: it imports what a run is planned with.
    from engine.remote.start import follow_again

    for job in follow_again(project):
        narrate(f"{job.id} is followed again")


def _found(folder: Path, run: str | None) -> tuple[JobFolder, bool]:
    """The run that is meant, and whether its folder is not one of this project's."""
    try:
        project = open_project(folder)
        known = project.run(run)
    except ProjectError:
        path = Path(run) if run is not None else None
        if path is None or not path.is_dir():
            raise
        return _elsewhere(path)
    return known, False


def _elsewhere(path: Path) -> tuple[JobFolder, bool]:
    """A run by its folder. One where its job was started is this machine's, as far as its log says no other."""
    job = run_at(path)
    try:
        order = job.read_order()
    except JobError:
        return job, True
    return job, (order.project / "runs" / job.id).resolve() != job.path


def _loss(status: RunStatus) -> str:
    return "–" if status.average_loss is None else f"{status.average_loss:.4f}"
