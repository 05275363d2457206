"""An index nobody should trust: each row is read right or put aside with a reason, and the rest goes on."""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LibraryError
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.scan import scan
from engine.library.photoprism_sql import bounded_mysql, opening
from engine.library.photoprism_sql.library import PhotoPrismLibrary
from engine.library.registry import connect
from engine.library.values import date_of
from engine.project import Project
from engine.settings import LibrarySettings
from tests.commands.conftest import Run, run  # noqa: F401
from tests.hostile.many_markers import PEOPLE, many_in_mariadb, many_markers
from tests.support.astronaut import FACE, save
from tests.support.mariadb import MariaServer, running_server
from tests.support.patience import PATIENCE
from tests.support.photoprism import Index

_databases = itertools.count(1)
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What no line on a terminal may hold."""


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    with running_server() as found:
        yield found


@dataclass
class Library:
    """An index with one good photo of James in it; on SQLite or MariaDB once it is ``connected``."""

    folder: Path
    project: Project
    index: Index
    server: MariaServer | None
    james: dict[str, Any]

    def connected(self) -> None:
        if self.server is None:
            url = self.index.to_sqlite(self.folder / f"index{next(_databases)}.db")
        else:
            url = self.index.to_mariadb(self.server, f"hostile{next(_databases)}")
        self.project.change({"library.url": url, "library.originals": self.folder / "originals"})

    def scanned(self) -> dict[str, Face]:
        scan(self.project, self.james["subj_uid"], "insecure")
        with self.project.store() as store:
            return {face.marker_uid: face for face in Ledger(store).faces()}

    def opened(self) -> PhotoPrismLibrary:
        found = connect(self.project.settings.library, "insecure", self.project.root)
        assert isinstance(found, PhotoPrismLibrary)
        return found


@pytest.fixture(params=["sqlite", "mariadb"])
def library(request: pytest.FixtureRequest, tmp_path: Path, project: Project) -> Library:
    server = request.getfixturevalue("server") if request.param == "mariadb" else None
    index = Index()
    found = Library(tmp_path, project, index, server, index.person("James"))
    save(tmp_path / "originals/good.jpg")
    index.face(index.photo("good.jpg"), found.james, FACE, marker_uid="good")
    return found


def test_rows_of_nothing_but_null_are_put_aside_and_the_good_one_stays(library: Library) -> None:
    index, james = library.index, library.james
    for table, rows in index.rows.items():
        if rows:
            # What joins the tables has to be there, or no row would ever be seen.
            kept = {"id", "photo_id", "file_uid", "marker_uid", "subj_uid", "subj_type", "marker_type", "photo_uid"}
            kept |= {"photo_quality", "photo_private", "marker_invalid", "subj_hidden", "file_missing", "w", "h"}
            for number, name in enumerate(sorted(set(rows[0]) - kept)):
                file = index.photo(f"{table}-{number}.jpg")
                index.face(file, james, FACE, marker_uid=f"{table}.{name}")
                if table != "subjects":
                    index.rows[table][-1][name] = None
    index.face(index.photo("nameless.jpg"), james, FACE, marker_uid="")
    index.rows["photos"].append({"id": 900_000})
    index.rows["files"].append({"id": 900_000})
    index.rows["markers"].append({"marker_uid": "alone"})
    library.connected()
    with library.opened() as opened:
        assert [person.name for person in opened.people()] == ["James"]
    found = library.scanned()
    assert "" not in found, "a marker without an id can't be told from others"
    assert found["good"].problem is None
    assert found["markers.x"].problem == found["markers.y"].problem == "the file is missing"
    assert found["markers.x"].box.w == 0
    assert found["files.file_name"].problem == "the file's name points out of its folder"
    assert "folder" in str(found["files.file_root"].problem)
    assert found["photos.taken_at"].taken_at is None
    assert {uid for uid, face in found.items() if face.problem is None} == {"good"}


def test_a_database_that_never_comes_to_a_row_is_given_up(
    server: MariaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waits for a lock; it is told to give up by itself, too."""
    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    name = f"hostile{next(_databases)}"
    url = index.to_mariadb(server, name)
    monkeypatch.setattr(bounded_mysql, "ANSWER_SECONDS", 1.0)
    with connect(LibrarySettings(url=url), "insecure") as opened:
        assert isinstance(opened, PhotoPrismLibrary)
        told = opened.connection.exec_driver_sql("SELECT @@max_statement_time, @@tx_read_only").one()
        assert (float(told[0]), told[1]) == (opening.ANSWER_SECONDS, 1)
        opened.connection.rollback()
        with server.root(name) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLES markers WRITE")
            with pytest.raises(LibraryError, match="answers without end, or too slowly"):
                opened.people()


