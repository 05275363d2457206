"""What the Pictures screen writes: tiles, queue rows, and what is known of a picture, as lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.pictures.orders.picture import Picture, PictureState
from engine.pictures.orders.queue import MOST_STARS
from tui.widgets.ink import Ink, Line, Piece

if TYPE_CHECKING:
    from engine import events
    from engine.pictures.gallery.rows import Shown
    from engine.pictures.orders.png_parameters import Parameters

MARKS: dict[str, Piece] = {
    PictureState.QUEUED: ("○", Ink.MUTED),
    PictureState.PAINTING: ("●", Ink.ATTENTION),
    PictureState.DONE: ("·", Ink.FAINT),
    PictureState.FAILED: ("!", Ink.BAD),
    PictureState.CANCELLED: ("–", Ink.FAINT),
}

FAVOURITE: Piece = ("♥", Ink.ATTENTION)
REJECTED: Piece = ("✗", Ink.BAD)
MARKED: Piece = ("◆ ", Ink.ACTIVE)

LIKE, UNLIKE = 70, 40
"""From this likeness on a number is good, below that bad; only its colour follows."""

MUCH = 3
"""Pieces of a caption, after which the strength finds no room."""

TAIL = 3
"""Letters of a checkpoint's name that tell it from its neighbours."""


def stars_of(rating: int) -> str:
    """``★★★☆☆``."""
    return "★" * rating + "☆" * (MOST_STARS - rating)


def mark_of(picture: Shown) -> Piece:
    """The picture's mark: told by its shape, and by its colour."""
    if picture.rejected:
        return REJECTED
    return FAVOURITE if picture.favourite else MARKS[picture.state]


def likeness_piece(likeness: float) -> Piece:
    """``87``, in its colour."""
    return f"{likeness:.0f}", Ink.GOOD if likeness >= LIKE else Ink.BAD if likeness < UNLIKE else Ink.PLAIN


def tile_caption(picture: Shown, marked: bool = False, phase: events.Phase | None = None) -> Line:
    """Under a thumbnail: ``4★ 87 008×0.8``, stars, likeness, the end of the checkpoint's name; or how far it is."""
    line: Line = [MARKED] if marked else []
    if picture.state == PictureState.PAINTING:
        return [*line, (steps_of(phase) or "painting", Ink.ATTENTION)]
    if not picture.painted:
        return [*line, (picture.state, Ink.MUTED)]
    if picture.rating:
        line.append((f"{picture.rating}★ ", Ink.ATTENTION))
    if picture.likeness is not None:
        line += [likeness_piece(picture.likeness), (" ", Ink.PLAIN)]
    name = picture.lora_name
    short = name.rpartition("-")[2][-TAIL:] if "-" in name else name[:TAIL]
    # The strength goes first where there is much to tell; under the picture it is told again.
    at = f"×{picture.strength:.1f}" if picture.strength is not None and name and len(line) < MUCH else ""
    return [*line, (f"{short or 'base'}{at}", Ink.MUTED)]


def picture_line(picture: Shown) -> Line:
    """A picture in one line, for under it where it is alone."""
    mark, ink = mark_of(picture)
    line: Line = [(f"{mark} ", ink), (f"{stars_of(picture.rating)} ", Ink.ATTENTION if picture.rating else Ink.MUTED)]
    if picture.likeness is not None:
        line += [("likeness ", Ink.MUTED), likeness_piece(picture.likeness), ("  ", Ink.PLAIN)]
    return [*line, (f"{_seed(picture)} · {_lora(picture)}  ", Ink.PLAIN), (picture.prompt, Ink.MUTED)]


def steps_of(phase: events.Phase | None) -> str:
    """``12/30``; empty where nothing is told."""
    return f"{phase.done}/{phase.total}" if phase is not None and phase.total else ""


def queue_line(picture: Picture, width: int, phase: events.Phase | None = None) -> Line:
    """A waiting picture's row: its state, seed, checkpoint and strength, the prompt."""
    mark, ink = MARKS[picture.state]
    painting = picture.state is PictureState.PAINTING
    told = (steps_of(phase) or "painting") if painting else ""
    lora = picture.lora.stem if picture.lora else "base"
    strength = f" ×{picture.strength:.2f}" if picture.strength is not None else ""
    return [
        (f"{mark} ", ink),
        (f"{told:<9}" if painting or width > 60 else "", ink),
        (f"seed {picture.seed} ", Ink.PLAIN if painting else Ink.MUTED),
        (f"{lora}{strength} ", Ink.MUTED),
        (" ".join(picture.prompt.split()), Ink.MUTED),
    ]


def picture_facts(picture: Shown, told: Parameters | None = None) -> list[Line]:
    """What made the picture and what was said of it: as the project knows it, and as the file itself tells."""
    mark, ink = mark_of(picture)
    if picture.painted:
        stars = (stars_of(picture.rating), Ink.ATTENTION if picture.rating else Ink.MUTED)
        head: Line = [(f"{mark} ", ink), stars]
    else:
        head = [(f"{mark} {picture.state}", ink)]
    if picture.likeness is not None:
        head += [(" · likeness ", Ink.MUTED), likeness_piece(picture.likeness)]
    how = f"{picture.seconds:.1f} s" if picture.seconds else "from elsewhere" if picture.outside else ""
    head += [(f" · {how}" if how else "", Ink.MUTED), (" · its file is gone" if picture.gone else "", Ink.BAD)]
    if picture.reason:
        return [head, [(without_folders(picture.reason), Ink.BAD)]]
    made = [
        f"{picture.steps} steps" if picture.steps else "",
        f"cfg {picture.guidance:g}" if picture.guidance is not None else "",
        picture.sampler or "",
    ]
    size = f"{picture.width:,} × {picture.height:,}" if picture.width and picture.height else ""
    model = told.model if told is not None else None
    return [
        head,
        [(f"{_seed(picture)} · {_lora(picture)}", Ink.PLAIN)],
        [(" · ".join(part for part in made if part), Ink.MUTED)],
        [(" · ".join(part for part in (size, model) if part), Ink.MUTED)],
    ]


def without_folders(reason: str) -> str:
    """A reason with the names of files in the place of their paths: ``…/a.safetensors is damaged``."""
    return re.sub(r"(?<!\S)/\S*/(?=[^\s/])", "…/", reason)


def _seed(picture: Shown) -> str:
    return "seed unknown" if picture.seed is None else f"seed {picture.seed}"


def _lora(picture: Shown) -> str:
    if not picture.lora_name:
        return "base"
    return picture.lora_name + (f" at {picture.strength:.2f}" if picture.strength is not None else "")
