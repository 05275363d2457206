"""Immich's originals: each fetched once, whole and proven, whatever breaks on the way."""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import LibraryError
from engine.faces.records.decisions import Ledger
from engine.faces.scan import scan
from engine.library.faces import LibraryFace
from engine.library.immich.library import ImmichLibrary
from engine.library.immich.records import asset_of
from engine.library.paths import NoPhotosNow, check_roots
from engine.library.web import session as web_session
from engine.library.web.originals import fetched
from engine.project import Project
from engine.security.trust import confirm
from tests.support.immich_data import Asset, Immich, many_assets
from tests.support.immich_library import connected, faces_of, fetch, opened
from tests.support.immich_server import API_KEY, VERSIONS, Fault, Server, apart, running
from tests.support.patience import PATIENCE, wait_until

ORIGINAL = r"/original"
PAGE = Fault(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between tries; nobody has to."""
    found: list[float] = []
    monkeypatch.setattr(web_session, "rest", lambda seconds, _gone: found.append(seconds))
    return found


@pytest.fixture
def server(immich: Immich) -> Iterator[Server]:
    with running(immich) as found:
        yield found


@pytest.fixture
def library(server: Server, tmp_path: Path) -> Iterator[ImmichLibrary]:
    with opened(server, tmp_path) as found:
        yield found


def photo(server: Server, library: ImmichLibrary, name: str = "plain.jpg") -> tuple[Asset, LibraryFace]:
    """A photo of Eileen's as it is there, and as Limner knows it."""
    face = faces_of(library, "Eileen")[name]
    server.asked.clear()
    return server.immich.find_asset(name), face


def ranges(server: Server) -> list[str | None]:
    return [each.headers.get("range") for each in server.asked if "/original" in each.path]


def test_a_photo_is_fetched_once_and_lies_under_its_checksum(
    server: Server, library: ImmichLibrary, tmp_path: Path
) -> None:
    faces = faces_of(library, "Grace")
    paths = {name: fetch(library, face) for name, face in faces.items()}
    for name, path in paths.items():
        asset = server.immich.find_asset(name)
        assert path.read_bytes() == asset.path.read_bytes()
        assert path == tmp_path / "cache/originals" / asset.sha1[:2] / f"{asset.sha1}.jpg"
        assert path.stat().st_mode & 0o777 == 0o600
    with opened(server, tmp_path) as again:
        assert {name: fetch(again, face) for name, face in faces_of(again, "Grace").items()} == paths
    assert server.count(ORIGINAL) == len(faces)
    (check,) = check_roots(library.files(), library.roots)
    assert check.line == f"photos: fetched when they are needed, 3 so far ({tmp_path}/cache/originals)"


def test_an_edited_photo_is_fetched_as_it_was_taken(server: Server, library: ImmichLibrary) -> None:
    asset, face = photo(server, library, "cropped.jpg")
    assert fetch(library, face).read_bytes() == asset.path.read_bytes()
    assert [each.path for each in server.asked] == [f"/api/assets/{asset.id}/original"]


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, library: ImmichLibrary) -> None:
    asset, face = photo(server, library)
    server.before(ORIGINAL, Fault(cut_after=1000), Fault(cut_after=2000))
    path = fetch(library, face)
    assert path.read_bytes() == asset.path.read_bytes()
    assert ranges(server) == [None, "bytes=1000-", "bytes=3000-"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_a_killed_process_left_is_gone_on_with(server: Server, library: ImmichLibrary) -> None:
    _, face = photo(server, library)
    path = fetch(library, face)
    whole = path.read_bytes()
    for left, asked in ((whole[:5000], ["bytes=5000-"]), (whole, []), (whole + b"more", [None])):
        path.unlink()
        path.with_name(f".{path.name}.part").write_bytes(left)
        server.asked.clear()
        if len(left) > len(whole):
            with pytest.raises(LibraryError, match="checksum differs"):
                fetch(library, face)
        assert fetch(library, face).read_bytes() == whole
        assert ranges(server) == asked


@pytest.mark.parametrize(("version", "answers"), [("1.132.3", 500), ("2.7.5", 500), ("2.7.5", 416), ("3.3.5", 416)])
def test_a_whole_photo_of_unknown_length_that_was_left_is_taken(
    immich: Immich, tmp_path: Path, version: str, answers: int
) -> None:
    """Its length may be missing; and what Immich answers to a range behind the last byte differs."""
    asset = immich.find_asset("plain.jpg")
    asset.length = 0
    with running(immich, version) as server, opened(server, tmp_path) as library:
        server.past_the_end = answers
        _, face = photo(server, library)
        path = fetch(library, face)
        path.rename(path.with_name(f".{path.name}.part"))
        server.asked.clear()
        assert fetch(library, face).read_bytes() == asset.path.read_bytes()
        assert ranges(server)[-1] is None


def test_a_server_that_knows_no_ranges_sends_all_again(server: Server, library: ImmichLibrary) -> None:
    asset, face = photo(server, library)
    server.before(ORIGINAL, Fault(cut_after=1000), Fault(ignore_range=True))
    assert fetch(library, face).read_bytes() == asset.path.read_bytes()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_that_the_server_lost_is_a_problem_of_that_photo_alone(
    immich: Immich, tmp_path: Path, version: str, waits: list[float]
) -> None:
    with running(immich, version) as server, opened(server, tmp_path) as library:
        _, lost = photo(server, library, "missing.jpg")
        with pytest.raises(LibraryError, match="the file is missing on Immich's disk: see Immich's log") as told:
            fetch(library, lost)
        assert not isinstance(told.value, NoPhotosNow)
        # An internal error may pass: it is asked about twice.
        assert server.count(ORIGINAL) == (1 if server.v >= (3,) else 2)
        assert sum(waits) < 2
        _, other = photo(server, library)
        assert fetch(library, other).exists()


def test_an_internal_error_that_passes_is_no_problem(immich: Immich, tmp_path: Path) -> None:
    with running(immich, "2.7.5") as server, opened(server, tmp_path) as library:
        asset, face = photo(server, library)
        server.before(ORIGINAL, Fault(500, body=b'{"message":"Internal server error"}'))
        assert fetch(library, face).read_bytes() == asset.path.read_bytes()


def test_a_cameras_raw_file_is_told_and_not_fetched(server: Server, library: ImmichLibrary) -> None:
    _, face = photo(server, library, "raw.dng")
    with pytest.raises(LibraryError, match="a camera's raw file, which Limner does not read: add a JPEG of it"):
        fetch(library, face)
    assert server.asked == []


@pytest.mark.parametrize("version", ["1.132.3", "3.3.5"])
def test_a_photo_that_went_away_is_told_and_no_other_is_lost(immich: Immich, tmp_path: Path, version: str) -> None:
    with running(immich, version) as server, opened(server, tmp_path) as library:
        asset, face = photo(server, library)
        immich.delete(asset)
        with pytest.raises(LibraryError, match="is not in Immich any more, or is another user's: scan again") as told:
            fetch(library, face)
        assert not isinstance(told.value, NoPhotosNow)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PAGE, "sent text/html instead of a photo: see whether a proxy asks for a login"),
        (Fault(302, {"Location": "https://auth.example.com/"}), "redirects to https://auth.example.com"),
        (Fault(401, body=b'{"message":"Invalid API key"}'), "refused the API key"),
        (Fault(503), r"is not running \(503\)"),
    ],
    ids=["a page", "elsewhere", "the key", "away"],
)
def test_where_no_photo_can_be_had_nothing_more_is_asked_for(
    server: Server, library: ImmichLibrary, fault: Fault, words: str, tmp_path: Path
) -> None:
    asset, face = photo(server, library)
    server.before(ORIGINAL, *[fault] * web_session.TRIES)
    with pytest.raises(NoPhotosNow, match=words):
        fetch(library, face)
    assert fetched(tmp_path / "cache")[0] == 0
    server.faults.clear()
    assert fetch(library, face).read_bytes() == asset.path.read_bytes()


