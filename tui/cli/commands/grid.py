"""The grid (X/Y plot) on the command line: ``grid``, ``grids``, ``votes``."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import click

from engine.errors import PictureError
from engine.pictures.gallery.votes import Ranked, Ranking, Votes
from engine.pictures.grid.axes import AxisKind
from engine.pictures.grid.painting import (
    Progress,
    cells_of,
    kept,
    make_grid,
    paint_missing,
    progress_of,
    recent_paces,
    sheet_path,
    usual_grid,
)
from engine.pictures.grid.plan import Grid
from engine.pictures.grid.ranges import GridError
from engine.pictures.grid.sheet import MOST_MEGAPIXELS, write_sheet
from engine.pictures.grid.store import Cell, GridShelf
from engine.pictures.orders.orders import SEEDS, told_of_prompts
from engine.pictures.orders.picture import Picture, PictureState
from engine.pictures.orders.start import wait_for, warnings_of
from engine.project import Project, open_project
from engine.prompts.grammar import escape, lone_braces
from engine.settings import Settings
from engine.settings.samplers import NoiseSchedule
from tui.cli.paint_options import SIZE_HELP, SamplerName, Size, choose_painter, in_pixels, painter_options
from tui.cli.progress import Narrator
from tui.cli.report import document, echo, json_option, narrate, table
from tui.text.meter import clock

AT_ONCE = 64
"""Pictures that are waited for together; they are painted in this order."""


@click.command()
@click.argument("run", required=False)
@click.option("--x", "x", metavar="AXIS", help="Columns: checkpoint, or KIND=VALUES.")
@click.option("--y", "y", metavar="AXIS", help="Rows.")
@click.option("--z", "pages", metavar="AXIS", multiple=True, help="Pages; may be repeated.")
@click.option("--prompt", "prompts", multiple=True, help="Left out: the project's own; several are pages.")
@click.option("--negative", help="The negative prompt.")
@click.option("--seed", type=click.IntRange(0, SEEDS - 1), help="Of every cell.  [default: 1]")
@click.option("--steps", type=click.IntRange(1, 500))
@click.option("--guidance", type=click.FloatRange(0, 50), help="Guidance scale (CFG).")
@click.option("--sampler", type=SamplerName(), help="A1111's name of the sampler.")
@click.option("--size", type=Size(), help=SIZE_HELP)
@click.option("--name", help="The grid's name; given alone, that grid is continued.")
@click.option("-o", "out", type=click.Path(path_type=Path, dir_okay=False), help="The sheet, a PNG.")
@click.option("--cell", "cell_pixels", type=click.IntRange(16, 4096), help="A cell's longer side in the sheet.")
@click.option(
    "--megapixels",
    default=MOST_MEGAPIXELS,
    show_default=True,
    type=click.FloatRange(1, 500),
    help="The largest sheet; a larger one is split.",
)
@click.option("--wait/--no-wait", default=True, help="Wait until it is painted, or only queue it.")
@painter_options
@json_option
@click.pass_obj
def grid(
    folder: Path,
    /,
    run: str | None,
    x: str | None,
    y: str | None,
    pages: tuple[str, ...],
    out: Path | None,
    wait: bool,
    on: str | None,
    yes: bool,
    as_json: bool,
    cell_pixels: int | None,
    megapixels: float,
    **options: Any,
) -> None:
    """Compare pictures that differ in a few values: an X/Y plot of RUN (the newest).

    Without axes it is the run's usual grid: no LoRA and its checkpoints, by three strengths, for a few prompts.
    The same command again paints only what is missing.

    \b
    Axes: checkpoint  strength  prompt  negative  seed  steps  guidance  sampler  size  face-fix
    Values: 0.6,0.8   0.6-1.0 (+0.2)   1-10 [5]   "in quotes, a comma"
            checkpoint alone is all; checkpoint=none,2-6 (+2),last picks
    """
    if out is not None and out.suffix.lower() != ".png":
        raise click.UsageError(f"-o {out}: sheets are written as .png")
    project = open_project(folder)
    choose_painter(project, on, yes)
    typed = [*options["prompts"], *(each.partition("=")[2] for each in (x, y, *pages) if each and "prompt=" in each)]
    stored, asked = _grid(project, run, [x, y, *pages], options)
    wanted = {place: stored.place(asked.values(place)) for place in asked.places()}
    places = set(wanted.values())
    before = cells_of(project, stored)
    missing = progress_of({place: before[place] for place in places}, recent_paces(project))
    for remark in dict.fromkeys([*(str(each) for text in typed for each in lone_braces(text)), *_odd(project, asked)]):
        narrate(remark)
    narrate(_plan_line(stored, missing, len(places)))
    pictures = paint_missing(project, stored, places)
    if wait:
        _wait(project, stored, pictures)
    cells = cells_of(project, stored)
    sheets = []
    if wait:
        sheets = write_sheet(
            asked,
            {place: cells[kept_at] for place, kept_at in wanted.items()},
            out.absolute() if out else sheet_path(project, stored),
            cell_pixels=cell_pixels,
            most_megapixels=megapixels,
        )
    else:
        narrate("Queued; see: limner queue")
    if as_json:
        document(
            {
                "grid": stored.name,
                "pictures": [_record(stored, cells[place]) for place in wanted.values()],
                "sheets": [str(sheet) for sheet in sheets],
            }
        )
        return
    for sheet in sheets:
        echo(sheet)


@click.command()
@json_option
@click.pass_obj
def grids(folder: Path, as_json: bool) -> None:
    """List the grids of this project: what each compares, and how far it is."""
    project = open_project(folder)
    with project.store() as store:
        shelf = GridShelf(store)
        found = [(each, progress_of(shelf.cells(each))) for each in shelf.grids()]
    if as_json:
        document({"grids": [_grid_record(each, progress) for each, progress in found]})
        return
    if not found:
        narrate("There are no grids yet; make a run's usual one with: limner grid")
        return
    head = ("name", "cells", "painted", "waiting", "axes")
    table(
        head,
        [(each.name, progress.cells, progress.painted, progress.waiting, _axes_text(each)) for each, progress in found],
    )


@click.command()
@click.argument("run", required=False)
@click.option("--by", type=click.Choice([each.value for each in Ranking]), help="Only these.")
@json_option
@click.pass_obj
def votes(folder: Path, run: str | None, by: str | None, as_json: bool) -> None:
    """Rank checkpoints and prompts by votes and stars: of RUN's pictures, or of all."""
    project = open_project(folder)
    job = project.run(run) if run else None
    wanted = [Ranking(by)] if by else list(Ranking)
    with project.store() as store:
        found = {each: Votes(store).ranking(each, job.path if job else None) for each in wanted}
    if as_json:
        document({f"{each}s": [row.record() for row in rows] for each, rows in found.items()})
        return
    if not any(found.values()):
        narrate("No votes yet; + and - vote on the grid screen.")
        return
    for each, rows in found.items():
        measured = any(row.likeness is not None for row in rows)
        head = (each.value, "votes", "for", "score", *(("likeness",) if measured else ()))
        table(head, [_vote_row(row, measured) for row in rows])
        echo()


