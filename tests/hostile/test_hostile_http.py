"""A web server that breaks off, lies or has no end: what it says is refused with a reason, and nothing is hammered."""

from __future__ import annotations

import errno
import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HostUnreachable, LibraryError
from engine.library.paths import NoPhotosNow
from engine.library.photoprism_http.library import HttpLibrary
from engine.library.registry import connect
from engine.library.web import originals as http_photos
from engine.library.web import session as http_session
from engine.library.web.originals import RemoteFile, fetched, place_of
from engine.network.resolving import addresses_of
from engine.settings import LibrarySettings
from tests.support.astronaut import FACE, astronaut, save
from tests.support.photoprism import Index
from tests.support.photoprism_server import APP_PASSWORD, Fault, Prism, serving

SUBJECTS = "subjects"
DEEP = b"[" * 100_000 + b"]" * 100_000
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between tries; nobody has to."""
    found: list[float] = []
    monkeypatch.setattr(http_session, "rest", lambda seconds, _gone: found.append(seconds))
    return found


@pytest.fixture
def prism(tmp_path: Path) -> Iterator[Prism]:
    index = Index()
    save(tmp_path / "originals/a.jpg", astronaut(width=200))
    index.face(index.photo("a.jpg", (200, 256)), index.person("James"), FACE)
    with serving(index, tmp_path / "originals", tmp_path / "sidecar") as found:
        yield found


@pytest.fixture
def library(prism: Prism, tmp_path: Path) -> Iterator[HttpLibrary]:
    found = connect(LibrarySettings(url=prism.url), APP_PASSWORD, tmp_path, typed=True)
    assert isinstance(found, HttpLibrary)
    with found:
        yield found


def only_photo(library: HttpLibrary) -> tuple[str, str]:
    (face,) = library.faces(library.people()[0])
    return face.file_root, face.file_name


def told_of_size(library: HttpLibrary, size: int) -> tuple[str, str]:
    """The photo, of which the server says that it has so many bytes."""
    name = only_photo(library)
    library._files[name] = RemoteFile(library._files[name].hash, size)
    return name


@pytest.mark.parametrize("cut_after", [0, 9])
def test_an_answer_that_breaks_off_is_asked_for_again(prism: Prism, library: HttpLibrary, cut_after: int) -> None:
    prism.before(SUBJECTS, Fault(200, body=b'[{"UID": "x"}]', cut_after=cut_after))
    assert [each.name for each in library.people()] == ["James"]


def test_a_server_that_always_breaks_off_is_away_and_still_photoprism(prism: Prism, library: HttpLibrary) -> None:
    prism.before(SUBJECTS, *[Fault(200, body=b'[{"UID": "x"}]', cut_after=5)] * http_session.TRIES)
    with pytest.raises(HostUnreachable, match=r"can't be reached \(it broke off\)"):
        library.people()
    assert prism.count(SUBJECTS) == http_session.TRIES


def test_a_server_that_falls_silent_in_mid_answer_is_told_to_be_away(
    prism: Prism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_session, "SILENT_SECONDS", 0.2)
    prism.before("config", *[Fault(200, body=b'{"version": "1"}', cut_after=5, silent=True)] * http_session.TRIES)
    with pytest.raises(HostUnreachable, match=r"nothing answered at .* in time"):
        connect(LibrarySettings(url=prism.url), APP_PASSWORD)


def test_an_answer_nested_without_end_is_refused_with_a_reason(prism: Prism, library: HttpLibrary) -> None:
    prism.before(SUBJECTS, Fault(200, body=DEEP))
    with pytest.raises(LibraryError, match="lists in lists without end"):
        library.people()
    prism.before(SUBJECTS, Fault(404, body=DEEP[:20_000]))
    with pytest.raises(LibraryError, match="answered 404"):
        library.people()
    assert len(library.people()) == 1


def test_an_answer_without_end_is_read_no_further_than_its_limit(
    prism: Prism, library: HttpLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_session, "MOST_BYTES", 2_000_000)
    prism.before(SUBJECTS, Fault(200, body=b"[" + b" " * 3_000_000 + b"]"))
    with pytest.raises(LibraryError, match="answered with more than 2 MB"):
        library.people()


def test_outlandish_numbers_and_half_characters_leave_the_other_faces(prism: Prism, library: HttpLibrary) -> None:
    uid = prism.index.rows["photos"][0]["photo_uid"]
    photo = prism.photo(uid)
    assert photo is not None
    file = photo["Files"][0]
    odd = {**file["Markers"][0], "UID": "odd", "X": 10**400}
    file |= {"Size": 10**400, "Width": 10**30, "Markers": [odd, *file["Markers"]]}
    photo["Files"] = [{**file, "UID": "half\udcff", "Name": "b\ud800.jpg"}, file]
    prism.before(f"photos/{uid}", Fault(200, body=json.dumps(photo).encode()))
    faces = list(library.faces(library.people()[0]))
    assert [(face.file_name, face.file_width) for face in faces] == [("b?.jpg", None), ("a.jpg", None)]
    assert library.roots.path("/", "a.jpg").exists()


def test_a_token_that_no_header_can_carry_is_not_sent(prism: Prism, library: HttpLibrary) -> None:
    prism.before("config", Fault(200, body=b'{"version": "1", "downloadToken": "\\ud800\\r\\nX: y"}'))
    assert library._session.download_token() == "public"


@pytest.mark.parametrize("size", ["known", "unknown"])
def test_a_photo_without_end_is_stopped_at_its_size(
    prism: Prism, library: HttpLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setattr(http_photos, "MOST_BYTES", 2_000_000)
    name = told_of_size(library, 1_000 if size == "known" else 0)
    endless = tmp_path / "endless"
    with endless.open("wb") as file:
        file.truncate(50_000_000)
    chunked = Fault(200, {**JPEG, "Connection": "close"}, endless.read_bytes(), no_length=True)
    for fault in (chunked, Fault(200, JPEG, endless.read_bytes())):
        prism.before("/dl/", fault)
        written = spied(monkeypatch)
        with pytest.raises(LibraryError, match="it is longer" if size == "known" else "too much for a photo"):
            library.roots.path(*name)
        assert max(written, default=0) <= 2_000_000
        assert fetched(tmp_path / "cache") == (0, 0)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of the file on its way, each time that room for more of it is looked for."""
    sizes: list[int] = []
    real = http_photos._want_room

    def look(folder: Path, size: int) -> None:
        sizes.extend(each.stat().st_size + size for each in folder.iterdir())
        real(folder, size)

    monkeypatch.setattr(http_photos, "_want_room", look)
    return sizes


