"""What the drawn library holds: all that makes real PhotoPrism libraries hard to read."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.demo.drawing import crop_portrait
from engine.demo.identity import DrawnIdentity
from engine.demo.library import DrawnLibrary, draw_library
from engine.errors import LibraryError

FACES = """
    SELECT m.*, s.subj_name, f.file_name, f.file_root, f.file_width, f.file_height, f.file_orientation, f.file_missing,
           f.file_hash, p.deleted_at AS archived_at, p.photo_private
    FROM markers m JOIN subjects s ON s.subj_uid = m.subj_uid JOIN files f ON f.file_uid = m.file_uid
    JOIN photos p ON p.id = f.photo_id
    WHERE m.marker_invalid = 0
"""


@pytest.fixture
def index(drawn_library: DrawnLibrary) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{drawn_library.index}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def file_of(library: DrawnLibrary, row: sqlite3.Row) -> Path:
    root = library.sidecar if row["file_root"] == "sidecar" else library.originals
    return root / str(row["file_name"])


def upright(library: DrawnLibrary, row: sqlite3.Row) -> Image.Image | None:
    """The photo of a face as a person sees it; none where the file is missing or broken, as some are to be."""
    try:
        with Image.open(file_of(library, row)) as stored:
            return ImageOps.exif_transpose(stored).convert("RGB")
    except (FileNotFoundError, UnidentifiedImageError, OSError):
        return None


def box_of(row: sqlite3.Row) -> tuple[float, float, float, float]:
    return row["x"], row["y"], row["w"], row["h"]


def test_the_main_person_has_plenty_of_faces_and_the_others_some(index: sqlite3.Connection) -> None:
    counts = dict(index.execute(f"SELECT subj_name, count(*) FROM ({FACES}) GROUP BY subj_name").fetchall())
    james = counts.pop("James")
    assert 55 <= james <= 65
    assert len(counts) == 5
    assert all(6 <= count <= 14 for count in counts.values())
    assert 75 <= index.execute("SELECT count(*) FROM photos").fetchone()[0] <= 95


@pytest.mark.long
def test_each_box_lies_on_the_face_that_the_index_names(drawn_library: DrawnLibrary, index: sqlite3.Connection) -> None:
    identity = DrawnIdentity.load()
    rows = index.execute(FACES).fetchall()
    seen = [(row, upright(drawn_library, row)) for row in rows]
    crops = [(row, crop_portrait(photo, box_of(row))) for row, photo in seen if photo and row["marker_src"] == "image"]
    for row, photo in seen:
        assert photo is None or photo.size == (row["file_width"], row["file_height"])
    names = sorted({row["subj_name"] for row, _ in crops})
    known = [identity.centre([c for row, c in crops if row["subj_name"] == name and row["subj_src"]]) for name in names]
    found = (identity.embed([crop for _, crop in crops]) @ np.stack(known).T).argmax(axis=1)
    wrong = [row["subj_name"] for (row, _), best in zip(crops, found, strict=True) if names[best] != row["subj_name"]]
    assert wrong == ["James"] * 4, "the faces that the library matched wrongly"


def test_james_has_at_least_24_good_pictures_some_above_1024_px(
    drawn_library: DrawnLibrary, index: sqlite3.Connection
) -> None:
    rows = index.execute(
        f"{FACES} AND s.subj_name = 'James' AND p.deleted_at IS NULL AND NOT p.photo_private"
    ).fetchall()
    good = [row for row in rows if row["score"] >= 30 and row["x"] + row["w"] < 1 and upright(drawn_library, row)]
    sides = [row["h"] * row["file_height"] / 0.42 for row in good]
    assert len(good) >= 24
    assert sum(side > 1024 for side in sides) >= 3
    assert sum(side < 1024 for side in sides) >= 3


@pytest.mark.long
def test_photos_are_turned_in_all_eight_ways_of_exif(drawn_library: DrawnLibrary, index: sqlite3.Connection) -> None:
    turned = {}
    for row in index.execute(FACES):
        path = file_of(drawn_library, row)
        if upright(drawn_library, row):
            with Image.open(path) as stored:
                turned[row["file_orientation"]] = stored.getexif()[0x0112]
    assert turned == {number: number for number in range(1, 9)}


def test_an_original_that_only_phones_open_is_read_by_its_sidecar_jpeg(
    drawn_library: DrawnLibrary, index: sqlite3.Connection
) -> None:
    (jpeg,) = index.execute("SELECT * FROM files WHERE file_root = 'sidecar'").fetchall()
    (original,) = index.execute("SELECT * FROM files WHERE file_type = 'heic'").fetchall()
    assert jpeg["file_primary"]
    assert not original["file_primary"]
    assert jpeg["photo_id"] == original["photo_id"]
    assert (drawn_library.originals / original["file_name"]).exists()
    with Image.open(drawn_library.sidecar / jpeg["file_name"]) as picture:
        assert picture.format == "JPEG"


def test_some_files_can_not_be_opened(drawn_library: DrawnLibrary, index: sqlite3.Connection) -> None:
    problems = set()
    for row in index.execute(FACES):
        try:
            with Image.open(file_of(drawn_library, row)) as photo:
                photo.load()
        except (UnidentifiedImageError, OSError) as error:
            problems.add(type(error).__name__)
    assert problems == {"FileNotFoundError", "UnidentifiedImageError", "OSError"}


def test_the_index_holds_what_users_decide(index: sqlite3.Connection) -> None:
    def count(condition: str) -> int:
        return int(index.execute(f"SELECT count(*) FROM ({FACES}) WHERE {condition}").fetchone()[0])

    assert count("archived_at IS NOT NULL") == 1
    assert count("photo_private = 1") == 1
    assert count("file_missing = 1") == 1
    assert count("marker_src = 'manual' AND embeddings_json = ''") == 1
    assert count("subj_src = 'manual' AND subj_name = 'James'") >= 15
    assert count("subj_src = '' AND subj_name = 'James'") >= 8
    assert index.execute("SELECT count(*) FROM markers WHERE marker_invalid = 1").fetchone()[0] == 1
    assert index.execute("SELECT count(*) FROM markers WHERE subj_uid = ''").fetchone()[0] == 1, "a stranger"


def test_the_index_holds_what_trips_readers(index: sqlite3.Connection) -> None:
    names = [str(row[0]).rpartition("/")[2] for row in index.execute("SELECT file_name FROM files")]
    assert len(names) - len(set(names)) == 1, "the same name in two folders"
    assert index.execute("SELECT photo_name FROM photos WHERE typeof(photo_name) = 'integer'").fetchall()[0][0] == 1
    assert index.execute("SELECT count(*) FROM markers WHERE x + w > 1").fetchone()[0] == 1
    assert index.execute("SELECT min(taken_at) FROM photos").fetchone()[0].endswith("+00:00")


def test_hashes_and_thumbs_are_those_of_the_files(drawn_library: DrawnLibrary, index: sqlite3.Connection) -> None:
    for row in index.execute(FACES):
        path = file_of(drawn_library, row)
        if path.exists():
            assert hashlib.sha1(path.read_bytes()).hexdigest() == row["file_hash"]
        digest, _, area = row["thumb"].partition("-")
        assert digest == row["file_hash"]
        assert [int(area[i : i + 3], 16) for i in (0, 3, 6, 9)] == [round(1000 * part) for part in box_of(row)]


def test_a_second_library_is_not_drawn_over_the_first(drawn_library: DrawnLibrary) -> None:
    with pytest.raises(LibraryError, match="empty folder"):
        draw_library(drawn_library.index.parent)


def test_the_address_is_that_of_the_index(drawn_library: DrawnLibrary) -> None:
    assert drawn_library.url == f"sqlite:///{drawn_library.index}"
    assert drawn_library.index.is_absolute()
