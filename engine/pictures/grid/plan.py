"""A grid: what all its cells have in common, its axes, and the order in which its cells are best painted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from engine.pictures.grid.axes import NO_LORA, OFF, ON, Axis, AxisKind, applied
from engine.pictures.grid.ranges import GridError
from engine.pictures.orders.orders import ready_to_queue
from engine.pictures.orders.picture import ANYWHERE, PictureOrder, checked, order_from_record
from engine.pictures.painting.request import params_of
from engine.project import Project
from engine.prompts.to_paint import names_a_lora
from engine.storage.project_paths import ProjectPaths

MOST_CELLS = 20_000
"""No grid has more."""

_LETTERS = 28
"""Of a value, in the name of a cell's file."""


class Place(NamedTuple):
    """Where a cell stands: its column, its row and its page, each from 0."""

    x: int
    y: int
    z: int


@dataclass(frozen=True)
class Grid:
    """A grid as it is kept.

    Args:
        name: what it is called, and its folder in ``pictures/grids``.
        run: the run whose checkpoints it compares; None: none.
        common: what no axis says, ready for the queue; its path means nothing.
        x: the columns.
        y: the rows; None: there is one.
        pages: the other axes; each combination of their values is a page.
        id: its number; 0: not kept yet.
        t: when it was made, Unix seconds.
    """

    name: str
    run: str | None
    common: PictureOrder
    x: Axis
    y: Axis | None = None
    pages: tuple[Axis, ...] = ()
    id: int = 0
    t: float = 0.0

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All of them: columns, rows, pages."""
        return (self.x, *((self.y,) if self.y else ()), *self.pages)

    @property
    def columns(self) -> tuple[str, ...]:
        """The values of the columns."""
        return self.x.values

    @property
    def rows(self) -> tuple[str, ...]:
        """The values of the rows; one empty value where there is no such axis."""
        return self.y.values if self.y else ("",)

    @cached_property
    def page_values(self) -> list[tuple[str, ...]]:
        """What each page holds fixed: a value of each of its axes."""
        return list(itertools.product(*(axis.values for axis in self.pages)))

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self.columns) * len(self.rows) * len(self.page_values)

    def places(self) -> Iterator[Place]:
        """Every cell's place, page by page, row by row."""
        for z, y, x in itertools.product(range(len(self.page_values)), range(len(self.rows)), range(len(self.columns))):
            yield Place(x, y, z)

    def values(self, place: Place) -> dict[AxisKind, str]:
        """What the axes say of a cell."""
        found = {self.x.kind: self.columns[place.x]}
        if self.y:
            found[self.y.kind] = self.rows[place.y]
        page = self.page_values[place.z] if self.pages else ()
        return {**found, **{axis.kind: value for axis, value in zip(self.pages, page, strict=True)}}

    def place(self, values: Mapping[AxisKind, str]) -> Place:
        """The cell of these values. Raises ValueError where there is none."""
        page = tuple(values[axis.kind] for axis in self.pages)
        y = self.y.values.index(values[self.y.kind]) if self.y else 0
        return Place(self.x.values.index(values[self.x.kind]), y, self.page_values.index(page))

    def seed(self, place: Place) -> int:
        """A cell's seed."""
        return int(self.values(place).get(AxisKind.SEED, self.common.seed))

    def labels(self, place: Place) -> dict[AxisKind, str]:
        """The same as a person reads it."""
        values = self.values(place)
        return {axis.kind: axis.label(values[axis.kind]) for axis in self.axes}

    def page_label(self, z: int) -> str:
        """What a page holds fixed, as a person reads it; empty where there is one page only."""
        page = self.page_values[z]
        return " · ".join(
            label if axis.kind in (AxisKind.PROMPT, AxisKind.CHECKPOINT, AxisKind.SAMPLER) else f"{axis.kind} {label}"
            for axis, value in zip(self.pages, page, strict=True)
            for label in (axis.label(value),)
        )

    def extended(self, axis: Axis) -> Grid:
        """The grid with more values on an axis; one that was not among its axes becomes a page's.

        Raises:
            GridError: that makes too many cells.
        """
        if self.y and axis.kind is self.y.kind:
            return checked_grid(replace(self, y=self.y.with_values(axis.values)))
        if axis.kind is self.x.kind:
            return checked_grid(replace(self, x=self.x.with_values(axis.values)))
        if any(axis.kind is each.kind for each in self.pages):
            pages = tuple(each.with_values(axis.values) if each.kind is axis.kind else each for each in self.pages)
            return checked_grid(replace(self, pages=pages))
        now = value_of(self.common, axis.kind)
        added = axis if now is None else Axis(axis.kind, (now,)).with_values(axis.values)
        return checked_grid(replace(self, pages=(*self.pages, added)))

    def record(self, paths: ProjectPaths = ANYWHERE) -> dict[str, Any]:
        """The grid as JSON, its paths as a project keeps them."""
        return {
            "run": self.run,
            "common": self.common.to_record(paths),
            "x": _axis_record(self.x),
            "y": _axis_record(self.y) if self.y else None,
            "pages": [_axis_record(axis) for axis in self.pages],
        }


