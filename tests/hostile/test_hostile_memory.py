"""Bombs: what is small on its way and large in memory is refused in one line, within so many megabytes more."""

from __future__ import annotations

import gzip
import io
import json
import struct
import subprocess
import sys
import tarfile
import zlib
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.bundle.contents import CHECKSUMS
from engine.errors import LibraryError, LimnerError
from engine.faces.records.decisions import Ledger
from engine.jobs.folder import EventTail, JobFolder, JobKind, Order
from engine.library import faces
from engine.library.photoprism_http import library as http_library
from engine.library.photoprism_sql import people
from engine.library.registry import connect
from engine.project import create_project
from engine.settings import LibrarySettings
from engine.storage.untrusted_files import MOST_MEMORY, parse_json
from tests.hostile.endless_server import endless
from tests.hostile.test_hostile_http import library, prism, waits  # noqa: F401
from tests.support.patience import PATIENCE
from tests.support.photoprism import Index
from tests.support.photoprism_server import Fault, Prism

MANY = b"[" + b"{}," * 5_200_000 + b"{}]"
"""15.6 MB that become 370."""


def greedy(*cases: tuple[int, str, object]) -> list[str]:
    """How each case ended that had so many megabytes."""
    words = [str(word) for case in cases for word in case]
    command = [sys.executable, "-m", "tests.hostile.greedy", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def bundle(path: Path, *parts: bytes, kind: str = "project", files: int = 500_000, size: int = 10**6) -> Path:
    about = {"v": 1, "kind": kind, "files": files, "bytes": size, "trigger": "x"}
    with gzip.open(path, "wb", 1) as packed:
        for part in (member("bundle.json", json.dumps(about).encode()), *parts):
            packed.write(part)
        packed.write(bytes(1024))
    return path


def member(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    return info.tobuf() + data + bytes(-len(data) % 512)


def pax(count: int) -> bytes:
    """Headers of so many records, each another one's name."""
    lines = io.BytesIO()
    for number in range(count):
        lines.write(b"%d k%06d=\n" % (len("12 k000000=\n"), number))
    return lines.getvalue()


def test_what_bundles_unpack_to_stays_out_of_the_memory(tmp_path: Path) -> None:
    """44 KB took 7.6 GB: each header is copied for all that follow it."""
    for_all = member("g", pax(40_000), tarfile.XGLTYPE)
    one_by_one = member("x", pax(50), tarfile.XHDTYPE) * 300
    copied = bundle(tmp_path / "copied.limner", for_all + one_by_one + member("dataset/a", b"x"))
    assert copied.stat().st_size < 200_000
    sums = bundle(tmp_path / "sums.limner", member("limner.toml", b""), member(CHECKSUMS, bytes(120_000_000)))
    settings = b"#" + b" " * 120_000_000
    large = bundle(
        tmp_path / "large.limner", *whole({"limner.toml": settings, "prompts.json": b"[]"}), files=2, size=10**9
    )
    told = bundle(tmp_path / "told.limner", member("g", pax(3), tarfile.XGLTYPE) + member("limner.toml", b""))
    ended = greedy(*[(100, "unbundle", each) for each in (copied, sums, large, told)])
    assert ended[0].startswith("the bundle's list of files is absurdly large")
    assert ended[1] == "this is not a Limner bundle: make one with: limner bundle"
    assert "has more than 4 MB" in ended[2]
    assert ended[3].startswith("the bundle holds headers for all of its files: ")


def whole(files: dict[str, bytes]) -> list[bytes]:
    """Members, with the checksums that belong to them."""
    from hashlib import sha256

    sums = {name: sha256(data).hexdigest() for name, data in files.items()}
    return [*(member(name, data) for name, data in files.items()), member(CHECKSUMS, json.dumps(sums).encode())]


def safetensors(path: Path, header: bytes) -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    return path


def bomb_in_png(path: Path) -> Path:
    """A text of 100 MB in a picture of 100 KB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    texts = b"".join(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(100_000_000), 1)) for _ in range(1))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + texts + pixels + chunk(b"IEND", b""))
    return path


def empty(path: Path, size: int = 200_000_000) -> Path:
    """A file of nothing but zeros, which takes no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_files_of_a_project_are_read_within_bounds(tmp_path: Path, prism: Prism) -> None:  # noqa: F811
    """A file of JSON that takes 24 times its length, texts without end, headers of models, texts in pictures."""
    (tmp_path / "many.json").write_bytes(b"[" + b"{}," * 9_000_000 + b"{}]")
    empty(tmp_path / "run/events.jsonl")
    lora = safetensors(tmp_path / "a.safetensors", b'{"a":[' + b"{}," * 6_000_000 + b"{}]}")
    cases = [
        (150, "json", tmp_path / "many.json", "more than 600 MB"),
        (60, "settings", empty(tmp_path / "limner.toml"), "has more than 4 MB"),
        (60, "prompts", empty(tmp_path / "prompts.toml"), "has more than 4 MB"),
        (120, "styles", empty(tmp_path / "styles.csv"), "has more than 32 MB"),
        (100, "log", tmp_path / "run", "gave "),
        (150, "lora", lora, "is not a safetensors file"),
        (60, "picture", bomb_in_png(tmp_path / "a.png"), "gave "),
    ]
    prism.open_to_all = True
    prism.before("subjects", Fault(200, body=MANY))
    cases.append((150, "people", prism.url, "answered with more than PhotoPrism ever has"))
    ended = greedy(*[case[:3] for case in cases])
    for told, case in zip(ended, cases, strict=True):
        assert case[3] in told, (case, told)
        assert "MemoryError" not in told, (case, told)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
JUNK: dict[str, tuple[str, bytes, bytes, str]] = {
    "a list of models without end": ("models", STREAM, b'{"id":"a"},' * 5000, "is not a language model server"),
    "one line without end": ("answer", STREAM, b"data: " + b"a" * 65536, "gave ''"),
    "comments without end": ("answer", STREAM, b": hm\n" * 10_000, "gave ''"),
    "many small values": ("answer", STREAM, b"[],{}," * 5000, "gave ''"),
}


@pytest.mark.parametrize("names", [[*JUNK][:2], pytest.param([*JUNK][2:], marks=pytest.mark.long)], ids=str)
def test_a_language_models_answer_is_read_within_bounds(names: list[str]) -> None:
    junk = [JUNK[name] for name in names]
    with ExitStack() as stack:
        ports = [stack.enter_context(endless(each[2], first=each[1], slowly=False)).port for each in junk]
        told = [(each[0], f"http://127.0.0.1:{port}/v1") for each, port in zip(junk, ports, strict=True)]
        ended = greedy(*[(200, *each) for each in told])
    for name, each in zip(names, ended, strict=True):
        assert JUNK[name][3] in each, (name, each)


@pytest.mark.parametrize("text", ["[{},", '{"a":1},', '[["', "[" * 400 + "]" * 400 + ","], ids=lambda text: text[:9])
def test_json_that_would_fill_the_memory_is_refused(text: str) -> None:
    whole = f"[{text * (31_000_000 // len(text))}"
    with pytest.raises(ValueError, match="would take more than 600 MB"):
        parse_json(whole)


def test_a_manifest_of_a_hundred_thousand_images_is_no_bomb() -> None:
    image = {"number": 1, "face": 3, "marker": "ms1" * 4, "crop": "close", "box": [0, 0, 96], "turned": 0.5}
    image |= {"source": "photos/2019/06/" + "a" * 30, "stamp": "1-2", "hash": "f" * 40, "caption": "g" * 40}
    assert MOST_MEMORY == 600_000_000
    assert len(parse_json(f"[{f'{json.dumps(image)},' * 99_999}{{}}]")) == 100_000


def test_pages_that_are_ever_the_same_end(prism: Prism, library: http_library.HttpLibrary) -> None:  # noqa: F811
    page = json.dumps([{"UID": f"js{n}", "Name": "a", "FileCount": 1} for n in range(500)]).encode()
    prism.before("subjects", *[Fault(200, body=page)] * 9)
    with pytest.raises(LibraryError, match="repeats itself or never ends"):
        library.people()
    assert prism.count("subjects") == 2


def test_pages_without_end_end(
    prism: Prism,  # noqa: F811
    library: http_library.HttpLibrary,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_library, "MOST_ROWS", 1200)
    pages = [[{"UID": f"js{at}-{n}", "Name": "a", "FileCount": 1} for n in range(500)] for at in range(9)]
    prism.before("subjects", *[Fault(200, body=json.dumps(page).encode()) for page in pages])
    with pytest.raises(LibraryError, match="repeats itself or never ends"):
        library.people()
    assert prism.count("subjects") == 3


def test_photos_beyond_those_that_are_kept_are_asked_for_anew(
    prism: Prism,  # noqa: F811
    library: http_library.HttpLibrary,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_library, "MOST_KEPT", 0)
    (person,) = library.people()
    assert list(library.faces(person)) == list(library.faces(person))
    assert prism.count(r"photos/ps") == 2


def with_people(tmp_path: Path, count: int, **more: object) -> LibrarySettings:
    index = Index()
    for number in range(count):
        index.face(index.photo(f"{number}.jpg"), index.person(f"James {number}", **more))
    return LibrarySettings(url=index.to_sqlite(tmp_path / "index.db"))


def test_a_value_of_an_index_that_is_absurdly_long_is_refused(tmp_path: Path) -> None:
    index = Index()
    index.face(index.photo("a.jpg"), index.person("x" * 600_000))
    odd = LibrarySettings(url=index.to_sqlite(tmp_path / "odd.db"))
    with (
        connect(odd) as opened,
        pytest.raises(LibraryError, match="too big, which a PhotoPrism index never causes"),
    ):
        opened.people()
    (tmp_path / "b").mkdir()
    with connect(with_people(tmp_path / "b", 1, subj_slug="x" * 100_000)) as opened:
        assert len(opened.people()) == 1


def test_an_index_with_people_or_faces_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST_PEOPLE", 3)
    monkeypatch.setattr(faces, "MOST_MEMORY", 500)
    with connect(with_people(tmp_path, 4)) as opened:
        with pytest.raises(LibraryError, match="has more than 3 people"):
            opened.people()
        with pytest.raises(LibraryError, match="more faces of one person than fit"):
            list(opened.faces("js000002"))


def test_a_line_of_a_log_that_is_endless_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine import events
    from engine.jobs import folder

    monkeypatch.setattr(folder, "AT_ONCE", 300)
    tail = EventTail(tmp_path / "events.jsonl")
    with (tmp_path / "events.jsonl").open("a") as file:
        for step in range(3):
            file.write(events.to_line(events.Phase("faces", step, 9)) + "x" * 1000 + "\n")
    assert [entry.event for entry in tail.read()] == [events.Phase("faces", step, 9) for step in range(3)]
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write("y" * 700)
    assert list(tail.read()) == []
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write("\n" + events.to_line(events.Phase("faces", 9, 9)))
    assert [entry.event for entry in tail.read()] == [events.Phase("faces", 9, 9)]


@pytest.mark.long
def test_a_run_whose_log_is_huge_comes_home_within_bounds(tmp_path: Path) -> None:
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    job = JobFolder(project.runs / "r")
    job.path.mkdir(parents=True)
    job.write_order(Order(JobKind.TRAIN, project.root, {}))
    empty(job.path / "events.jsonl", 150_000_000)
    order = (job.path / "job.json").read_bytes()
    parts = whole({"runs/r/job.json": order, "runs/r/events.jsonl": bytes(150_000_001)})
    carried = bundle(tmp_path / "runs.limner", *parts, kind="runs", files=2, size=2 * 10**8)
    (ended,) = greedy((60, "into a project", carried))
    assert ended == "gave <Merged.UPDATED: 'updated'>"


def test_rows_without_end_of_a_projects_own_database_are_bounded(tmp_path: Path) -> None:
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    with project.store() as store:
        with pytest.raises(LimnerError, match="too big"), store.change() as change:
            change.execute("INSERT INTO prompts (t, text) VALUES (0, hex(zeroblob(20000000)))")
        assert Ledger(store).faces() == []
