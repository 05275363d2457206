"""Making a grid, painting what is missing of it, and how long the rest will take. No torch: the painter paints."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import LoraFileError, PictureError
from engine.jobs.folder import JobFolder
from engine.lora.header import read_metadata
from engine.models.usual_settings import find_painting_base
from engine.pictures.grid.axes import NO_LORA, Axis, AxisKind, Known, read_axis
from engine.pictures.grid.plan import Grid, Place, by_dearness, checked_grid, grids_folder, orders_of, slug
from engine.pictures.grid.store import Cell, GridShelf
from engine.pictures.orders.orders import native_side, order_for, ready_to_queue
from engine.pictures.orders.picture import Picture, PictureState
from engine.pictures.orders.prompt_loras import known_loras
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import wake_painter
from engine.project import Project
from engine.prompts.grammar import fill
from engine.training.planning.sample_prompts import sample_prompts
from engine.training.runs.run_status import run_status

USUAL_STRENGTHS = ("0.6", "0.8", "1")
"""The rows of a run's usual grid."""

USUAL_SEED = 1

USUAL_PROMPTS = (
    "{trigger} {class}, close-up studio portrait, soft key light, plain grey background",
    "half body portrait of {trigger} {class}, linen shirt, outdoors, overcast daylight",
)
"""Beside the project's own prompt: near and further away, inside and outside."""

MOST_PROMPTS = 3
"""Pages of a run's usual grid."""

PACE_OF = 24
"""How many of the pictures painted last the pace is taken from."""


@dataclass(frozen=True)
class Progress:
    """How far a grid is."""

    cells: int
    painted: int
    waiting: int
    failed: int
    """Failed or cancelled."""
    seconds_a_cell: float | None
    """The measured pace; None: nothing was painted yet."""
    left: int
    """Pictures that are not painted; equal cells are one."""

    @property
    def seconds_left(self) -> float | None:
        """How long what is not painted will take; None: not known yet."""
        return None if self.seconds_a_cell is None else self.left * self.seconds_a_cell


def known_of(project: Project, run: JobFolder | None, seed: int = USUAL_SEED) -> Known:
    """What the words of an axis are read against."""
    checkpoints = tuple(each for each in run_status(run).checkpoints if each.exists()) if run else ()
    settings = project.settings
    loras, native = known_loras(project), native_side(settings)
    return Known(project.root, settings.person, checkpoints, loras, seed, native, _epoch_of(checkpoints))


def _epoch_of(checkpoints: Sequence[Path]) -> int | None:
    """The epoch that the last of some checkpoints was kept after, as its file tells."""
    try:
        told = read_metadata(checkpoints[-1]).get("ss_epoch", "") if checkpoints else ""
    except LoraFileError:
        return None
    return int(told) if told.isdecimal() else None


def make_grid(
    project: Project,
    run: JobFolder | None,
    axes: Sequence[str],
    *,
    prompts: Sequence[str] = (),
    seed: int | None = None,
    name: str | None = None,
    **common: Any,
) -> Grid:
    """A grid from axes as they are typed; it is not kept yet.

    Args:
        project: the project.
        run: whose checkpoints are meant.
        axes: ``checkpoint``, ``strength=0.6,0.8``: columns, rows, and then pages.
        prompts: the prompts; several are pages where no axis is ``prompt``. None: the project's own.
        seed: of every cell, where no axis is ``seed``.
        name: what it is called; None: after the run and its axes.
        common: fields of an order that all cells have, otherwise than the settings say.

    Raises:
        GridError: an axis is not understood.
        PromptError: a prompt is empty or not balanced.
        ProjectError: the settings are broken.
    """
    settings = project.settings
    seed = USUAL_SEED if seed is None else seed
    known = known_of(project, run, seed)
    read = [read_axis(each, known) for each in axes]
    kinds = [axis.kind for axis in read]
    pages = list(read[2:])
    texts = list(prompts) or [settings.painting.style]
    filled = tuple(dict.fromkeys(order_for(project, each, seed=seed, path=Path("cell.png")).prompt for each in texts))
    if len(filled) > 1 and AxisKind.PROMPT not in kinds:
        pages.append(Axis(AxisKind.PROMPT, filled))
    lora = known.checkpoints[-1] if known.checkpoints and AxisKind.CHECKPOINT not in kinds else None
    order = order_for(project, filled[0], seed=seed, lora=lora, path=Path("cell.png"))
    order = replace(order, prompt=filled[0], strength=settings.painting.strength, **common)
    x = read[0] if read else Axis(AxisKind.CHECKPOINT, (NO_LORA,))
    y = read[1] if len(read) > 1 else None
    # The LoRAs that a prompt names are its own; each cell gets those of its prompt.
    common_order = replace(ready_to_queue(project, order), others=order.others)
    stem = "-".join([run.id if run else "grid", *(axis.kind.value for axis in (x, y) if axis)])
    return checked_grid(Grid(slug(name or stem, 80), run.id if run else None, common_order, x, y, tuple(pages)))


def usual_grid(project: Project, run: JobFolder, *, prompts: Sequence[str] = (), **common: Any) -> Grid:
    """A run's usual grid: its checkpoints, no LoRA first, by three strengths, a page for each of a few prompts.

    Args:
        project: the project.
        run: the run.
        prompts: others than the usual ones.
        common: what else ``make_grid`` takes.

    Raises:
        GridError: the run has no checkpoint yet.
        ProjectError: the settings are broken.
    """
    settings = project.settings
    wanted = [settings.painting.style, *USUAL_PROMPTS, *sample_prompts(settings)]
    prompts = prompts or list(dict.fromkeys(fill(each, settings.person) for each in wanted))[:MOST_PROMPTS]
    axes = ("checkpoint", f"strength={','.join(USUAL_STRENGTHS)}")
    return make_grid(project, run, axes, prompts=prompts, **{"name": f"{run.id}-usual", **common})


