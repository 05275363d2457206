"""All faces of a project side by side in columns, so that a filter over a hundred thousand takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.faces.framing import (
    FRAMINGS,
    LEAST_BELOW,
    SIDE,
    cut_of,
    natural_framing,
    others_inside,
    own_crop,
)
from engine.faces.photo.geometry import CLOSE_SHARE, EYES_DOWN, FACE_SHARE, HALF_SHARE, Framing
from engine.faces.records.decisions import Face, seen_twice
from engine.faces.records.measurements import Light, View
from engine.faces.selection.filter_fields import CHOICES, NUMBERS, STATES
from engine.library.spelling import folded

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]
Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Room:
    """What the photos have room for, a row a face."""

    sides: Numbers
    """[n, 3]: the crop's side for each of ``FRAMINGS``; NaN where the face can't be used."""
    possible: Flags
    """[n, 3]: whether there is room for it."""
    below: Numbers
    """[n]: face heights of picture below the chin."""

    @property
    def natural(self) -> Codes:
        """[n]: as ``natural_framing``, by its place in ``FRAMINGS``; −1 where the face can't be used."""
        enough = self.possible & (self.sides >= SIDE)
        tightest = np.where(enough.any(axis=1), enough.argmax(axis=1), 2 - self.possible[:, ::-1].argmax(axis=1))
        return np.where(self.possible.any(axis=1), tightest, -1).astype(np.int8)


def room_of(faces: Sequence[Face]) -> Room:
    """``framings_of`` and ``crop_of`` for many faces at once."""
    count = len(faces)
    told = [
        (box.x, box.y, box.w, box.h, face.image_width or 0, face.image_height or 0, face.problem is None)
        for face in faces
        for box in (face.box,)
    ]
    x, y, w, h, width, height, sound = np.array(told, np.float64).reshape(count, 7).T
    left, top = np.clip(x, 0, 1) * width, np.clip(y, 0, 1) * height
    right, bottom = np.clip(x + w, 0, 1) * width, np.clip(y + h, 0, 1) * height
    usable = (sound > 0) & (right - left >= 1) & (bottom - top >= 1)
    face, tall = np.maximum(right - left, bottom - top), np.where(bottom > top, bottom - top, 1)
    sides, possible = np.full((count, 3), np.nan), np.zeros((count, 3), bool)
    for place, framing in enumerate(FRAMINGS):
        side = np.maximum(1, np.minimum(np.rint(face / FACE_SHARE[framing]), np.minimum(width, height)))
        from_top = np.clip(np.rint((top + bottom) / 2 - side * EYES_DOWN[framing]), 0, height - side)
        share, below = tall / side, (from_top + side - bottom) / tall
        narrow = {Framing.HALF: share < CLOSE_SHARE, Framing.FULL: share < HALF_SHARE}.get(framing, usable)
        sides[:, place] = np.where(usable, side, np.nan)
        possible[:, place] = usable & narrow & (below >= LEAST_BELOW[framing])
    return Room(sides, possible, np.where(usable, (height - bottom) / tall, np.nan))