def _vote_row(row: Ranked, measured: bool) -> tuple[object, ...]:
    likeness = "–" if row.likeness is None else f"{row.likeness:.0f}"
    return (row.label, row.votes, f"{row.share:.0%}", f"{row.score:.2f}", *((likeness,) if measured else ()))


def _grid(project: Project, run: str | None, given: list[str | None], options: dict[str, Any]) -> tuple[Grid, Grid]:
    """The grid as it is kept, and as it was asked for, which may be a part of that."""
    axes = [each for each in given if each is not None]
    if (given[1] is not None and given[0] is None) or (len(given) > 2 and given[1] is None):
        raise click.UsageError("--y needs an --x, and --z a --y")
    name: str | None = options.pop("name")
    prompts: tuple[str, ...] = options.pop("prompts")
    common = _order({key: value for key, value in options.items() if value is not None}, project.settings)
    if name and not (axes or common or prompts or run):
        with project.store() as store:
            stored = GridShelf(store).grid(name)
        return stored, stored
    job = project.run(run) if run or project.run_folders() else None
    named = {**common, **({"name": name} if name else {})}
    try:
        if axes:
            asked = make_grid(project, job, axes, prompts=prompts, **named)
        elif job is not None:
            asked = usual_grid(project, job, prompts=prompts, **named)
        else:
            raise PictureError("there is no run to compare", "give --x and --y, or train with: limner train")
    except GridError as error:
        raise PictureError(f"{error.marked}: {error.what}" if error.marked else error.what, error.fix) from error
    return kept(project, asked, exactly=name is not None), asked


