"""Grids as they are kept: what each is, and how each of its cells stands."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import PictureError
from engine.pictures.grid.plan import Grid, Place, grid_from_record
from engine.pictures.orders.picture import PictureOrder, PictureState
from engine.storage.database import Store
from engine.storage.project_paths import ProjectPaths
from engine.storage.untrusted_files import parse_json


@dataclass(frozen=True)
class Cell:
    """A cell of a grid, and the picture that it is."""

    place: Place
    key: str
    picture: int | None = None
    """Its number in the queue; None: never ordered."""
    state: PictureState | None = None
    """None: never ordered, or its file is gone."""
    path: Path | None = None
    seconds: float | None = None
    """How long it took; of a batch, its share."""
    reason: str | None = None
    """Why it failed."""
    rating: int = 0
    likeness: float | None = None
    """0 to 100; None: not measured."""
    vote: int = 0
    """1 for it, -1 against it, 0 neither."""

    @property
    def painted(self) -> bool:
        """Whether there is a picture to look at."""
        return self.state is PictureState.DONE

    @property
    def waiting(self) -> bool:
        """Whether it is in the queue."""
        return self.state in (PictureState.QUEUED, PictureState.PAINTING)


class GridShelf:
    """The grids of one project."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._paths = store.paths

    def grids(self) -> list[Grid]:
        """All of them, the one that was changed last first."""
        return [_grid(row, self._paths) for row in self._store.rows("SELECT * FROM grids ORDER BY t DESC, id DESC")]

    def grid(self, name: str) -> Grid:
        """One grid by its name.

        Raises:
            PictureError: there is none.
        """
        rows = self._store.rows("SELECT * FROM grids WHERE name = ?", name)
        if not rows:
            names = ", ".join(each.name for each in self.grids()[:5])
            raise PictureError(f"there is no grid {name}", f"there are {names}" if names else "make one: limner grid")
        return _grid(rows[0], self._paths)

    def save(self, grid: Grid, orders: Mapping[Place, PictureOrder]) -> Grid:
        """Keeps a grid, a new one or one that was changed, and which picture each of its cells is.

        Raises:
            PictureError: another grid has its name.
        """
        cells = [(place.x, place.y, place.z, order.key(self._paths)) for place, order in orders.items()]
        plan, now = json.dumps(grid.record(self._paths), ensure_ascii=False), time.time()
        with self._store.change() as change:
            try:
                if grid.id:
                    values = (now, grid.name, grid.run, plan, grid.id)
                    change.execute("UPDATE grids SET t = ?, name = ?, run = ?, plan = ? WHERE id = ?", values)
                    number = grid.id
                else:
                    values_new = (now, grid.name, grid.run, plan)
                    cursor = change.execute("INSERT INTO grids (t, name, run, plan) VALUES (?, ?, ?, ?)", values_new)
                    number = int(cursor.lastrowid or 0)
            except sqlite3.IntegrityError as error:
                raise PictureError(f"there is a grid {grid.name} already", "give another name") from error
            change.execute("DELETE FROM grid_cells WHERE grid_id = ?", (number,))
            query = "INSERT INTO grid_cells (grid_id, x, y, z, key) VALUES (?, ?, ?, ?, ?)"
            change.executemany(query, [(number, *cell) for cell in cells])
        return replace(grid, id=number, t=now)

    def forget(self, grid: Grid) -> None:
        """Forgets a grid; its pictures stay."""
        with self._store.change() as change:
            change.execute("DELETE FROM grid_cells WHERE grid_id = ?", (grid.id,))
            change.execute("DELETE FROM grids WHERE id = ?", (grid.id,))

    def cells(self, grid: Grid) -> dict[Place, Cell]:
        """How each cell stands."""
        rows = self._store.rows(
            "SELECT c.x, c.y, c.z, c.key, p.id, p.state, p.path, p.seconds, p.reason, coalesce(p.rating, 0) AS rating,"
            " p.likeness, coalesce(v.vote, 0) AS vote FROM grid_cells c LEFT JOIN pictures p ON p.key = c.key"
            " LEFT JOIN votes v ON v.picture_id = p.id WHERE c.grid_id = ? ORDER BY p.id",
            grid.id,
        )
        cells: dict[Place, Cell] = {}
        there: dict[str, bool] = {}
        for row in rows:
            place = Place(row["x"], row["y"], row["z"])
            cell = _cell(place, row, there, self._paths)
            if place not in cells or _worth(cell) >= _worth(cells[place]):
                cells[place] = cell
        return cells

    def cancel(self, grid: Grid) -> int:
        """Takes off the queue what waits of a grid, what is being painted too. Returns how many pictures."""
        with self._store.change() as change:
            return change.execute(
                "UPDATE pictures SET state = 'cancelled' WHERE state IN ('queued', 'painting')"
                " AND key IN (SELECT key FROM grid_cells WHERE grid_id = ?)",
                (grid.id,),
            ).rowcount


def _cell(place: Place, row: sqlite3.Row, there: dict[str, bool], paths: ProjectPaths) -> Cell:
    if row["id"] is None:
        return Cell(place, row["key"])
    state = PictureState(row["state"])
    if state is PictureState.DONE:
        path = paths.full(row["path"])
        if path not in there:
            there[path] = Path(path).exists()
        if not there[path]:
            return Cell(place, row["key"])
    return Cell(
        place=place,
        key=row["key"],
        picture=row["id"],
        state=state,
        path=paths.path(row["path"]),
        seconds=row["seconds"],
        reason=row["reason"],
        rating=row["rating"],
        likeness=row["likeness"],
        vote=row["vote"],
    )


_WORTH = (
    None,
    PictureState.CANCELLED,
    PictureState.FAILED,
    PictureState.QUEUED,
    PictureState.PAINTING,
    PictureState.DONE,
)


def _worth(cell: Cell) -> int:
    """Of several pictures of one key the one that tells most counts."""
    return _WORTH.index(cell.state)


def _grid(row: sqlite3.Row, paths: ProjectPaths) -> Grid:
    try:
        return grid_from_record(row["name"], parse_json(row["plan"]), row["id"], row["t"], paths)
    except (KeyError, TypeError, ValueError) as error:
        raise PictureError(f"the grid {row['name']} can't be read", "a newer Limner may have made it") from error