class FaceColumns:
    """The faces of a project, and every number, state and choice of theirs as an array."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = list(faces)
        self._row = {face.id: row for row, face in enumerate(self.faces)}
        self.numbers: dict[str, Numbers] = {name: _numbers(self.faces, each.of) for name, each in NUMBERS.items()}
        self.states: dict[str, Flags] = {
            name: np.array([bool(each.of(face)) for face in self.faces], bool) for name, each in STATES.items()
        }
        self.names = [folded(face.file_name) for face in self.faces]
        self.days = np.array([(face.taken_at or "")[:10] for face in self.faces], "U10")
        self._room(room_of(self.faces))
        self.choices: dict[str, Codes] = {
            "framing": self._framing,
            "lit": _codes(self.faces, lambda face: face.measures.light, tuple(Light)),
            "view": _codes(self.faces, lambda face: face.measures.view, tuple(View)),
        }
        self._orders: dict[str, Rows] = {}
        self._together = self._on_one_photo()

    def __len__(self) -> int:
        return len(self.faces)

    def row(self, face_id: int) -> int | None:
        """Where a face stands; None where it is not there."""
        return self._row.get(face_id)

    def update(self, face: Face) -> bool:
        """Takes in a face whose decision or cut changed; whether that changed what is said of another one."""
        row = self._row[face.id]
        self.faces[row] = face
        for name in ("keep", "reject", "undecided", "cropped"):
            self.states[name][row] = bool(STATES[name].of(face))
        crop = own_crop(face)
        natural = natural_framing(face)
        self._framing[row] = -1 if natural is None else FRAMINGS.index(cut_of(face).framing)
        self.numbers["crop"][row] = crop.side if crop else np.nan
        self._crowd(row, face)
        self._orders.pop("crop", None)
        rows = self._together.get(face.file_uid, [])
        for place, each in zip(rows, seen_twice([self.faces[place] for place in rows]), strict=True):
            self.faces[place], self.states["twice"][place] = each, each.twice
        return bool(rows)

    def choice(self, name: str, value: str) -> Flags:
        """Which faces have a choice's value."""
        place = CHOICES[name].index(value)
        if name == "can":
            return self.possible[:, place]
        return np.asarray(self.choices[name] == place)

    def order(self, sort: str) -> Rows:
        """All rows in the order of one of ``SORTS``; unknown ones last."""
        if sort not in self._orders:
            self._orders[sort] = self._sorted(sort)
        return self._orders[sort]

    def ready(self) -> FaceColumns:
        """Sorts by all that takes long, so that no key press has to wait for it."""
        for sort in ("date", "name", "px", "sharp"):
            self.order(sort)
        return self

    def group(self, name: str) -> NDArray[Any]:
        """What each face's group is called by: a day, a year, a burst's first face or the framing."""
        if name == "day":
            return self.days
        if name == "framing":
            return self._framing
        if name == "year":
            return self.numbers["year"]
        return np.array(
            [(face.measures.relations.burst if face.measures.relations else None) or 0 for face in self.faces], np.int64
        )

    def _on_one_photo(self) -> dict[str, list[int]]:
        """The rows of the few photos that hold the person more than once, by the photo's file."""
        first: dict[str, int] = {}
        several: dict[str, list[int]] = {}
        for row, face in enumerate(self.faces):
            before = first.setdefault(face.file_uid, row)
            if before != row:
                several.setdefault(face.file_uid, [before]).append(row)
        return several

    def _room(self, room: Room) -> None:
        self.possible = room.possible
        self._framing = room.natural
        sides = np.where(self._framing < 0, np.nan, room.sides[np.arange(len(self)), self._framing])
        self.numbers |= {"crop": sides, "body": room.below}
        wide = room.sides[:, 1] >= 2 * room.sides[:, 0]
        crowded, alone = np.zeros(len(self), bool), np.zeros(len(self), bool)
        self.states |= {"wide": wide, "crowded": crowded, "alone": alone}
        self.states["upscaled"] = sides < SIDE
        for row, face in enumerate(self.faces):
            if face.cut is not None:
                self._framing[row] = FRAMINGS.index(face.cut.framing) if face.cut.framing in FRAMINGS else -1
                crop = own_crop(face)
                self.numbers["crop"][row] = crop.side if crop else np.nan
            if face.measures.neighbours:
                self._crowd(row, face)
            elif face.measures.neighbours is not None:
                alone[row] = True

    def _crowd(self, row: int, face: Face) -> None:
        crop = own_crop(face)
        others = others_inside(face, crop) if crop else None
        self.states["crowded"][row] = bool(others)
        self.states["alone"][row] = others == 0
        self.states["upscaled"][row] = crop is not None and crop.side < SIDE

    def _sorted(self, sort: str) -> Rows:
        ids = self.numbers["id"]
        if sort == "name":
            return np.lexsort((ids, np.array(self.names)))
        if sort == "date":
            taken = np.array([face.taken_at or "" for face in self.faces], "U19")
            return np.lexsort((ids, taken, taken == ""))
        values = self.numbers[sort]
        falling = values if sort == "light" else -values
        return np.lexsort((ids, np.nan_to_num(falling), np.isnan(values)))


def _numbers(faces: Sequence[Face], of: Callable[[Face], float | None]) -> Numbers:
    return np.array([np.nan if (value := of(face)) is None else value for face in faces], np.float64)


def _codes(faces: Sequence[Face], of: Callable[[Face], str | None], values: tuple[str, ...]) -> Codes:
    places = {value: place for place, value in enumerate(values)}
    return np.array([-1 if (value := of(face)) is None else places[value] for face in faces], np.int8)