def test_a_photo_that_is_another_one_is_never_taken(server: Server, library: ImmichLibrary, tmp_path: Path) -> None:
    asset, face = photo(server, library)
    same_length = bytes(asset.length)
    server.before(ORIGINAL, Fault(200, {"Content-Type": "image/jpeg"}, same_length))
    with pytest.raises(LibraryError, match=r"not the one that Immich indexed \(its checksum differs\): refresh its"):
        fetch(library, face)
    assert fetched(tmp_path / "cache")[0] == 0
    assert fetch(library, face).read_bytes() == asset.path.read_bytes()


def external(asset: Asset) -> None:
    """Makes a photo one of an external library, which Immich looks at where it lies."""
    # ``originalPath`` as the server tells it.
    told = hashlib.sha1(f"path:/data/{asset.path.name}".encode()).digest()
    asset.checksum = base64.b64encode(told).decode()


@pytest.mark.parametrize("version", ["1.132.3", "3.3.5"])
def test_photos_of_external_libraries_are_fetched_too(immich: Immich, tmp_path: Path, version: str) -> None:
    """Their checksum is of their path."""
    external(immich.find_asset("plain.jpg"))
    with running(immich, version) as server, opened(server, tmp_path) as library:
        asset, face = photo(server, library)
        server.before(ORIGINAL, Fault(cut_after=1000))
        path = fetch(library, face)
        assert path.read_bytes() == asset.path.read_bytes()
        assert fetch(library, face) == path
        assert ranges(server) == [None, "bytes=1000-"]
        assert path.stem == face.file_hash != base64.b64decode(asset.checksum).hex()


def test_an_external_photo_that_was_changed_is_fetched_anew(
    server: Server, library: ImmichLibrary, tmp_path: Path
) -> None:
    external(server.immich.find_asset("plain.jpg"))
    asset, face = photo(server, library)
    before = fetch(library, face)
    changed = tmp_path / "plain.jpg"
    changed.write_bytes(asset.path.read_bytes()[:-3])
    asset.path = changed
    before.unlink()
    with pytest.raises(LibraryError, match=r"\(its length differs\): refresh its metadata there"):
        fetch(library, face)
    # A rest of the old file is never gone on with.
    before.with_name(f".{before.name}.part").write_bytes(b"old")
    asset.length = changed.stat().st_size
    with opened(server, tmp_path) as again:
        path = fetch(again, faces_of(again, "Eileen")["plain.jpg"])
    assert path != before
    assert path.read_bytes() == changed.read_bytes()


