"""Pictures that were made elsewhere and dropped into ``pictures/``: found, and what they tell of themselves read.

They are rows of the same table as painted ones, so that they are rated, filtered and exported alike. A file may hold
any bytes: whatever is no picture, lies about itself or tells nothing that can be understood is taken for what it is
and never stops the others.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.faces.photo.loading import open_header
from engine.pictures.gallery.rows import UNKNOWN_SEED
from engine.pictures.orders.png_parameters import CHUNK, Parameters
from engine.project import Project
from engine.settings.samplers import NoiseSchedule, Sampler, read_sampler, read_schedule
from engine.storage.database import Store

KINDS = frozenset({".png", ".jpg", ".jpeg", ".webp"})

PASSED_OVER = frozenset({"grids", "favourites"})
"""Folders in ``pictures/`` that hold what was made from pictures that are known."""

OTHERS = re.compile(r"-(?:before|after)-face-fix(?:-\d+)?\.png$")
"""Names of what a face fix did not keep, which lies beside what it kept."""

MOST_LETTERS = 20_000
"""A longer text is nobody's parameters."""

LARGEST = 2**53
"""No number beyond this is a seed or a size: SQLite and JSON hold those below exactly."""

_USER_COMMENT, _EXIF = 0x9286, 0x8769

_BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError, AttributeError)
_BROKEN_DEEPER = (struct.error, zlib.error, OverflowError, Image.DecompressionBombError, MemoryError)
"""What Pillow raises over files that are torn, or made to deceive."""


@dataclass(frozen=True)
class Found:
    """What a look into the folder changed."""

    new: int
    gone: int
    """Files that are not there any more, those that were known to be gone left out."""
    back: int
    unreadable: tuple[str, ...]
    """Names of files that are no pictures."""

    @property
    def changed(self) -> bool:
        """Whether the gallery is another now."""
        return bool(self.new or self.gone or self.back)


@dataclass(frozen=True)
class Told:
    """What a file tells of itself."""

    width: int
    height: int
    text: str | None
    """As it stands in the file, without what no text may hold."""
    parameters: Parameters | None


def look_for_pictures(project: Project, store: Store) -> Found:
    """Takes in what lies in ``pictures/`` and is not known, and notes whose files went or came back.

    Files that are being written have hidden names until they are whole, and are passed over.

    Raises:
        ProjectError: the database can't be written.
    """
    there = {str(path): stamp for path, stamp in _files(project.pictures.resolve())}
    full = store.paths.full
    rows_known = store.rows("SELECT id, path, state, gone FROM pictures WHERE state = 'done'")
    known = {full(row["path"]): row for row in rows_known}
    # A painter that has linked a file but not said so yet has its path in the queue already.
    coming = {
        full(row["path"]) for row in store.rows("SELECT path FROM pictures WHERE state IN ('queued', 'painting')")
    }
    gone = [
        row["id"] for path, row in known.items() if not row["gone"] and path not in there and not Path(path).exists()
    ]
    back = [row["id"] for path, row in known.items() if row["gone"] and (path in there or Path(path).exists())]
    rows, unreadable = [], []
    for path, stamp in there.items():
        if path in known or path in coming:
            continue
        told = what_it_tells(Path(path))
        if told is None:
            unreadable.append(Path(path).name)
        else:
            rows.append(_row(store.paths.kept(path), stamp, told))
    new = _write(store, rows, gone, back) if rows or gone or back else 0
    return Found(new, len(gone), len(back), tuple(unreadable))


