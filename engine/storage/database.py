"""The project's own SQLite: one file, write-ahead log, every change durable before the call returns.

This module knows tables and transactions only. What the rows mean lives with each feature: faces and decisions in
``engine.faces.records.decisions``, prompts in ``engine.prompts.store``, the painter's queue in
``engine.pictures.orders.queue``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine.errors import ProjectError
from engine.storage.backups import keep_copy
from engine.storage.guarded_sqlite import Guarded, brought_along
from engine.storage.moved_projects import make_paths_relative
from engine.storage.os_errors import explained
from engine.storage.project_paths import ProjectPaths

WAIT_SECONDS = 30.0
"""How long another process may hold the database."""

LONGEST_VALUE = 32_000_000
"""Bytes of a value; the largest of ours is a grid's plan."""

Migration = str | Callable[[sqlite3.Connection, Path], None]
"""SQL statements; or a function that gets the database and the project's folder."""

MIGRATIONS: tuple[Migration, ...] = (
    """
    CREATE TABLE faces (
        id INTEGER PRIMARY KEY,
        marker_uid TEXT NOT NULL UNIQUE,
        person_uid TEXT NOT NULL,
        person TEXT NOT NULL,
        photo_uid TEXT NOT NULL,
        file_uid TEXT NOT NULL,
        file_root TEXT NOT NULL,
        file_name TEXT NOT NULL,
        path TEXT,
        x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
        image_width INTEGER, image_height INTEGER,
        face_px INTEGER,
        taken_at TEXT,
        confirmed INTEGER NOT NULL,
        problem TEXT,
        warning TEXT,
        gone INTEGER NOT NULL DEFAULT 0,
        decision TEXT NOT NULL DEFAULT 'undecided'
    );
    CREATE INDEX faces_of_person ON faces (person_uid, gone);
    CREATE TABLE actions (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
    );
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES actions (id),
        face_id INTEGER NOT NULL REFERENCES faces (id),
        before TEXT NOT NULL,
        after TEXT NOT NULL
    );
    CREATE TABLE prompts (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        text TEXT NOT NULL,
        negative TEXT NOT NULL DEFAULT '',
        parent_id INTEGER REFERENCES prompts (id),
        rating INTEGER NOT NULL DEFAULT 0,
        UNIQUE (text, negative)
    );
    CREATE TABLE pictures (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'painting', 'done', 'failed', 'cancelled')),
        priority INTEGER NOT NULL DEFAULT 0,
        prompt TEXT NOT NULL,
        negative TEXT NOT NULL DEFAULT '',
        lora TEXT,
        strength REAL,
        seed INTEGER NOT NULL,
        steps INTEGER NOT NULL,
        guidance REAL NOT NULL,
        sampler TEXT NOT NULL,
        width INTEGER,
        height INTEGER,
        path TEXT NOT NULL,
        prompt_id INTEGER REFERENCES prompts (id),
        seconds REAL,
        reason TEXT
    );
    CREATE INDEX pictures_waiting ON pictures (state, priority DESC, id);
    """,
    """
    CREATE TABLE seen (
        marker_uid TEXT PRIMARY KEY,
        neighbours TEXT NOT NULL,
        space TEXT,
        embedding BLOB
    );
    CREATE TABLE measures (
        marker_uid TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        sharp REAL, light REAL, contrast REAL, clipped REAL, crushed REAL,
        photo_hash TEXT, face_hash TEXT,
        yaw REAL
    );
    CREATE TABLE kin (
        marker_uid TEXT PRIMARY KEY,
        burst INTEGER,
        burst_size INTEGER NOT NULL DEFAULT 1,
        burst_best INTEGER NOT NULL DEFAULT 1,
        copy_of INTEGER,
        distance REAL,
        wrong INTEGER
    );
    CREATE TABLE filters (
        name TEXT PRIMARY KEY,
        line TEXT NOT NULL
    );
    ALTER TABLE faces ADD COLUMN cut TEXT;
    ALTER TABLE decisions ADD COLUMN field TEXT NOT NULL DEFAULT 'decision';
    """,
    """
    ALTER TABLE prompts ADD COLUMN name TEXT NOT NULL DEFAULT '';
    ALTER TABLE prompts ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE prompts ADD COLUMN mark TEXT NOT NULL DEFAULT '';
    ALTER TABLE prompts ADD COLUMN made_by TEXT NOT NULL DEFAULT '{}';
    CREATE INDEX prompts_by_parent ON prompts (parent_id);
    ALTER TABLE pictures ADD COLUMN rating INTEGER;
    CREATE INDEX pictures_by_prompt ON pictures (prompt_id);
    """,
    """
    CREATE TABLE caption_actions (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
    );
    CREATE TABLE caption_changes (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES caption_actions (id),
        image TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        written INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX caption_changes_by_action ON caption_changes (action_id);
    CREATE INDEX caption_changes_waiting ON caption_changes (written) WHERE written = 0;
    CREATE TABLE photo_words (
        photo_uid TEXT PRIMARY KEY,
        labels TEXT NOT NULL DEFAULT '[]',
        place TEXT NOT NULL DEFAULT ''
    );
    """,
    """
    ALTER TABLE pictures ADD COLUMN details TEXT;
    ALTER TABLE pictures ADD COLUMN key TEXT;
    ALTER TABLE pictures ADD COLUMN place INTEGER;
    ALTER TABLE pictures ADD COLUMN claim TEXT;
    ALTER TABLE pictures ADD COLUMN staged TEXT;
    ALTER TABLE pictures ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
    UPDATE pictures SET place = id;
    DROP INDEX pictures_waiting;
    CREATE INDEX pictures_in_order ON pictures (state, priority DESC, place, id);
    CREATE INDEX pictures_by_key ON pictures (key);
    """,
    """
    ALTER TABLE measures ADD COLUMN mirrored_hash TEXT;
    ALTER TABLE measures ADD COLUMN others TEXT;
    ALTER TABLE kin ADD COLUMN kin_space TEXT;
    ALTER TABLE kin ADD COLUMN mirrored INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE identities (
        marker_uid TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        space TEXT NOT NULL,
        embedding BLOB
    );
    CREATE TABLE folder_photos (
        id INTEGER PRIMARY KEY,
        folder TEXT NOT NULL,
        name TEXT NOT NULL,
        stamp TEXT NOT NULL,
        width INTEGER, height INTEGER,
        taken_at TEXT,
        problem TEXT,
        gone INTEGER NOT NULL DEFAULT 0,
        UNIQUE (folder, name)
    );
    CREATE TABLE folder_people (
        uid TEXT PRIMARY KEY,
        folder TEXT NOT NULL,
        name TEXT NOT NULL,
        merged_into TEXT REFERENCES folder_people (uid)
    );
    CREATE TABLE folder_faces (
        uid TEXT PRIMARY KEY,
        photo_id INTEGER NOT NULL REFERENCES folder_photos (id),
        x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
        score REAL NOT NULL,
        space TEXT,
        embedding BLOB,
        person_uid TEXT REFERENCES folder_people (uid)
    );
    CREATE INDEX folder_faces_of_photo ON folder_faces (photo_id);
    CREATE INDEX folder_faces_of_person ON folder_faces (person_uid);
    """,
    """
    ALTER TABLE pictures ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pictures ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pictures ADD COLUMN likeness REAL;
    ALTER TABLE pictures ADD COLUMN outside INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pictures ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE verdict_actions (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
    );
    CREATE TABLE verdict_changes (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES verdict_actions (id),
        picture_id INTEGER NOT NULL REFERENCES pictures (id),
        field TEXT NOT NULL,
        before INTEGER NOT NULL,
        after INTEGER NOT NULL
    );
    CREATE INDEX verdict_changes_by_action ON verdict_changes (action_id);
    """,
    """
    CREATE TABLE grids (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        name TEXT NOT NULL UNIQUE,
        run TEXT,
        plan TEXT NOT NULL
    );
    CREATE TABLE grid_cells (
        grid_id INTEGER NOT NULL REFERENCES grids (id) ON DELETE CASCADE,
        x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (grid_id, z, y, x)
    );
    CREATE INDEX grid_cells_by_key ON grid_cells (key);
    CREATE TABLE votes (
        picture_id INTEGER PRIMARY KEY REFERENCES pictures (id) ON DELETE CASCADE,
        t REAL NOT NULL,
        vote INTEGER NOT NULL CHECK (vote IN (-1, 1))
    );
    """,
    """
    ALTER TABLE faces ADD COLUMN file_hash TEXT;
    ALTER TABLE folder_photos ADD COLUMN hash TEXT;
    CREATE INDEX folder_photos_by_hash ON folder_photos (hash);
    CREATE INDEX decisions_of_face ON decisions (face_id)
    """,
    make_paths_relative,
    """
    ALTER TABLE caption_changes ADD COLUMN was BLOB;
    ALTER TABLE caption_changes ADD COLUMN becomes BLOB;
    ALTER TABLE caption_changes ADD COLUMN whole INTEGER NOT NULL DEFAULT 0
    """,
)
"""What brings a database from one version to the next; ``user_version`` counts how many were applied."""