def _order(common: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Options as an order's fields."""
    if "sampler" in common:
        common["sampler"], schedule = common["sampler"]
        common["schedule"] = schedule or NoiseSchedule.AUTOMATIC
    if "size" in common:
        common["width"], common["height"] = in_pixels(common.pop("size"), settings)
    return common


def _odd(project: Project, grid: Grid) -> list[str]:
    """What is odd about a grid's prompts. Raises PromptError where nothing can be painted from one."""
    values = {axis.kind: axis.values for axis in grid.axes}
    common = grid.common
    prompts = [escape(each) for each in values.get(AxisKind.PROMPT, (common.prompt,))]
    negatives = values.get(AxisKind.NEGATIVE, (common.negative,))
    return told_of_prompts(project, prompts, common.seed, common.steps, negatives, common.guidance)


def _plan_line(grid: Grid, missing: Progress, asked: int) -> str:
    left = f", about {clock(missing.seconds_left)}" if missing.seconds_left else ""
    paint = f"{missing.left} to paint{left}" if missing.left else "all painted"
    return f"{grid.name}: {_axes_text(grid)}; {asked} cells, {paint}"


def _axes_text(grid: Grid) -> str:
    return " × ".join(f"{axis.kind} ({len(axis.values)})" for axis in grid.axes)


def _wait(project: Project, grid: Grid, pictures: list[Picture]) -> None:
    """Waits, telling how far it is; leaving takes off the queue what is not painted."""
    narrator = Narrator()
    waiting = list(dict.fromkeys(each.id for each in pictures if each.state is not PictureState.DONE))
    done, seconds, failed = 0, list[float](), dict[str, int]()

    def tell(picture: Picture) -> None:
        nonlocal done
        done += 1
        if picture.state is not PictureState.DONE:
            reason = picture.reason or picture.state.value
            failed[reason] = failed.get(reason, 0) + 1
        # A picture's own time: how long the base model took to load says nothing of the next one.
        seconds.extend([picture.seconds] if picture.seconds else [])
        left = f", {clock(fmean(seconds) * (len(waiting) - done))} left" if seconds else ""
        narrator.progress(f"{done} of {len(waiting)} painted{left}", last=done == len(waiting))

    try:
        for at in range(0, len(waiting), AT_ONCE):
            wait_for(project, waiting[at : at + AT_ONCE], tell)
    except KeyboardInterrupt:
        with project.store() as store:
            GridShelf(store).cancel(grid)
        narrate("The rest was taken off the queue; the same command continues it.")
        raise click.Abort from None
    for reason, count in failed.items():
        narrate(f"{count} not painted: {reason}")
    for warning in warnings_of(project, waiting):
        narrate(warning)


def _record(grid: Grid, cell: Cell) -> dict[str, Any]:
    values = grid.values(cell.place)
    return {
        "path": str(cell.path) if cell.path else None,
        "seed": grid.seed(cell.place),
        "state": cell.state.value if cell.state else None,
        "id": cell.picture,
        "x": cell.place.x,
        "y": cell.place.y,
        "z": cell.place.z,
        "values": {kind.value: value for kind, value in values.items()},
        "likeness": cell.likeness,
        "vote": cell.vote,
        "rating": cell.rating,
        "reason": cell.reason,
    }


def _grid_record(grid: Grid, progress: Progress) -> dict[str, Any]:
    return {
        "name": grid.name,
        "run": grid.run,
        "axes": [{"kind": axis.kind.value, "values": list(axis.values)} for axis in grid.axes],
        "prompt": grid.common.prompt,
        "seed": grid.common.seed,
        "cells": progress.cells,
        "painted": progress.painted,
        "waiting": progress.waiting,
        "failed": progress.failed,
    }
