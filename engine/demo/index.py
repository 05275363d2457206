"""PhotoPrism's SQLite index, as far as faces need it: the tables, and writing rows.

Names and types are those that PhotoPrism's own migrations give on SQLite. A `VARBINARY` column has numeric affinity
there: the text '0001' reads back as the number 1. Dates are text such as '2022-10-15 15:58:24+00:00', flags 0 and 1.
"""

from __future__ import annotations

import sqlite3
import string
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random

SCHEMA = """
CREATE TABLE photos (
    id integer PRIMARY KEY AUTOINCREMENT,
    photo_uid VARBINARY(42) UNIQUE,
    taken_at DATETIME,
    photo_type VARBINARY(8) DEFAULT 'image',
    photo_title VARCHAR(200),
    photo_path VARBINARY(1024),
    photo_name VARBINARY(255),
    photo_favorite bool,
    photo_private bool,
    photo_quality SMALLINT,
    photo_faces integer,
    created_at datetime,
    updated_at datetime,
    deleted_at datetime
);
CREATE TABLE files (
    id integer PRIMARY KEY AUTOINCREMENT,
    photo_id integer,
    photo_uid VARBINARY(42),
    file_uid VARBINARY(42) UNIQUE,
    file_name VARBINARY(1024),
    file_root VARBINARY(16) DEFAULT '/',
    file_hash VARBINARY(128),
    file_size bigint,
    file_type VARBINARY(16),
    media_type VARBINARY(16),
    file_mime VARBINARY(64),
    file_primary bool,
    file_sidecar bool,
    file_missing bool,
    file_portrait bool,
    file_video bool,
    file_width integer,
    file_height integer,
    file_orientation integer,
    file_error VARBINARY(512),
    created_at datetime,
    updated_at datetime,
    deleted_at datetime
);
CREATE UNIQUE INDEX idx_files_name_root ON files (file_name, file_root);
CREATE TABLE markers (
    marker_uid VARBINARY(42) PRIMARY KEY,
    file_uid VARBINARY(42) DEFAULT '',
    marker_type VARBINARY(8) DEFAULT '',
    marker_src VARBINARY(8) DEFAULT '',
    marker_name VARCHAR(160),
    marker_review bool,
    marker_invalid bool,
    subj_uid VARBINARY(42),
    subj_src VARBINARY(8) DEFAULT '',
    face_id VARBINARY(64),
    face_dist real DEFAULT -1,
    embeddings_json MEDIUMBLOB,
    landmarks_json MEDIUMBLOB,
    x FLOAT,
    y FLOAT,
    w FLOAT,
    h FLOAT,
    q integer,
    size integer DEFAULT -1,
    score SMALLINT,
    thumb VARBINARY(128) DEFAULT '',
    matched_at datetime,
    created_at datetime,
    updated_at datetime
);
CREATE INDEX idx_markers_file_uid ON markers (file_uid);
CREATE INDEX idx_markers_subj_uid_src ON markers (subj_uid, subj_src);
CREATE TABLE subjects (
    subj_uid VARBINARY(42) PRIMARY KEY,
    subj_type VARBINARY(8) DEFAULT '',
    subj_src VARBINARY(8) DEFAULT '',
    subj_slug VARBINARY(160) DEFAULT '',
    subj_name VARCHAR(160) UNIQUE,
    subj_alias VARCHAR(160) DEFAULT '',
    subj_favorite bool DEFAULT 0,
    subj_hidden bool DEFAULT 0,
    subj_private bool DEFAULT 0,
    subj_excluded bool DEFAULT 0,
    file_count integer DEFAULT 0,
    photo_count integer DEFAULT 0,
    thumb VARBINARY(128) DEFAULT '',
    created_at datetime,
    updated_at datetime,
    deleted_at datetime
);
CREATE TABLE faces (
    id VARBINARY(64) PRIMARY KEY,
    face_src VARBINARY(8),
    subj_uid VARBINARY(42) DEFAULT '',
    samples integer,
    sample_radius real,
    embedding_json MEDIUMBLOB,
    created_at datetime,
    updated_at datetime
);
"""


def create_index(path: Path) -> sqlite3.Connection:
    """A new, empty index at `path`."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    return connection


def insert(connection: sqlite3.Connection, table: str, row: Mapping[str, object]) -> int:
    """Add one row; returns its number (`id` of photos and files)."""
    columns = ", ".join(row)
    values = ", ".join(f":{column}" for column in row)
    cursor = connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", row)
    return cursor.lastrowid or 0


def date_text(moment: datetime) -> str:
    """A moment in UTC as PhotoPrism writes it."""
    return f"{moment:%Y-%m-%d %H:%M:%S}+00:00"


def new_uid(kind: str, rng: Random) -> str:
    """16 characters as PhotoPrism's: what it names (p photo, f file, m marker, j subject), a time, and chance."""
    return kind + "r" + "".join(rng.choices(string.ascii_lowercase + string.digits, k=14))


def thumb_name(file_hash: str, box: tuple[float, float, float, float]) -> str:
    """`markers.thumb`: the file's hash, and x, y, w, h in thousandths as three hexadecimal digits each."""
    return file_hash + "-" + "".join(f"{round(1000 * value):03x}" for value in box)