def test_a_photo_said_to_be_huge_is_one_problem_and_no_full_disk(prism: Prism, library: HttpLibrary) -> None:
    name = told_of_size(library, 10**15)
    with pytest.raises(LibraryError, match="too much for a photo") as caught:
        library.roots.path(*name)
    assert not isinstance(caught.value, NoPhotosNow)
    assert prism.count("/dl/") == 0


def test_a_disk_that_gets_full_meanwhile_keeps_its_reserve_and_what_came(
    prism: Prism, library: HttpLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = only_photo(library)
    monkeypatch.setattr(http_photos, "CHUNK", 1_000)
    real, asked = shutil.disk_usage(tmp_path), []

    def filling(_folder: Path) -> Any:
        asked.append(1)
        return real._replace(free=http_photos.LEAST_ROOM + (10**9 if len(asked) < 5 else 0))

    monkeypatch.setattr(http_photos.shutil, "disk_usage", filling)
    with pytest.raises(NoPhotosNow, match="is full: make room"):
        library.roots.path(*name)
    assert fetched(tmp_path / "cache") == (0, 3_000)
    monkeypatch.undo()
    assert library.roots.path(*name).read_bytes() == (prism.originals / "a.jpg").read_bytes()
    assert [headers["Range"] for _, _, headers in prism.asked if "Range" in headers] == ["bytes=3000-"]


def test_a_server_is_left_alone_as_long_as_it_asks_for(prism: Prism, library: HttpLibrary, waits: list[float]) -> None:
    prism.before(SUBJECTS, Fault(429, {"Retry-After": "90"}))
    assert len(library.people()) == 1
    assert waits == [90.0]


@pytest.mark.parametrize("path", [SUBJECTS, "session"])
def test_a_server_that_wants_to_be_left_alone_for_long_is_not_asked_again(
    prism: Prism, library: HttpLibrary, waits: list[float], path: str
) -> None:
    as_user = LibrarySettings(url=prism.url.replace("://", "://james@"))
    prism.before(path, Fault(429, {"Retry-After": "3600"}))
    with pytest.raises(HostUnreachable, match=r"asks to wait 3,600 s: try again then"):
        library.people() if path == SUBJECTS else connect(as_user, "secret")
    assert (prism.count(path), waits) == (1, [])


@pytest.mark.parametrize("asked", ["inf", "nan", "soon", "Thu, 99 Foo 2026 25:61:61 GMT", ""])
def test_a_wait_that_is_no_time_is_ours_to_choose(
    prism: Prism, library: HttpLibrary, waits: list[float], asked: str
) -> None:
    prism.before(SUBJECTS, Fault(429, {"Retry-After": asked}))
    assert [each.name for each in library.people()] == ["James"]
    (wait,) = waits
    assert 0 < wait < http_session.LONGEST_WAIT


def test_where_nobody_listens_is_not_asked_again(tmp_path: Path, waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(HostUnreachable):
        connect(LibrarySettings(url=f"http://127.0.0.1:{port}"), APP_PASSWORD, tmp_path, typed=True)
    assert waits == []


def test_a_redirection_to_what_is_no_address_is_refused_like_any(prism: Prism, library: HttpLibrary) -> None:
    prism.before(SUBJECTS, Fault(302, {"Location": "http://[::1/library"}))
    with pytest.raises(LibraryError, match="redirects to another address"):
        library.people()


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([Fault(cut_after=100), Fault(416)], id="a part that is refused"),
        pytest.param([Fault(200, JPEG, body=b"half")], id="an end that is told to be one"),
        pytest.param(
            [Fault(cut_after=100), Fault(206, {**JPEG, "Content-Range": "bytes 7-9/9"}, body=b"half")],
            id="another part than was asked for",
        ),
    ],
)
def test_a_photo_that_came_in_part_is_whole_in_the_end(
    prism: Prism, library: HttpLibrary, tmp_path: Path, faults: list[Fault]
) -> None:
    photo = only_photo(library)
    truth = (tmp_path / "originals/a.jpg").read_bytes()
    faults = [replace(each, body=truth[:503]) if each.body else each for each in faults]
    prism.before("/dl/", *faults)
    assert library.roots.path(*photo).read_bytes() == truth


