"""Bringing pictures home: each file beside those that are here, with what was said of it, and their grids."""

from __future__ import annotations

import filecmp
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.bundle.contents import BundleError
from engine.bundle.gallery_file import MADE_OF, NAME, SAID_OF, PackedGrid, PackedPicture, read_gallery
from engine.pictures.orders.commit import give_name
from engine.project import Project
from engine.storage.os_errors import explained
from engine.storage.untrusted_files import parse_json


@dataclass(frozen=True)
class PicturesBroughtHome:
    """What came of a bundle's pictures."""

    new: int
    known: int
    """Those that were here already."""
    grids: int
    """Grids that were not here yet."""


def bring_pictures_home(project: Project, stage: Path) -> PicturesBroughtHome:
    """Takes over what a bundle has of pictures. Nothing here is overwritten; what is here already stays as it is.

    Killed in between, it can be redone: a file that came without its row gets it then.

    Args:
        project: where they go.
        stage: the bundle's files, proven.

    Raises:
        BundleError: what it tells of them can't be, or a folder here leads out of the project.
        DiskFull: there is no room.
    """
    gallery = read_gallery(stage / NAME, project.root)
    with explained(project.pictures):
        names = _move_files(project, stage / "pictures")
    with project.store() as store, store.change() as change:
        new = sum(_take_picture(change, each, names) for each in gallery.pictures)
        grids = sum(_take_grid(change, each) for each in gallery.grids)
    return PicturesBroughtHome(new, len(gallery.pictures) - new, grids)


def _move_files(project: Project, incoming: Path) -> dict[str, str]:
    """Moves the files in; returns the kept paths that changed, since another file has that name here."""
    names: dict[str, str] = {}
    files = sorted(each for each in incoming.rglob("*") if each.is_file()) if incoming.is_dir() else []
    for file in files:
        place = project.pictures / file.relative_to(incoming)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(project.pictures.resolve()):
            raise BundleError(f"{place.parent} is a link that points out of the project", "remove it")
        if place.exists() and filecmp.cmp(file, place, shallow=False):
            continue
        taken = give_name(file, place)
        if taken != place:
            names[_kept(place, project)] = _kept(taken, project)
    return names


def _kept(path: Path, project: Project) -> str:
    return f"./{path.relative_to(project.root).as_posix()}"


def _take_picture(change: sqlite3.Connection, picture: PackedPicture, names: Mapping[str, str]) -> bool:
    """Writes the row of a picture that has none here. Where it has one, only what nobody said here is taken over."""
    path = names.get(picture.path, picture.path)
    here = change.execute("SELECT * FROM pictures WHERE path = ? AND state = 'done'", (path,)).fetchone()
    values = {name: getattr(picture, name) for name in MADE_OF}
    values |= {"path": path, "details": _with_path(picture.details, path), "gone": 0}
    if picture.from_prompt is not None:
        query = "SELECT id FROM prompts WHERE text = ? AND negative = ?"
        shelf = change.execute(query, picture.from_prompt).fetchone()
        values["prompt_id"] = shelf["id"] if shelf else None
    if here is None:
        values |= {name: getattr(picture, name) for name in SAID_OF}
        place = "(SELECT coalesce(max(place), 0) + 1 FROM pictures)"
        query = f"INSERT INTO pictures ({', '.join(values)}, state, place) VALUES ({_marks(values)}, 'done', {place})"
        number = int(change.execute(query, tuple(values.values())).lastrowid or 0)
    else:
        number = int(here["id"])
        # A file that came without its row was found by a look, and taken for one from elsewhere.
        if here["outside"] and not picture.outside:
            _set(change, number, values)
        _set(change, number, {name: getattr(picture, name) for name in SAID_OF if not here[name]})
    if picture.vote:
        query = "INSERT OR IGNORE INTO votes (picture_id, t, vote) VALUES (?, ?, ?)"
        change.execute(query, (number, time.time(), picture.vote))
    return here is None


def _take_grid(change: sqlite3.Connection, grid: PackedGrid) -> bool:
    """Writes a grid that is not here; another one of its name stays, and this one gets a number behind it."""
    name, number = grid.name, 1
    while (here := change.execute("SELECT * FROM grids WHERE name = ?", (name,)).fetchone()) is not None:
        if here["plan"] == grid.plan:
            return False
        number += 1
        name = f"{grid.name}-{number}"
    query = "INSERT INTO grids (t, name, run, plan) VALUES (?, ?, ?, ?)"
    row = change.execute(query, (grid.t, name, grid.run, grid.plan)).lastrowid
    query = "INSERT OR IGNORE INTO grid_cells (grid_id, x, y, z, key) VALUES (?, ?, ?, ?, ?)"
    change.executemany(query, [(row, *cell) for cell in grid.cells])
    return True


def _set(change: sqlite3.Connection, number: int, values: Mapping[str, object]) -> None:
    if values:
        assignments = ", ".join(f"{name} = ?" for name in values)
        change.execute(f"UPDATE pictures SET {assignments} WHERE id = ?", (*values.values(), number))


def _marks(values: Mapping[str, object]) -> str:
    return ", ".join("?" * len(values))


def _with_path(details: str | None, path: str) -> str | None:
    """An order with the place of its picture here, and without the number that its prompt has elsewhere."""
    if details is None:
        return None
    record = parse_json(details)
    if "path" in record:
        record |= {"path": path, "prompt_id": None}
    return json.dumps(record, ensure_ascii=False)
