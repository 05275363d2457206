"""PhotoPrism's tables as its own releases make them, and rows for a small library, for MariaDB and SQLite."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.library.photoprism_sql.library import PhotoPrismLibrary
from tests.support.mariadb import MariaServer

OpenLibrary = Callable[..., PhotoPrismLibrary]

UID = "varbinary(42)"

COLUMNS: dict[str, dict[str, str]] = {
    "subjects": {
        "subj_uid": f"{UID} NOT NULL PRIMARY KEY",
        "subj_type": "varbinary(8)",
        "subj_src": "varbinary(8)",
        "subj_slug": "varbinary(160)",
        "subj_name": "varchar(160)",
        "subj_alias": "varchar(160)",
        "subj_favorite": "tinyint(1)",
        "subj_hidden": "tinyint(1)",
        "subj_private": "tinyint(1)",
        "subj_excluded": "tinyint(1)",
        "file_count": "int",
        "photo_count": "int",
        "thumb": "varbinary(128)",
        "created_at": "datetime",
        "updated_at": "datetime",
        "deleted_at": "datetime",
    },
    "photos": {
        "id": "int unsigned NOT NULL PRIMARY KEY",
        "photo_uid": UID,
        "taken_at": "datetime",
        "photo_type": "varbinary(8)",
        "photo_title": "varchar(200)",
        "photo_path": "varbinary(1024)",
        "photo_name": "varbinary(255)",
        "photo_favorite": "tinyint(1)",
        "photo_private": "tinyint(1)",
        "photo_quality": "smallint",
        "photo_faces": "int",
        "deleted_at": "datetime",
    },
    "files": {
        "id": "int unsigned NOT NULL PRIMARY KEY",
        "photo_id": "int unsigned",
        "photo_uid": UID,
        "file_uid": UID,
        "file_name": "varbinary(1024)",
        "file_root": "varbinary(16)",
        "file_hash": "varbinary(128)",
        "file_size": "bigint",
        "file_type": "varbinary(16)",
        "media_type": "varbinary(16)",
        "file_mime": "varbinary(64)",
        "file_primary": "tinyint(1)",
        "file_sidecar": "tinyint(1)",
        "file_missing": "tinyint(1)",
        "file_portrait": "tinyint(1)",
        "file_video": "tinyint(1)",
        "file_width": "int",
        "file_height": "int",
        "file_orientation": "int",
        "file_error": "varbinary(512)",
        "created_at": "datetime",
        "updated_at": "datetime",
        "deleted_at": "datetime",
    },
    "markers": {
        "marker_uid": f"{UID} NOT NULL PRIMARY KEY",
        "file_uid": UID,
        "marker_type": "varbinary(8)",
        "marker_src": "varbinary(8)",
        "marker_name": "varchar(160)",
        "marker_review": "tinyint(1)",
        "marker_invalid": "tinyint(1)",
        "subj_uid": UID,
        "subj_src": "varbinary(8)",
        "face_id": "varbinary(64)",
        "face_dist": "double",
        "embeddings_json": "mediumblob",
        "landmarks_json": "mediumblob",
        "x": "float",
        "y": "float",
        "w": "float",
        "h": "float",
        "q": "int",
        "size": "int",
        "score": "smallint",
        "thumb": "varbinary(128)",
        "matched_at": "datetime",
        "created_at": "datetime",
        "updated_at": "datetime",
    },
    "faces": {
        "id": "varbinary(64) NOT NULL PRIMARY KEY",
        "subj_uid": UID,
        "samples": "int",
        "sample_radius": "double",
        "embedding_json": "mediumblob",
    },
}

KEYS = {
    "subjects": ["UNIQUE KEY (subj_name)"],
    "photos": ["UNIQUE KEY (photo_uid)"],
    "files": ["UNIQUE KEY (file_uid)", "UNIQUE KEY (file_name(512), file_root)"],
    "markers": ["KEY (file_uid)", "KEY (subj_uid, subj_src)", "KEY (face_id)", "KEY (thumb)", "KEY (matched_at)"],
    "faces": [],
}


@dataclass
class Index:
    """Rows to be written; every method returns the new row, which may still be changed."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    without: dict[str, set[str]] = field(default_factory=dict)
    """Columns that this release does not have, by table."""
    _number: Any = field(default_factory=lambda: itertools.count(1))

    def person(self, name: str, **more: Any) -> dict[str, Any]:
        row = {"subj_uid": f"js{next(self._number):06d}", "subj_type": "person", "subj_name": name, "subj_hidden": 0}
        return self._add("subjects", {**row, **more})

    def photo(
        self, file_name: str, size: tuple[int, int] = (512, 512), taken: str = "2019-06-02 15:58:24", **more: Any
    ) -> dict[str, Any]:
        number = next(self._number)
        photo = {"id": number, "photo_uid": f"ps{number:06d}", "taken_at": taken, "photo_type": "image"}
        photo |= {"photo_quality": 3, "photo_private": 0, "photo_name": Path(file_name).stem}
        self._add("photos", {**photo, **{key: value for key, value in more.items() if key in COLUMNS["photos"]}})
        file = {"id": number, "photo_id": number, "file_uid": f"fs{number:06d}", "file_name": file_name}
        file |= {"file_root": "/", "file_width": size[0], "file_height": size[1], "file_missing": 0, "file_error": ""}
        file |= {"file_primary": 1, "file_type": "jpg", "file_orientation": 1}
        return self._add("files", {**file, **{key: value for key, value in more.items() if key in COLUMNS["files"]}})

    def face(
        self,
        file: dict[str, Any],
        person: dict[str, Any] | None,
        box: tuple[float, float, float, float] = (0.35, 0.12, 0.18, 0.2),
        src: str = "manual",
        **more: Any,
    ) -> dict[str, Any]:
        row = {"marker_uid": f"ms{next(self._number):06d}", "file_uid": file["file_uid"], "marker_type": "face"}
        row |= {"marker_src": "image", "marker_invalid": 0, "marker_review": 0, "subj_src": src}
        row |= {"subj_uid": person["subj_uid"] if person else "", **dict(zip("xywh", box, strict=True))}
        return self._add("markers", {**row, **more})

    def to_sqlite(self, path: Path) -> str:
        with sqlite3.connect(path) as connection:
            for name in COLUMNS:
                columns = ", ".join(f"{column} {kind}" for column, kind in self._columns(name).items())
                connection.execute(f"CREATE TABLE {name} ({columns})")
            for name, row in self._all():
                values = {key: f"{value}+00:00" if key == "taken_at" and value else value for key, value in row.items()}
                marks = ", ".join("?" for _ in values)
                connection.execute(f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks})", list(values.values()))
        connection.close()
        return f"sqlite:///{path}"

    def to_mariadb(self, server: MariaServer, database: str) -> str:
        """Writes the rows, and makes a user ``reader`` who may only read (password: ``insecure``)."""
        server.run(f"CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        connection = server.root(database)
        with connection, connection.cursor() as cursor:
            for name in COLUMNS:
                columns = [f"`{column}` {kind}" for column, kind in self._columns(name).items()]
                cursor.execute(f"CREATE TABLE {name} ({', '.join([*columns, *KEYS[name]])}) ENGINE=InnoDB")
            for name, row in self._all():
                marks = ", ".join("%s" for _ in row)
                names = ", ".join(f"`{column}`" for column in row)
                cursor.execute(f"INSERT INTO {name} ({names}) VALUES ({marks})", list(row.values()))
            cursor.execute("CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'insecure'")
            for name in COLUMNS:
                cursor.execute(f"GRANT SELECT ON {database}.{name} TO reader@'%'")
        return f"mysql://reader@127.0.0.1:{server.port}/{database}"

    def _columns(self, table: str) -> dict[str, str]:
        gone = self.without.get(table, set())
        return {column: kind for column, kind in COLUMNS[table].items() if column not in gone}

    def _all(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (name, {key: value for key, value in row.items() if key not in self.without.get(name, set())})
            for name, rows in self.rows.items()
            for row in rows
        ]

    def _add(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        self.rows[table].append(row)
        return row
