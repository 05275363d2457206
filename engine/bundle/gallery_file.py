"""``gallery.json`` of a bundle: what a project knows of its pictures and grids, beside the files themselves.

What somebody's bundle says is held against what a row may be before any of it is written.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from engine.bundle.contents import BundleError, no_bundle
from engine.errors import PictureError
from engine.pictures.grid.plan import grid_from_record
from engine.pictures.orders.picture import order_from_record
from engine.pictures.orders.queue import MOST_STARS
from engine.storage.database import Store
from engine.storage.project_paths import INSIDE, ProjectPaths
from engine.storage.untrusted_files import parse_json, read_json

NAME = "gallery.json"

LARGEST = 100_000_000
"""Bytes of the file: some hundred thousand pictures."""

MADE_OF = (
    "t",
    "prompt",
    "negative",
    "lora",
    "strength",
    "seed",
    "steps",
    "guidance",
    "sampler",
    "width",
    "height",
    "path",
    "seconds",
    "details",
    "key",
    "outside",
)
"""Columns that say how a picture was made."""

SAID_OF = ("rating", "favourite", "rejected", "likeness")
"""Columns that say what somebody, or the measurement, thinks of it."""

_Number = Annotated[int, Field(ge=-(2**53), le=2**53)]
_Flag = Annotated[int, Field(ge=0, le=1)]
_Amount = Annotated[float, Field(ge=-1e15, le=1e15)]
_Text = Annotated[str, Field(max_length=100_000)]
_Cell = Annotated[tuple[_Number, _Number, _Number, Annotated[str, Field(max_length=100)]], Field(strict=False)]
"""Column, row, page and the picture's key."""


class PackedPicture(BaseModel):
    """A painted picture: its row, its vote, and the prompt of the library that it was made from."""

    model_config = ConfigDict(strict=True, extra="ignore")

    t: Annotated[float, Field(ge=0, le=1e11)]
    prompt: _Text
    negative: _Text
    lora: _Text | None
    strength: _Amount | None
    seed: _Number
    steps: Annotated[int, Field(ge=0, le=2**53)]
    guidance: _Amount
    sampler: _Text
    width: _Number | None
    height: _Number | None
    path: _Text
    seconds: _Amount | None
    details: _Text | None
    key: Annotated[str, Field(max_length=100)] | None
    outside: _Flag
    rating: Annotated[int, Field(ge=0, le=MOST_STARS)] | None
    favourite: _Flag
    rejected: _Flag
    likeness: Annotated[float, Field(ge=0, le=100)] | None
    vote: Annotated[int, Field(ge=-1, le=1)]
    from_prompt: tuple[_Text, _Text] | None = Field(strict=False)
    """Text and negative of a prompt in the library."""

    @field_validator("path")
    @classmethod
    def _lies_inside(cls, told: str) -> str:
        place = PurePosixPath(told.removeprefix(INSIDE))
        if not told.startswith(f"{INSIDE}pictures/") or ".." in place.parts or str(place) != told[len(INSIDE) :]:
            raise ValueError("it is outside of the project's pictures")
        return told

    @field_validator("details")
    @classmethod
    def _is_a_record(cls, told: str | None) -> str | None:
        if told is not None:
            TypeAdapter(dict[str, Any]).validate_python(parse_json(told), strict=True)
        return told

    def said(self) -> bool:
        """Whether anything was said of it."""
        return bool(self.rating or self.favourite or self.rejected or self.vote or self.likeness is not None)


class PackedGrid(BaseModel):
    """A grid: its plan, and which picture each of its cells is."""

    model_config = ConfigDict(strict=True, extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    run: _Text | None
    t: Annotated[float, Field(ge=0, le=1e11)]
    plan: Annotated[str, Field(max_length=10_000_000)]
    cells: list[_Cell]


class GalleryFile(BaseModel):
    """All that is known of a project's pictures."""

    model_config = ConfigDict(strict=True, extra="ignore")

    pictures: list[PackedPicture]
    grids: list[PackedGrid]


def packed_gallery(store: Store) -> GalleryFile:
    """What a project knows of the pictures that lie in its folder, and of its grids."""
    columns = ", ".join(f"p.{name}" for name in (*MADE_OF, *SAID_OF))
    rows = store.rows(
        f"SELECT {columns}, coalesce(v.vote, 0) AS vote, s.text AS shelf_text, s.negative AS shelf_negative"
        " FROM pictures p LEFT JOIN votes v ON v.picture_id = p.id LEFT JOIN prompts s ON s.id = p.prompt_id"
        " WHERE p.state = 'done' AND NOT p.gone AND p.path LIKE ? ORDER BY p.id",
        f"{INSIDE}pictures/%",
    )
    pictures = [_packed(row) for row in rows]
    grids = [
        PackedGrid(
            name=row["name"],
            run=row["run"],
            t=row["t"],
            plan=row["plan"],
            cells=[
                (each["x"], each["y"], each["z"], each["key"])
                for each in store.rows("SELECT x, y, z, key FROM grid_cells WHERE grid_id = ?", row["id"])
            ],
        )
        for row in store.rows("SELECT * FROM grids ORDER BY id")
    ]
    return GalleryFile(pictures=pictures, grids=grids)


def read_gallery(path: Path, root: Path) -> GalleryFile:
    """What a bundle says of its pictures.

    Args:
        path: the file.
        root: the project that the pictures go to.

    Raises:
        BundleError: there is none, or something in it is none of what Limner writes.
    """
    try:
        gallery = GalleryFile.model_validate(read_json(path, LARGEST))
        json.dumps(gallery.model_dump(), ensure_ascii=False).encode("utf-8")
        for picture in gallery.pictures:
            if picture.details and not picture.outside:
                order_from_record(parse_json(picture.details), ProjectPaths(root))
        for grid in gallery.grids:
            grid_from_record(grid.name, parse_json(grid.plan), 0, grid.t, ProjectPaths(root))
    except ValidationError as error:
        where = ".".join(str(each) for each in error.errors()[0]["loc"])
        what = f"the bundle's record of its pictures is invalid (at {where[:80]})"
        raise BundleError(what, "make it again") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, PictureError) as error:
        raise no_bundle() from error
    if len({each.path for each in gallery.pictures}) != len(gallery.pictures):
        raise BundleError("the bundle lists one picture twice", "make it again")
    return gallery


def _packed(row: sqlite3.Row) -> PackedPicture:
    values = {name: row[name] for name in (*MADE_OF, *SAID_OF)}
    shelf = None if row["shelf_text"] is None else (row["shelf_text"], row["shelf_negative"])
    return PackedPicture(**values, vote=row["vote"], from_prompt=shelf)