def kept(project: Project, grid: Grid, *, exactly: bool = False) -> Grid:
    """Keeps a grid, and what it adds to one that was kept before under its name.

    Args:
        project: the project.
        grid: a new one, or one of ``GridShelf``.
        exactly: its name was asked for: a grid of that name that is another one is an error, not a reason to
            take the next free name.

    Raises:
        PictureError: another grid has the name.
    """
    with project.store() as store:
        shelf = GridShelf(store)
        if not grid.id:
            grid = _joined(shelf.grids(), grid, exactly)
        return shelf.save(grid, orders_of(project, grid))


def paint_missing(project: Project, grid: Grid, places: Iterable[Place] | None = None) -> list[Picture]:
    """Queues the cells that are neither painted nor waiting, and sees that somebody paints them. Returns at once.

    Args:
        project: the project.
        grid: a kept one.
        places: only these cells; None: all.

    Returns:
        A picture for each cell; equal cells are one picture.

    Raises:
        BaseModelError: the base model is not there.
        PictureError: a value that nobody can paint.
        ProjectError: the settings are broken.
    """
    find_painting_base(project.settings.base)
    orders = orders_of(project, grid)
    wanted = set(orders if places is None else places)
    ordered = [place for place in by_dearness(grid, orders) if place in wanted]
    with project.store() as store:
        # What a key stands for may have changed: a checkpoint that was trained anew is another one.
        GridShelf(store).save(grid, orders)
        pictures = Queue(store).add_missing(orders[place] for place in ordered)
    if any(picture.state is not PictureState.DONE for picture in pictures):
        wake_painter(project)
    return pictures


def cells_of(project: Project, grid: Grid) -> dict[Place, Cell]:
    """How each cell of a kept grid stands."""
    with project.store() as store:
        return GridShelf(store).cells(grid)


def progress_of(cells: Mapping[Place, Cell], other_paces: Sequence[float] = ()) -> Progress:
    """How far a grid is.

    Args:
        cells: its cells.
        other_paces: seconds that other pictures took, where none of its own was painted.
    """
    by_key = {cell.key: cell for cell in cells.values()}
    newest = sorted((cell for cell in by_key.values() if cell.seconds), key=lambda cell: cell.picture or 0)
    paces = [cell.seconds for cell in newest if cell.seconds][-PACE_OF:] or list(other_paces)
    return Progress(
        cells=len(cells),
        painted=sum(cell.painted for cell in cells.values()),
        waiting=sum(cell.waiting for cell in cells.values()),
        failed=sum(cell.state is not None and not cell.painted and not cell.waiting for cell in cells.values()),
        seconds_a_cell=statistics.fmean(paces) if paces else None,
        left=sum(not cell.painted for cell in by_key.values()),
    )


def recent_paces(project: Project) -> list[float]:
    """How long the pictures took that were painted last, in seconds."""
    with project.store() as store:
        rows = store.rows(
            "SELECT seconds FROM pictures WHERE state = 'done' AND seconds > 0 ORDER BY id DESC LIMIT ?", PACE_OF
        )
    return [row["seconds"] for row in rows]


def _joined(grids: Sequence[Grid], grid: Grid, exactly: bool) -> Grid:
    """The kept grid that a new one goes on with, its values behind the old ones; or the new one under a free name."""
    names = {each.name: each for each in grids}
    name, number = grid.name, 2
    while name in names:
        joined = _extended(names[name], grid)
        if joined is not None:
            return joined
        if exactly:
            raise PictureError(f"the grid {name} has other axes or settings", "give another --name")
        name, number = f"{grid.name}-{number}", number + 1
    return replace(grid, name=name)


def _extended(old: Grid, new: Grid) -> Grid | None:
    """The old grid with the new one's values; None where they differ in more than values."""
    if old.run != new.run or [axis.kind for axis in old.axes] != [axis.kind for axis in new.axes]:
        return None
    kinds = {axis.kind for axis in old.axes}
    if _rest(old, kinds) != _rest(new, kinds):
        return None
    pairs = list(zip(old.axes, new.axes, strict=True))
    if not all(set(one.values) & set(other.values) for one, other in pairs):
        return None
    for _, other in pairs:
        old = old.extended(other)
    return old


def _rest(grid: Grid, kinds: set[AxisKind]) -> dict[str, object]:
    """What a grid's cells have in common, without what its axes say."""
    said = {
        AxisKind.CHECKPOINT: ("lora",),
        AxisKind.SIZE: ("width", "height"),
        AxisKind.SAMPLER: ("sampler", "schedule"),
        AxisKind.PROMPT: ("prompt", "others"),
        AxisKind.FACE_FIX: ("face_fix",),
    }
    left_out = {"path", "prompt_id", "priority"}.union(*(said.get(kind, (kind.value,)) for kind in kinds))
    return {name: value for name, value in grid.common.to_record().items() if name not in left_out}


def sheet_path(project: Project, grid: Grid) -> Path:
    """Where a grid's sheet goes unless somebody says otherwise."""
    return grids_folder(project) / f"{grid.name}.png"