def test_what_an_external_photo_is_told_by_is_its_path_size_and_time() -> None:
    told = {"id": "a", "type": "IMAGE", "originalPath": "/photos/ä.jpg", "fileModifiedAt": "2020-01-01T00:00:00.000Z"}
    told |= {"checksum": base64.b64encode(hashlib.sha1("path:/photos/ä.jpg".encode()).digest()).decode()}

    def state(**more: object) -> tuple[str, bool]:
        asset = asset_of({**told, **more})
        assert asset is not None
        return asset.hash, asset.proven

    assert state() == state(fileModifiedAt="2020-01-01T00:00:00+00:00")
    others = [state(fileModifiedAt="2021-01-01T00:00:00Z"), state(exifInfo={"fileSizeInByte": 9})]
    assert len({state(), *others}) == 3
    assert not any(proven for _, proven in (state(), *others))
    content = base64.b64encode(bytes(range(20))).decode()
    assert state(checksum=content) == (bytes(range(20)).hex(), True)
    assert state(checksum=content, libraryId="b")[1] is False
    assert state(checksum="")[0] == state(checksum="AAAA")[0] == ""


def _fetch_all(url: str, base: Path) -> None:
    with opened(url, base) as library:
        for face in faces_of(library, "Grace").values():
            fetch(library, face)


@pytest.mark.long
def test_two_processes_fetch_a_photo_once(server: Server, tmp_path: Path) -> None:
    server.wait = 0.02
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fetch_all, args=(server.url, tmp_path)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
        assert worker.exitcode == 0
    assert server.count(ORIGINAL) == fetched(tmp_path / "cache")[0] == 3


SCANNING = """
import sys
from pathlib import Path
from engine.faces.scan import scan
from engine.project import Project
scan(Project(Path(sys.argv[1])), "Person 1", sys.argv[2])
"""


@pytest.mark.parametrize("at", [1, pytest.param(7, marks=pytest.mark.long), pytest.param(30, marks=pytest.mark.long)])
def test_a_scan_that_is_killed_while_it_fetches_goes_on(project: Project, tmp_path: Path, at: int) -> None:
    """No photo that is there is fetched again, and what is left of others is gone on with."""
    immich = many_assets(tmp_path, people=1, faces=40)
    for asset in immich.assets.values():
        # So that each is under way for a while.
        asset.tail += bytes(400_000)
        asset.length += 400_000
        content = asset.path.read_bytes() + asset.tail
        asset.checksum = base64.b64encode(hashlib.sha1(content).digest()).decode()
    with running(immich) as server:
        server.wait = 0.02
        connected(project, server)
        confirm(project.root, project.settings.library.url)
        kept, goes = project.cache, [sys.executable, "-c", SCANNING, str(project.root), API_KEY]
        with subprocess.Popen(goes, cwd=Path(__file__).parents[3]) as scanning:
            wait_until(lambda: fetched(kept)[0] >= at)
            scanning.send_signal(signal.SIGKILL)
        assert scanning.returncode == -signal.SIGKILL
        there = {path.name.partition(".")[0] for path in kept.rglob("*.jpg")}
        assert at <= len(there) < 40
        server.asked.clear()
        server.wait = 0.0
        assert scan(project, "Person 1", API_KEY).usable == 40
        again = [each.path.split("/")[3] for each in server.asked if "/original" in each.path]
    sha1 = {asset.id: asset.sha1 for asset in immich.assets.values()}
    assert len(again) == len(set(again))
    # One may have been whole and not have had its name yet.
    assert {sha1[uid] for uid in again} <= set(sha1.values()) - there
    files = {path.stem: path for path in kept.rglob("*") if path.is_file()}
    assert {stem: hashlib.sha1(path.read_bytes()).hexdigest() for stem, path in files.items()} == {
        each: each for each in sha1.values()
    }


@pytest.mark.long
def test_two_thousand_faces_are_scanned_in_half_a_minute(project: Project) -> None:
    with apart("--people", "1", "--faces", "2000") as url:
        connected(project, url)
        began = time.monotonic()
        with opened(url) as library:
            assert sum(1 for _ in library.faces(library.people()[0])) == 2000
        listed = time.monotonic()
        report = scan(project, "Person 1", API_KEY)
        ended = time.monotonic()
    assert (report.faces, report.usable) == (2000, 2000)
    with project.store() as store:
        assert len(Ledger(store).faces()) == 2000
    assert fetched(project.cache)[0] == 2000
    print(f"listed in {listed - began:.1f} s, scanned in {ended - listed:.1f} s, load {os.getloadavg()[0]:.1f}")
    # Half a minute on two cores that do nothing else; this machine may be busy.
    assert ended - listed < 120
