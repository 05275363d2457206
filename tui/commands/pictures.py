"""Commands about painted pictures: ``likeness``."""

from __future__ import annotations

from pathlib import Path

import click

from engine import events
from engine.errors import PictureError
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import follow
from engine.library.address import parse_address
from engine.pictures.scores import Likeness, read_likeness
from engine.pictures.start import start_likeness
from engine.project import open_project
from tui.commands.library import ask_password
from tui.commands.progress import Narrator
from tui.commands.report import document, json_option, table


@click.command()
@click.argument("run", required=False)
@click.option("--seeds", default=8, show_default=True, type=click.IntRange(1, 1000), help="Pictures a strength.")
@click.option("--strength", "strengths", multiple=True, type=float, help="A LoRA weight to try; may be given again.")
@json_option
@click.pass_obj
def likeness(folder: Path, run: str | None, seeds: int, strengths: tuple[float, ...], as_json: bool) -> None:
    """How much the portraits of RUN (the newest) are the person, and nobody else."""
    project = open_project(folder)
    url = project.settings.library.url
    typed = ask_password(parse_address(url, project.root))[1] if url else None
    job = start_likeness(project, run, seeds, strengths or None, typed)
    _follow(job)
    found = read_likeness(project.run(run))
    if found is None:
        raise PictureError("likeness was not measured", f"see {job.log_path}")
    if as_json:
        document(found.record())
        return
    _tell(found)


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


def _tell(found: Likeness) -> None:
    head = ("strength", "likeness", "spread", "nearest to the person", "pictures")
    rows = [
        (
            f"{each.strength:g}",
            f"{each.median:.2f}",
            f"{each.spread:.2f}",
            "–" if each.rank_1 is None else f"{each.rank_1:.0%}",
            len(each.pictures),
        )
        for each in found.scores
    ]
    table(head, rows)
    other = f", nearest other {found.nearest_other_name} {found.nearest_other:.2f}" if found.nearest_other_name else ""
    click.echo(f"base model {found.base:.2f}, real pictures {found.real:.2f}{other}")
    best = found.recommended
    click.echo(f"paint with {Path(best.checkpoint).name} at {best.strength:g}: {best.why}")
