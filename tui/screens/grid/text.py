"""What the grid's screen writes: cells, what made them, who was liked best."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.pictures.grid.axes import AxisKind
from engine.pictures.orders.picture import PictureState
from tui.text.meter import clock
from tui.widgets.ink import Ink, Line, Piece
from tui.widgets.portrait import Subject
from tui.widgets.thumbnails.cache import ThumbnailCache, stamp_of
from tui.widgets.thumbnails.tile import Thumbnail

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from engine.pictures.grid.painting import Progress
    from engine.pictures.grid.plan import Grid
    from engine.pictures.grid.store import Cell

SIDE = 128
"""Pixels of a thumbnail's longer side: some more than half-blocks show of it."""

VOTES: dict[int, Piece] = {1: ("▲", Ink.GOOD), -1: ("▼", Ink.BAD), 0: ("", Ink.PLAIN)}

_SAID = (AxisKind.CHECKPOINT, AxisKind.STRENGTH, AxisKind.PROMPT, AxisKind.NEGATIVE)
"""What stands elsewhere beside the picture."""

STATES: dict[PictureState, tuple[Piece, str]] = {
    PictureState.QUEUED: (("○", Ink.MUTED), "queued"),
    PictureState.PAINTING: (("●", Ink.ATTENTION), "painting…"),
    PictureState.FAILED: (("✗", Ink.BAD), "failed"),
    PictureState.CANCELLED: (("–", Ink.FAINT), "cancelled"),
}


def cell_thumbnail(cell: Cell, cache: Path, preview: Path | None = None) -> Thumbnail:
    """A cell's tile: the picture, the vote and the likeness under it; or how it stands.

    Args:
        cell: the cell.
        cache: the project's cache folder.
        preview: where the picture that is being painted is seen forming.
    """
    likeness: Line = [(f"{cell.likeness:.0f}", Ink.PLAIN)] if cell.likeness is not None else []
    if cell.painted and cell.path is not None:
        key = (str(cell.path), cell.picture)
        return Thumbnail(key, partial(_small, cell.path, cache), VOTES[cell.vote], likeness)
    if cell.state is None:
        return Thumbnail(("missing", cell.key), None, ("", Ink.PLAIN), [], "·")
    mark, words = STATES[cell.state]
    if cell.state is PictureState.PAINTING and preview is not None and (stamp := stamp_of(preview)):
        return Thumbnail((str(preview), stamp), partial(_opened, preview), mark, [(words, Ink.ATTENTION)])
    return Thumbnail((cell.state.value, cell.key), None, mark, [], words)


def cell_subject(cell: Cell) -> Subject | None:
    """A cell's picture; None where there is none."""
    if not cell.painted or cell.path is None:
        return None
    return Subject((str(cell.path), stamp_of(cell.path)), partial(_opened, cell.path))


def cell_facts(grid: Grid, cell: Cell) -> list[Line]:
    """What makes a cell, and what was said of it."""
    labels = grid.labels(cell.place)
    checkpoint, strength = labels.get(AxisKind.CHECKPOINT), labels.get(AxisKind.STRENGTH)
    if checkpoint is None:
        checkpoint = grid.common.lora.stem if grid.common.lora else "no LoRA"
    first = f"{checkpoint} at {strength}" if strength else checkpoint
    lines: list[Line] = [[(first, Ink.STRONG)]]
    rest = [f"{kind} {label}" for kind in AxisKind if kind not in _SAID and (label := labels.get(kind))]
    rest += [] if AxisKind.SEED in labels else [f"seed {grid.common.seed}"]
    lines.append([(" · ".join(rest), Ink.MUTED)])
    if cell.painted:
        took = f" in {cell.seconds:.1f} s" if cell.seconds else ""
        lines.append([("✓ ", Ink.GOOD), (f"painted{took}", Ink.MUTED)])
        lines.append(_said(cell))
    elif cell.state is None:
        lines.append([("not painted", Ink.MUTED)])
    else:
        (mark, ink), words = STATES[cell.state]
        lines.append([(f"{mark} ", ink), (cell.reason or words, ink)])
    return lines


def cell_words(grid: Grid, cell: Cell) -> Line:
    """A cell in one line, for under a large picture."""
    mark, ink = VOTES[cell.vote]
    labels = grid.labels(cell.place)
    said = " · ".join(labels[axis.kind] for axis in grid.axes)
    return [(f"{mark} " if mark else "", ink), (said, Ink.PLAIN)]


def progress_line(progress: Progress) -> Line:
    """``33 cells · 12 painted · 21 queued · about 1:40 left``."""
    line: Line = [(f"{progress.painted:,} of {progress.cells:,} painted", Ink.MUTED)]
    if progress.waiting:
        line.append((f" · {progress.waiting:,} queued", Ink.ATTENTION))
    if progress.failed:
        line.append((f" · {progress.failed:,} not", Ink.BAD))
    if progress.waiting and progress.seconds_left is not None:
        line.append((f" · about {clock(progress.seconds_left)} left", Ink.MUTED))
    return line


def _said(cell: Cell) -> Line:
    mark, ink = VOTES[cell.vote]
    words = {1: "for it", -1: "against it", 0: "no vote"}[cell.vote]
    line: Line = [(f"{mark} {words}".strip(), ink if cell.vote else Ink.MUTED)]
    if cell.rating:
        line.append((f" · {'★' * cell.rating}", Ink.ATTENTION))
    if cell.likeness is not None:
        line.append((f" · likeness {cell.likeness:.0f}", Ink.ACTIVE))
    return line


def _small(path: Path, cache: Path) -> Image:
    """In a thread: a thumbnail, from the cache where it is there."""

    def made() -> Image:
        picture = _opened(path)
        picture.thumbnail((SIDE, SIDE))
        return picture

    return ThumbnailCache(cache).picture(f"{path}|{stamp_of(path)}|{SIDE}", made)


def _opened(path: Path) -> Image:
    from engine.faces.photo.loading import open_header

    with open_header(path) as picture:
        return picture.convert("RGB")
