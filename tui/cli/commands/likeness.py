"""The command ``likeness``."""

from __future__ import annotations

from pathlib import Path

import click

from engine import events
from engine.errors import PictureError
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import follow
from engine.library.address import parse_address
from engine.pictures.likeness.scores import Likeness, Score, read_likeness
from engine.pictures.orders.start import USUAL_SEEDS, start_likeness
from engine.project import open_project
from tui.cli.commands.library import ask_password
from tui.cli.paint_options import choose_painter, painter_options
from tui.cli.progress import Narrator
from tui.cli.report import document, echo, json_option, narrate, table


@click.command()
@click.argument("run", required=False)
@click.option(
    "--seeds", default=USUAL_SEEDS, show_default=True, type=click.IntRange(1, 1000), help="Pictures a prompt."
)
@click.option(
    "--strength",
    "strengths",
    multiple=True,
    type=click.FloatRange(-4, 4),
    help="A LoRA weight to try; may be repeated.",
)
@click.option("--checkpoint", "checkpoints", multiple=True, help="Only this one; may be repeated.")
@click.option("--prompt", "prompts", multiple=True, help="A prompt to paint; may be repeated.")
@click.option("--last", is_flag=True, help="Show the last result without measuring.")
@painter_options
@json_option
@click.pass_obj
def likeness(
    folder: Path,
    run: str | None,
    seeds: int,
    strengths: tuple[float, ...],
    checkpoints: tuple[str, ...],
    prompts: tuple[str, ...],
    last: bool,
    on: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Measure how much the portraits of RUN (default: the newest) look like the person, and which checkpoint is best.

    Pictures that were painted before are not painted again: a measurement that was stopped goes on.
    """
    project = open_project(folder)
    if not last:
        choose_painter(project, on, yes)
        url = project.settings.library.url
        project.run(run)
        typed = ask_password(parse_address(url, project.root), project.root)[1] if url else None
        job = start_likeness(
            project,
            run,
            seeds,
            strengths or None,
            typed,
            checkpoints=checkpoints or None,
            prompts=prompts or None,
        )
        _follow(job)
    found = read_likeness(project.run(run))
    if found is None:
        what = "likeness was not measured yet" if last else "likeness was not measured"
        raise PictureError(what, "measure it with: limner likeness" if last else f"see {job.log_path}")
    if as_json:
        document(found.record())
        return
    _tell(found, told=not last)


def _follow(job: JobFolder) -> None:
    """Tells how far a likeness job is; leaving ends it."""
    narrator = Narrator()
    error: events.Error | None = None
    try:
        for entry in follow(job):
            match entry.event:
                case events.Phase(name=name, done=done, total=total):
                    narrator.progress(f"{name}: {done} of {total}", last=done == total)
                case events.Warning(message=message):
                    narrator.note(message)
                case events.Error():
                    error = entry.event
                case events.Job(state=events.JobState.FAILED, reason=reason):
                    raise PictureError(*((error.message, error.fix) if error else (reason or "it failed",)))
    except KeyboardInterrupt:
        job.ask(Request.STOP)
        raise click.Abort from None


def _tell(found: Likeness, *, told: bool) -> None:
    head = ("checkpoint", "strength", "likeness", "spread", "no face", "not scorable", "copies", "pictures")
    table(head, [_row(each) for each in (found.base_score, *found.scores)])
    if not told:
        for warning in found.warnings:
            narrate(warning)
    measure = found.measure
    nobody = "where people in general differ" if measure.other_name is None else measure.other_name
    echo(f"100 is a typical photo of {measure.photos}, 0 is {nobody}")
    best = found.recommended
    name = f"{Path(best.checkpoint).name} at {best.strength:g}"
    echo(
        f"paint with {name}: {best.why}"
        if best.advised
        else f"nothing is recommended; the closest match is {name}, but {best.why}"
    )


def _row(score: Score) -> tuple[object, ...]:
    return (
        Path(score.checkpoint).stem or "no LoRA",
        f"{score.strength:g}" if score.checkpoint else "–",
        _whole(score.likeness),
        _whole(score.likeness_spread),
        f"{score.no_face:.0%}",
        score.not_scorable,
        score.copies,
        len(score.pictures),
    )


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