def grid_from_record(
    name: str, record: Mapping[str, Any], id: int = 0, t: float = 0.0, paths: ProjectPaths = ANYWHERE
) -> Grid:
    """Reads what ``record`` gave. Raises KeyError, TypeError or ValueError."""
    return Grid(
        name=name,
        run=record["run"],
        common=order_from_record(record["common"], paths),
        x=_axis(record["x"]),
        y=_axis(record["y"]) if record["y"] else None,
        pages=tuple(_axis(each) for each in record["pages"]),
        id=id,
        t=t,
    )


def checked_grid(grid: Grid) -> Grid:
    """The grid, if it can be.

    Raises:
        GridError: an axis stands twice, or there are too many cells.
    """
    kinds = [axis.kind for axis in grid.axes]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice:
        raise GridError(f"the grid has two axes {twice}", "put all its values on one axis")
    if grid.size > MOST_CELLS:
        raise GridError(f"the grid has {grid.size:,} cells", f"take fewer values: {MOST_CELLS:,} cells at most")
    return grid


def orders_of(project: Project, grid: Grid) -> dict[Place, PictureOrder]:
    """Each cell's order, ready for the queue.

    Raises:
        PictureError: a value that nobody can paint.
        ProjectError: the settings are broken.
    """
    by_prompt: dict[str, PictureOrder] = {}
    orders: dict[Place, PictureOrder] = {}
    folder = grid_folder(project, grid)
    for place in grid.places():
        values = grid.values(place)
        prompt = values.get(AxisKind.PROMPT, grid.common.prompt)
        if prompt not in by_prompt:
            own = names_a_lora(prompt) and all(axis.kind is not AxisKind.CHECKPOINT for axis in grid.axes)
            common = replace(grid.common, lora=None, strength=None) if own else grid.common
            by_prompt[prompt] = ready_to_queue(project, replace(common, prompt=prompt))
        order = checked(applied(by_prompt[prompt], values, project.root))
        orders[place] = replace(order, path=folder / _file_name(grid, place, order.seed))
    return orders


def by_dearness(grid: Grid, orders: Mapping[Place, PictureOrder]) -> list[Place]:
    """The cells as they are best painted: the dearest axis outermost, what can be painted together side by side."""
    dearest = list(AxisKind)
    axes = sorted(grid.axes, key=lambda axis: dearest.index(axis.kind))
    places = {axis.kind: {value: at for at, value in enumerate(axis.values)} for axis in axes}

    def rank(place: Place) -> list[int]:
        values = grid.values(place)
        return [places[axis.kind][values[axis.kind]] for axis in axes]

    # A prompt that names LoRAs of its own has other parameters than its neighbours.
    brushes: dict[object, int] = {}
    ranked = sorted(orders, key=rank)
    numbers = {place: brushes.setdefault(_style(orders[place]), len(brushes)) for place in ranked}
    return sorted(ranked, key=numbers.__getitem__)


def value_of(order: PictureOrder, kind: AxisKind) -> str | None:
    """An order's own value on an axis; None where it leaves that to the base model."""
    match kind:
        case AxisKind.CHECKPOINT:
            return str(order.lora) if order.lora else NO_LORA
        case AxisKind.SIZE:
            return f"{order.width}x{order.height}" if order.width and order.height else None
        case AxisKind.SAMPLER:
            named = order.schedule.value not in ("Automatic", "Uniform")
            return f"{order.sampler} {order.schedule}" if named else order.sampler.value
        case AxisKind.FACE_FIX:
            return ON if order.face_fix else OFF
        case AxisKind.GUIDANCE:
            return f"{order.guidance:g}"
        case AxisKind.STRENGTH:
            return f"{1.0 if order.strength is None else order.strength:g}"
        case _:
            return str(getattr(order, kind.value))


def grid_folder(project: Project, grid: Grid) -> Path:
    """Where a grid's pictures lie."""
    return grids_folder(project) / grid.name


def grids_folder(project: Project) -> Path:
    """Where grids lie: a folder of pictures each, and the sheets."""
    return project.pictures / "grids"


def slug(text: str, letters: int = _LETTERS) -> str:
    """A value as a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "_", text).strip("_.")[:letters] or "x"


def _file_name(grid: Grid, place: Place, seed: int) -> str:
    labels = grid.labels(place)
    parts = [slug(labels[axis.kind]) for axis in grid.axes if axis.kind not in (AxisKind.PROMPT, AxisKind.NEGATIVE)]
    page = f"p{place.z + 1}-" if grid.pages else ""
    return f"{page}{'-'.join(parts) or 'cell'}-{seed}.png"


def _style(order: PictureOrder) -> object:
    return (order.base, params_of(order))


def _axis_record(axis: Axis) -> dict[str, Any]:
    return {"kind": axis.kind.value, "values": list(axis.values)}


def _axis(record: Mapping[str, Any]) -> Axis:
    values: Sequence[str] = record["values"]
    return Axis(AxisKind(record["kind"]), tuple(values))