class Store:
    """An open project database. One object belongs to one thread.

    A database of an older version is brought up to date after a copy was put beside it.

    Raises:
        ProjectError: the file is not a database, or a newer Limner made it; then it is left as it is.
        DiskFull: there is no room for what opening writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.paths = ProjectPaths(path.resolve().parent)
        """How paths are kept in it."""
        with explained(path):
            self.connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, factory=Guarded)
            try:
                self.connection.holds_to(LONGEST_VALUE)
                self.connection.row_factory = sqlite3.Row
                if brought := brought_along(self.connection):
                    raise _somebody_elses(path, brought)
                if (applied := self._applied()) > len(MIGRATIONS):
                    self._leave_untouched()
                    raise _newer(path, applied)
                self._write_ahead()
                for pragma in ("synchronous=FULL", "foreign_keys=ON"):
                    self.connection.execute(f"PRAGMA {pragma}")
                if self._applied() != len(MIGRATIONS):
                    self._migrate()
            except BaseException:
                self.connection.close()
                raise

    def close(self) -> None:
        """Closes the database; everything was saved already."""
        self.connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on disk when the ``with`` ends, or none of it is.

        Raises:
            DiskFull: there is no room for it.
            ProjectError: another program holds the database.
        """
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended it already, and a COMMIT that failed has not.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a query."""
        rows: list[sqlite3.Row] = self.connection.execute(query, values).fetchall()
        return rows

    def version(self) -> int:
        """A number that grows whenever another connection changed the database (SQLite's data_version)."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def _write_ahead(self) -> None:
        """Switches a new database over. Where two do that at once SQLite refuses one without waiting."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _applied(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _leave_untouched(self) -> None:
        """Closes without the checkpoint that the last one to close would make: a reader outlives us.

        The file is never opened by other means than SQLite's: closing such a handle would drop all locks that this
        process has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
        """
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            reader.execute("PRAGMA user_version").fetchone()
            self.connection.close()

    def _migrate(self) -> None:
        with self.change() as connection:
            # Asked again: another process may have done it while this one waited.
            applied = self._applied()
            if applied > len(MIGRATIONS):
                raise _newer(self.path, applied)
            if 0 < applied < len(MIGRATIONS):
                keep_copy(self.path, applied)
            for script in MIGRATIONS[applied:]:
                if not isinstance(script, str):
                    script(connection, self.paths.root)
                    continue
                for statement in script.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def _somebody_elses(path: Path, brought: str) -> ProjectError:
    return ProjectError(
        f"{path} holds {brought[:100]}, which Limner never makes and which could run without end",
        "don't trust who made it; put back a copy of your own",
    )


def _newer(path: Path, applied: int) -> ProjectError:
    return ProjectError(
        f"{path} was made by a newer Limner (its version is {applied}, this one knows {len(MIGRATIONS)})",
        "update Limner; the project was left as it is",
    )
