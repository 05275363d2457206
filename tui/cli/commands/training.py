"""Commands that start a run or ask something of it: ``train``, ``pause``, ``resume``, ``sample``, ``stop``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.project import Project, open_project
from engine.training.planning.sample_prompts import sample_prompts
from engine.training.runs.run_status import run_status
from engine.training.runs.start import live_run, resume_training, run_settings, start_training
from tui.cli.commands.runs import run_record
from tui.cli.confirm import allowed_machine
from tui.cli.report import document, echo, json_option, narrate
from tui.cli.run_line import follow
from tui.cli.run_options import changes, run_options


@click.command()
@click.option("--wait", is_flag=True, help="Follow the run until it ends.")
@click.option("--resume", metavar="RUN", help="Resume a run that was stopped or died.")
@click.option("--on", "box", metavar="NAME", help="On another machine; see: limner remote.")
@click.option("--yes", is_flag=True, help="With --on: send what is told without asking.")
@click.option("--keep", is_flag=True, help="With --on: leave the project there after the run.")
@run_options
@json_option
@click.pass_obj
def train(
    folder: Path,
    /,
    wait: bool,
    resume: str | None,
    box: str | None,
    yes: bool,
    keep: bool,
    as_json: bool,
    sets: tuple[str, ...],
    **options: Any,
) -> None:
    """Train a LoRA on the dataset; the run continues when the terminal closes."""
    project = open_project(folder)
    wanted = changes(sets, options)
    if resume is not None:
        if wanted:
            raise click.UsageError("a resumed run keeps its settings; leave the other options out")
        job = resume_training(project, resume)
    elif box is not None:
        job = _begin_there(project, box, wanted, yes, keep)
    else:
        job = start_training(project, wanted)
    if not as_json:
        echo(job.id)
    if wait:
        follow(job)
    else:
        narrate(f"Training continues in the background. Follow it with: limner watch {job.id}")
    if as_json:
        document({"run": job.id, "path": str(job.path), **run_record(run_status(job))})


def _begin_there(project: Project, name: str, wanted: dict[str, Any], yes: bool, keep: bool) -> JobFolder:
    """Starts a run on another machine; the first time it is asked whether the images may go there."""
    from engine.remote.start import start_training_on

    return start_training_on(project, allowed_machine(project, name, yes, "limner train"), wanted, keep)


@click.command()
@click.argument("run", required=False)
@click.pass_obj
def pause(folder: Path, run: str | None) -> None:
    """Pause a run (default: the running one) after its step; it stays in memory and keeps the GPU."""
    job = _living(open_project(folder), run)
    job.answered(Request.RESUME)
    job.ask(Request.PAUSE)
    narrate(f"{job.id} pauses. Go on with it: limner resume {job.id}")


@click.command()
@click.argument("run", required=False)
@click.pass_obj
def resume(folder: Path, run: str | None) -> None:
    """Resume a run (default: the newest) that was paused, was stopped or died."""
    project = open_project(folder)
    job = (live_run(project) or project.run()) if run is None else project.run(run)
    # One that has told its end may take a moment to be gone: that is waited for.
    if not job.alive() or run_status(job).state.ended:
        job = resume_training(project, job.id)
    elif Request.PAUSE in job.asked() or run_status(job).state is JobState.PAUSED:
        job.ask(Request.RESUME)
    else:
        raise JobError(f"{job.id} is being trained already", f"follow it with: limner watch {job.id}")
    narrate(f"{job.id} continues. Follow it with: limner watch {job.id}")


@click.command()
@click.argument("run", required=False)
@click.pass_obj
def sample(folder: Path, run: str | None) -> None:
    """Paint the sample prompts of a run (default: the running one) after its step."""
    job = _living(open_project(folder), run)
    if not sample_prompts(run_settings(job)):
        raise JobError(f"{job.id} has no sample prompts", "set training.sample_prompts for the next run")
    job.ask(Request.SAMPLE)
    narrate(f"{job.id} paints into {job.path / 'samples'} after its step.")


@click.command()
@click.argument("run", required=False)
@click.option("--after-epoch", is_flag=True, help="After the current epoch and its checkpoint.")
@click.pass_obj
def stop(folder: Path, run: str | None, after_epoch: bool) -> None:
    """Stop a run (default: the running one), now or after the epoch; it can be resumed."""
    job = _living(open_project(folder), run)
    job.ask(Request.STOP_AFTER_EPOCH if after_epoch else Request.STOP)
    when = "after this epoch" if after_epoch else "now"
    narrate(f"{job.id} stops {when}. Go on with it later: limner train --resume {job.id}")


def _living(project: Project, run: str | None) -> JobFolder:
    job = (live_run(project) or project.run()) if run is None else project.run(run)
    if not job.alive():
        raise JobError(f"{job.id} is not running", "list the runs with: limner runs")
    return job