def test_a_row_of_a_database_that_is_absurdly_long_is_refused(server: MariaServer, tmp_path: Path) -> None:
    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    name = f"hostile{next(_databases)}"
    url = index.to_mariadb(server, name)
    change = "ALTER TABLE subjects MODIFY subj_name LONGTEXT, DROP KEY subj_name"
    server.run(change, "UPDATE subjects SET subj_name = REPEAT('x', 600000)", database=name)
    with (
        connect(LibrarySettings(url=url), "insecure") as opened,
        pytest.raises(LibraryError, match="more than PhotoPrism's tables ever hold"),
    ):
        opened.people()


def test_labels_of_a_database_that_would_fill_the_memory_are_refused(
    server: MariaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of photos are read as a whole, unlike faces, which come a few at a time."""
    index = Index()
    photo = index.photo("a.jpg")
    name = f"hostile{next(_databases)}"
    url = index.to_mariadb(server, name)
    server.run(
        "CREATE TABLE labels (id int PRIMARY KEY, label_name varchar(160), deleted_at datetime)",
        "CREATE TABLE photos_labels (photo_id int, label_id int, uncertainty int, KEY (photo_id))",
        "INSERT INTO labels SELECT seq, CONCAT('label ', seq), NULL FROM seq_1_to_9000",
        f"INSERT INTO photos_labels SELECT {photo['photo_id']}, seq, 0 FROM seq_1_to_100",
        f"GRANT SELECT ON {name}.* TO reader@'%'",
        database=name,
    )
    monkeypatch.setattr(bounded_mysql, "MOST_MEMORY", 1_000_000)
    uids = [index.rows["photos"][0]["photo_uid"]]
    with connect(LibrarySettings(url=url), "insecure") as opened:
        (words,) = opened.words(uids)
        assert len(words.labels) == 100
    server.run(f"INSERT INTO photos_labels SELECT {photo['photo_id']}, seq, 0 FROM seq_101_to_9000", database=name)
    with (
        connect(LibrarySettings(url=url), "insecure") as opened,
        pytest.raises(LibraryError, match="more than PhotoPrism's tables ever hold"),
    ):
        list(opened.words(uids))


BOXES: dict[str, tuple[float, float, float, float]] = {
    "outside": (3.0, 0.1, 0.2, 0.2),
    "before": (-2.0, -2.0, 0.5, 0.5),
    "vast": (-1e9, -1e9, 3e9, 3e9),
    "speck": (0.5, 0.5, 1e-9, 1e-9),
    "over-the-edge": (0.9, 0.9, 0.9, 0.9),
}


def test_boxes_out_of_range_are_told_or_cut_to_the_picture(library: Library, run: Run) -> None:  # noqa: F811
    boxes = dict(BOXES)
    if library.server is None:
        # Neither can be stored in MariaDB. SQLite keeps NaN as NULL.
        endless = float("inf")
        boxes |= {"endless": (endless, 0.1, 0.2, 0.2), "both-ways": (-endless, 0.1, endless, 0.2)}
    for name, box in boxes.items():
        library.index.face(library.index.photo(f"{name}.jpg"), library.james, box, marker_uid=name)
        save(library.folder / f"originals/{name}.jpg")
    if library.server is None:
        for name, values in {
            "words": ("a", "b", "c", "d"),
            "bytes": (b"\xff",) * 4,
            "nan": (None, 0.1, 0.2, 0.2),
        }.items():
            library.index.face(library.index.photo(f"{name}.jpg"), library.james, values, marker_uid=name)  # type: ignore[arg-type]
            save(library.folder / f"originals/{name}.jpg")
            boxes[name] = (0, 0, 0, 0)
    library.connected()
    found = library.scanned()
    nowhere = "the face box has no area inside the picture"
    usable = {"good", "vast", "over-the-edge"}
    assert {name: face.problem for name, face in found.items()} == {
        name: None if name in usable else nowhere for name in ("good", *boxes)
    }
    listed = run("faces", "list", "--json")
    for face in json.loads(listed.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))["faces"]:
        assert len(face["box"]) == 4


NAMES = {
    "climbs": "../../etc/passwd",
    "climbs-later": "a/../../../etc/passwd",
    "absolute": "/etc/passwd",
    "link": "out/secret.jpg",
    "link-to-a-file": "linked.jpg",
    "nul": "a\0b.jpg",
    "long": "x" * 300 + ".jpg",
    "deep": "d/" * 400 + "a.jpg",
    "sql": "'; DROP TABLE markers; -- \".jpg",
    "markup": "[red]a[/red] [@click=app.quit]b[/].jpg",
    "steers": "\x1b]0;title\x07\x1b[2J\r\n\x9b31m.jpg",
    "turned-round": "\u202egpj.exe",
    "folder": "",
}


def test_names_that_climb_or_link_out_are_told_and_never_followed(library: Library, run: Run) -> None:  # noqa: F811
    secret = save(library.folder / "outside/secret.jpg")
    (library.folder / "originals/out").symlink_to(secret.parent)
    (library.folder / "originals/linked.jpg").symlink_to(secret)
    for name, path in NAMES.items():
        library.index.face(library.index.photo(path, photo_name=name), library.james, FACE, marker_uid=name)
    steering = library.index.person("\x1b[31mRed\x07 [b]O'Hara[/b] \u202e\"; --\n")
    library.index.face(library.index.photo("steering.jpg"), steering, FACE)
    library.connected()
    found = library.scanned()
    assert found["good"].problem is None
    assert {name for name, face in found.items() if face.problem is None} == {"good"}
    for name in ("climbs", "climbs-later", "absolute", "nul", "folder"):
        assert found[name].problem == "the file's name points out of its folder", name
    for name in ("link", "link-to-a-file"):
        assert found[name].problem == "a link points out of the folder"
    assert found["sql"].problem == found["markup"].problem == found["steers"].problem == "the file is missing"
    words = {"LIMNER_DB_PASSWORD": "insecure"}
    for command in (["people"], ["faces", "list"], ["faces", "show", found["steers"].id, "-o", "x.png"], ["connect"]):
        done = run(*command, **words)
        assert not STEERS.search(done.out + done.err), command
    told = run("people", "--json", **words)
    assert not STEERS.search(told.out)
    assert steering["subj_name"] in {person["name"] for person in told.record["people"]}
    assert not STEERS.search(run("faces", "scan", "--person", "\x1b[31mNobody", **words).err)
    with library.opened() as opened:
        assert {person.name for person in opened.people()} == {"James", steering["subj_name"]}


def test_a_name_that_is_no_utf_8_is_read_with_a_sign_and_ends_nothing(library: Library) -> None:
    library.index.face(library.index.photo("latin.jpg"), library.james, FACE, marker_uid="latin")
    library.index.rows["files"][-1]["file_name"] = b"caf\xe9.jpg"
    library.connected()
    if library.server is None:
        # As Go's drivers write it: text by its type, whatever its bytes are.
        path = library.opened().address.path
        assert path is not None
        with sqlite3.connect(path) as index:
            index.execute("UPDATE files SET file_name = CAST(x'636166e92e6a7067' AS TEXT) WHERE file_name LIKE 'caf%'")
            index.execute(
                "UPDATE files SET file_name = CAST(x'636166e92e6a7067' AS TEXT) WHERE typeof(file_name) = 'blob'"
            )
        index.close()
    found = library.scanned()
    assert found["latin"].file_name == "caf\ufffd.jpg"
    assert found["latin"].problem == "the file is missing"
    assert found["good"].problem is None


@pytest.mark.parametrize(
    "value",
    [
        "hello world, hello!",
        "0000-00-00 00:00:00",
        "0001-01-01 00:00:00",
        "9",
        "",
        None,
        "١٩٩٩-01-01 00:00:00",
        b"\xff\xfe",
    ],
)
def test_a_date_that_is_none_is_none(value: object) -> None:
    assert date_of(value) is None


def test_odd_dates_and_sizes_end_nothing(tmp_path: Path, project: Project) -> None:
    """Only SQLite keeps such values: its columns take anything."""
    index = Index()
    james = index.person("James")
    odd = [
        ("hello world, hello!", "wide"),
        ("99999-01-01", 9e99),
        ("-1", -5),
        ("\x1b[31m2019-01-01 00:0", "4000000000"),
    ]
    for number, (taken, width) in enumerate(odd):
        save(tmp_path / f"{number}.jpg")
        index.face(index.photo(f"{number}.jpg", taken=taken, file_width=width), james, FACE)
    project.change({"library.url": index.to_sqlite(tmp_path / "index.db"), "library.originals": tmp_path})
    with connect(project.settings.library) as opened:
        (person,) = opened.people()
        sizes = [face.file_width for face in opened.faces(person)]
    assert (person.first_year, person.last_year) == (None, None)
    assert sizes == [None] * len(odd)
    scan(project, "James")
    with project.store() as store:
        faces = Ledger(store).faces()
        Ledger(store).decide([face.id for face in faces], Decision.KEEP)
    assert [(face.problem, face.taken_at) for face in faces] == [(None, None)] * len(odd)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[[1e154, 1e154, 1e154]]",
        "[[1" + "0" * 400 + ", 2]]",
        "[[NaN, 1]]",
        '{"a": 1}',
        "\x00",
        "[[]]",
        "7",
        "",
    ],
)
def test_an_embedding_that_is_none_is_left_out(tmp_path: Path, text: str) -> None:
    index = Index()
    marker = index.face(index.photo("a.jpg"), index.person("James"), embeddings_json=text)
    url = index.to_sqlite(tmp_path / "index.db")
    with connect(LibrarySettings(url=url)) as opened:
        found = list(opened.embeddings([marker["marker_uid"]]))  # type: ignore[union-attr]
    assert found == [] or text.startswith("[[1e154")


HELD = """
import sys, tracemalloc
from contextlib import suppress
from pathlib import Path
from engine.errors import RootsDoNotFit
from engine.library import bounded_mysql, opening
from engine.library.photoprism_sql.library import connect
from engine.library.paths import Roots, check_roots
from engine.settings import LibrarySettings

def most_held(do):
    tracemalloc.start()
    do()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most

with connect(LibrarySettings(url=sys.argv[1], originals=Path(sys.argv[2])), "insecure") as opened:
    def looked_through():
        assert len(opened.people()) == int(sys.argv[3])
        with suppress(RootsDoNotFit):
            check_roots(opened.files(), Roots(Path(sys.argv[2])))
    looked_through()  # What is loaded at the first question is no matter of how many rows there are.
    print(most_held(looked_through), most_held(lambda: list(opened.files())))
"""
"""In a process of its own: what other tests left in the interpreter, and what its threads do, is not measured."""


@pytest.mark.long
@pytest.mark.parametrize("kind", [pytest.param("sqlite", marks=pytest.mark.long), "mariadb"])
def test_many_markers_are_read_a_few_at_a_time(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Some thousands here; ``make bench`` reads two million."""
    if kind == "sqlite":
        url = many_markers(tmp_path / "index.db", 20_000)
    else:
        url = many_in_mariadb(request.getfixturevalue("server"), f"hostile{next(_databases)}", 10_000)
    words = [sys.executable, "-c", HELD, url, str(tmp_path), str(PEOPLE)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE)
    some, everything = map(int, done.stdout.split())
    # All rows at once would be more than what comes of them; a thousand, and what holds them, are a third.
    assert some < everything * 2 / 3, f"{some:,} of {everything:,} bytes"