def what_it_tells(path: Path) -> Told | None:
    """A picture's size, and the parameters that A1111 and its like wrote into it; None where it is no picture.

    A PNG has them as text; JPEG and WebP have them as EXIF's user comment. Only the head of the file is read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_header(path) as image:
                width, height = image.size
                text = image.info.get(CHUNK)
                if not isinstance(text, str):
                    text = _comment_of(image)
    except (*_BROKEN, *_BROKEN_DEEPER):
        return None
    if not 0 < width < LARGEST or not 0 < height < LARGEST:
        return None
    plain = _plain(text).strip() if text else ""
    return Told(width, height, plain or None, _read(plain))


def _files(folder: Path) -> Iterator[tuple[str, float]]:
    """Pictures by their names, and when each was changed; those whose names are no text can't be told of."""
    folders = [str(folder)]
    while folders:
        try:
            entries = [*os.scandir(folders.pop())]
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or not _is_text(entry.path):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in PASSED_OVER:
                        folders.append(entry.path)
                elif OTHERS.search(entry.name):
                    continue
                elif Path(entry.name).suffix.lower() in KINDS and entry.is_file():
                    yield entry.path, entry.stat().st_mtime
            except OSError:
                continue


def _comment_of(image: Image.Image) -> str | None:
    """EXIF's user comment: eight bytes name its letters, "UNICODE" is UTF-16 in either order."""
    raw = image.getexif().get_ifd(_EXIF).get(_USER_COMMENT)
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, bytes):
        return None
    code, coded = raw[:8].rstrip(b"\0"), raw[8:]
    if code == b"UNICODE":
        # The standard leaves the order open; a comment in Latin letters has its zeros on one side.
        order = "utf-16-le" if coded[1::2].count(0) > coded[::2].count(0) else "utf-16-be"
        return coded.decode(order, "replace")
    return (coded if code in (b"ASCII", b"") else raw).decode("utf-8", "replace")


def _read(text: str) -> Parameters | None:
    """The parameters of a text; of one that tells nothing of the kind, its words as the prompt."""
    if not text or len(text) > MOST_LETTERS:
        return None
    try:
        return Parameters.from_text(text)
    except _BROKEN:
        return None


def _row(path: str, stamp: float, told: Told) -> dict[str, object]:
    """The picture as a row. What is not told is 0 or ``UNKNOWN_SEED`` where a column may not be empty."""
    about = told.parameters or Parameters(prompt="")
    sampler, schedule = _sampler(about)
    return {
        "t": stamp,
        "state": "done",
        "prompt": _plain(about.prompt),
        "negative": _plain(about.negative),
        "seed": _whole(about.seed, UNKNOWN_SEED),
        "steps": _whole(about.steps, 0),
        "guidance": about.guidance if about.guidance is not None and abs(about.guidance) < LARGEST else 0.0,
        "sampler": sampler.value,
        "width": told.width,
        "height": told.height,
        "path": path,
        "outside": 1,
        "details": json.dumps({"schedule": schedule.value}),
    }


def _sampler(about: Parameters) -> tuple[Sampler, NoiseSchedule]:
    """The sampler that is meant; one that is not known here is painted with the one that everybody has."""
    try:
        sampler, schedule = read_sampler(about.sampler or "")
        return sampler, schedule or (read_schedule(about.schedule) if about.schedule else NoiseSchedule.AUTOMATIC)
    except ValueError:
        return Sampler.EULER_A, NoiseSchedule.AUTOMATIC


def _write(store: Store, rows: Sequence[dict[str, object]], gone: Sequence[int], back: Sequence[int]) -> int:
    new = 0
    with store.change() as change:
        for row in rows:
            new += _insert(change, row)
        change.executemany("UPDATE pictures SET gone = 1 WHERE id = ?", [(number,) for number in gone])
        change.executemany("UPDATE pictures SET gone = 0 WHERE id = ?", [(number,) for number in back])
    return new


def _insert(change: sqlite3.Connection, row: dict[str, object]) -> int:
    """Adds a row unless somebody else who looked has done so meanwhile. Returns how many."""
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    place = "(SELECT coalesce(max(place), 0) + 1 FROM pictures)"
    query = (
        f"INSERT INTO pictures ({names}, place) SELECT {marks}, {place}"
        " WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE path = ? AND state = 'done')"
    )
    return change.execute(query, (*row.values(), row["path"])).rowcount


def _whole(number: int | None, otherwise: int) -> int:
    return number if number is not None and 0 <= number < LARGEST else otherwise


def _plain(text: str) -> str:
    """A text that a database takes: halves of letters that stand alone are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
