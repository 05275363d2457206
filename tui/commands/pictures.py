"""Commands about pictures: ``paint``, ``likeness``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from engine import events
from engine.errors import PictureError
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import follow
from engine.library.address import parse_address
from engine.pictures.orders import SEEDS, newest_lora, order_for
from engine.pictures.queue import Picture, PictureOrder, PictureState, Queue
from engine.pictures.scores import Likeness, read_likeness
from engine.pictures.start import order_pictures, start_likeness, wait_for
from engine.project import Project, open_project
from engine.settings import Sampler
from engine.training.lora_header import read_header
from tui.commands.library import ask_password
from tui.commands.progress import Narrator
from tui.commands.report import document, json_option, narrate, table


class LoraAtStrength(click.ParamType):  # type: ignore[type-arg]
    """``FILE``, ``FILE:STRENGTH`` or ``none``."""

    name = "file:strength"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A path (None for none) and a strength (None where not given)."""
        if not isinstance(value, str):
            return value
        if value == "none":
            return None, None
        m = re.fullmatch(r"(.+):([+-]?(?:\d+\.?\d*|\.\d+))", value)
        if m:
            return Path(m[1]).expanduser(), float(m[2])
        if re.search(r"\.safetensors:", value):
            self.fail(f"{value!r}: the strength after the colon is no number", param, ctx)
        return Path(value).expanduser(), None


class Size(click.ParamType):  # type: ignore[type-arg]
    """``832x1216``."""

    name = "wxh"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Width and height in pixels."""
        if not isinstance(value, str):
            return value
        m = re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)
        if not m:
            self.fail(f"{value!r} is no size; write it as 832x1216", param, ctx)
        return int(m[1]), int(m[2])


@click.command()
@click.argument("prompt", required=False)
@click.option("--negative", help="What the picture is not to show.")
@click.option(
    "--lora", type=LoraAtStrength(), help="FILE:STRENGTH or none; left out: the newest run's last checkpoint."
)
@click.option("--seed", type=click.IntRange(0, SEEDS - 1), help="The same seed gives the same picture.")
@click.option("--steps", type=click.IntRange(1, 500))
@click.option("--guidance", type=click.FloatRange(0, 50), help="Guidance scale (CFG).")
@click.option("--sampler", type=click.Choice([each.value for each in Sampler], case_sensitive=False))
@click.option("--size", type=Size(), help="WxH in pixels; left out: what the base model was made for.")
@click.option("-o", "out", type=click.Path(path_type=Path, dir_okay=False), help="The PNG; never overwritten.")
@json_option
@click.pass_obj
def paint(
    folder: Path,
    /,
    prompt: str | None,
    lora: tuple[Path | None, float | None] | None,
    seed: int | None,
    size: tuple[int, int] | None,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Paint a picture of PROMPT (the project's own prompt where left out)."""
    project = open_project(folder)
    file, strength = lora if lora is not None else (newest_lora(project), None)
    if file is not None:
        file = file.resolve()
        read_header(file)
    order = order_for(
        project,
        prompt if prompt is not None else project.settings.painting.style,
        seed=seed,
        lora=file,
        strength=strength,
        path=_png(out) if out else None,
    )
    order = _with_options(order, size, options)
    told = f"{file.stem} at {order.strength:g}" if file else "no LoRA"
    narrate(f"Painting “{order.prompt}”, {told}, seed {order.seed} …")
    picture = _painted(project, order)
    if as_json:
        document({"pictures": [_record(picture)]})
        return
    click.echo(picture.path)


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


def _with_options(order: PictureOrder, size: tuple[int, int] | None, options: dict[str, Any]) -> PictureOrder:
    """The order with what the command line said otherwise."""
    given = {key: value for key, value in options.items() if value is not None}
    if "sampler" in given:
        given["sampler"] = Sampler(given["sampler"])
    if size:
        given |= {"width": size[0], "height": size[1]}
    return replace(order, **given)


def _png(out: Path) -> Path:
    if out.suffix.lower() != ".png":
        raise click.UsageError(f"-o {out}: pictures are written as .png")
    return out.absolute()


def _painted(project: Project, order: PictureOrder) -> Picture:
    number = order_pictures(project, [order])[0].id
    try:
        picture = wait_for(project, [number])[0]
    except KeyboardInterrupt:
        with project.store() as store:
            Queue(store).cancel(number)
        raise click.Abort from None
    if picture.state is not PictureState.DONE:
        raise PictureError(picture.reason or "the picture was cancelled")
    return picture


def _record(picture: Picture) -> dict[str, Any]:
    return {
        "path": str(picture.path),
        "seed": picture.seed,
        "prompt": picture.prompt,
        "negative": picture.negative,
        "lora": str(picture.lora) if picture.lora else None,
        "strength": picture.strength,
        "steps": picture.steps,
        "guidance": picture.guidance,
        "sampler": picture.sampler.value,
        "seconds": picture.seconds,
    }


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
