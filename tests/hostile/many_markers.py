"""An index with very many markers, made in the database itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.support.mariadb import MariaServer
from tests.support.photoprism import COLUMNS, Index

PEOPLE = 20
EVERY = 1800
"""Every so many markers one is the first person's."""

_COUNT = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {})"


def many_markers(path: Path, markers: int) -> str:
    """Writes an index with that many faces, each on a photo of its own; the first person has one of ``EVERY``."""
    with sqlite3.connect(path) as index:
        index.execute("PRAGMA journal_mode=OFF")
        index.execute("PRAGMA synchronous=OFF")
        for name, columns in COLUMNS.items():
            index.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
        count = _COUNT.format(markers)
        index.execute(
            "INSERT INTO subjects (subj_uid, subj_type, subj_name, subj_hidden)"
            f" {_COUNT.format(PEOPLE)} SELECT printf('js%06d', i), 'person', printf('Person %d', i), 0 FROM n"
        )
        index.execute(
            "INSERT INTO photos (id, photo_uid, taken_at, photo_quality, photo_private)"
            f" {count} SELECT i, printf('ps%08d', i), '2019-06-02 15:58:24', 3, 0 FROM n"
        )
        index.execute(
            "INSERT INTO files (id, photo_id, file_uid, file_name, file_root, file_width, file_height, file_missing)"
            f" {count} SELECT i, i, printf('fs%08d', i), printf('2019/06/IMG_%08d.jpg', i), '/', 4000, 3000, 0 FROM n"
        )
        index.execute(
            "INSERT INTO markers (marker_uid, file_uid, marker_type, marker_invalid, subj_uid, subj_src, x, y, w, h)"
            f" {count} SELECT printf('ms%08d', i), printf('fs%08d', i), 'face', 0,"
            f" CASE WHEN i % {EVERY} = 0 THEN 'js000001' ELSE printf('js%06d', 2 + i % {PEOPLE - 1}) END,"
            " 'manual', 0.3, 0.3, 0.2, 0.2 FROM n"
        )
        # PhotoPrism's own keys, without which no query on so many rows ends.
        for table, column in (
            ("markers", "file_uid"),
            ("markers", "subj_uid"),
            ("files", "file_uid"),
            ("photos", "id"),
        ):
            index.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")
    index.close()
    return f"sqlite:///{path}"


def many_in_mariadb(server: MariaServer, database: str, markers: int) -> str:
    """The same on MariaDB, counted by its sequence engine."""
    url = Index().to_mariadb(server, database)
    numbers = f"FROM seq_1_to_{markers}"
    server.run(
        "INSERT INTO subjects (subj_uid, subj_type, subj_name, subj_hidden)"
        f" SELECT concat('js', lpad(seq, 6, 0)), 'person', concat('Person ', seq), 0 FROM seq_1_to_{PEOPLE}",
        "INSERT INTO photos (id, photo_uid, taken_at, photo_quality, photo_private)"
        f" SELECT seq, concat('ps', lpad(seq, 8, 0)), '2019-06-02 15:58:24', 3, 0 {numbers}",
        "INSERT INTO files (id, photo_id, file_uid, file_name, file_root, file_width, file_height, file_missing)"
        " SELECT seq, seq, concat('fs', lpad(seq, 8, 0)), concat('2019/06/IMG_', lpad(seq, 8, 0), '.jpg'), '/', 4000,"
        f" 3000, 0 {numbers}",
        "INSERT INTO markers (marker_uid, file_uid, marker_type, marker_invalid, subj_uid, subj_src, x, y, w, h)"
        " SELECT concat('ms', lpad(seq, 8, 0)), concat('fs', lpad(seq, 8, 0)), 'face', 0,"
        f" concat('js', lpad(if(seq % {EVERY} = 0, 1, 2 + seq % {PEOPLE - 1}), 6, 0)), 'manual', 0.3, 0.3, 0.2, 0.2"
        f" {numbers}",
        database=database,
    )
    return url