def test_a_photo_of_unknown_size_that_breaks_off_goes_on_where_it_was(
    prism: Prism, library: HttpLibrary, tmp_path: Path
) -> None:
    photo = told_of_size(library, 0)
    prism.before("/dl/", Fault(cut_after=100))
    assert library.roots.path(*photo).read_bytes() == (tmp_path / "originals/a.jpg").read_bytes()


def test_a_disk_that_refuses_is_no_line_that_broke(
    prism: Prism, library: HttpLibrary, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    photo = only_photo(library)
    monkeypatch.setattr(http_photos.RemoteOriginals, "_write", full)
    with pytest.raises(NoPhotosNow, match=r"can't be written .No space left on device.: make room there"):
        library.roots.path(*photo)
    assert (prism.count("/dl/"), waits) == (1, [])


@pytest.mark.parametrize("told", ["../../../../evil", "0" * 39, "", "g" * 40, "/etc/passwd"])
def test_a_checksum_that_is_none_names_no_file(prism: Prism, library: HttpLibrary, tmp_path: Path, told: str) -> None:
    name = only_photo(library)
    library._files[name] = RemoteFile(told, 9)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LibraryError, match="has no checksum of the file"):
        library.roots.path(*name)
    assert sorted(tmp_path.rglob("*")) == before
    assert prism.count("/dl/") == 0


@pytest.mark.parametrize("name", ["a.\x1b[2J", "a." + "y" * 300, "a.j\npg", "a"])
def test_a_name_that_would_not_do_gives_a_copy_no_ending(tmp_path: Path, name: str) -> None:
    assert place_of(tmp_path, "a" * 40, name).name == "a" * 40
    assert place_of(tmp_path, "a" * 40, "a.JPG").name == "a" * 40 + ".jpg"


def test_a_name_that_can_be_no_host_is_one() -> None:
    with pytest.raises(OSError, match="label"):
        addresses_of("a" * 70 + ".example", 80)
