"""A library that only its web interface shows: the same people and faces, photos fetched once and proven."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.faces.records.decisions import Ledger
from engine.faces.scan import scan
from engine.library.paths import NoPhotosNow, check_roots
from engine.library.photoprism_http.library import HttpLibrary
from engine.library.registry import connect
from engine.library.web import session as http_session
from engine.library.web.originals import fetched
from engine.project import Project
from engine.settings import LibrarySettings
from tests.support.astronaut import FACE, astronaut, save
from tests.support.photoprism import Index
from tests.support.photoprism_server import APP_PASSWORD, PASSWORD, SVG, USER, Fault, Prism, serving

DL = r"/dl/"
BUSY = Fault(429, {"Retry-After": "0"}, b'{"error": "slow down"}')


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "FIRST_WAIT", 0.002)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Path]:
    """James on five photos (one turned, one private, one in the sidecar folder, one archived), Jana beside him."""
    home, index, portrait = tmp_path_factory.mktemp("prism"), Index(), astronaut(width=400)
    james, jana = index.person("James Café"), index.person("Jana")
    for year, orientation in ((2015, 1), (2019, 6)):
        save(home / f"originals/{year}/IMG_1.jpg", portrait, orientation)
        file = index.photo(f"{year}/IMG_1.jpg", (400, 512), f"{year}-06-02 15:58:24")
        index.face(file, james, FACE)
    index.face(file, jana, (0.7, 0.1, 0.1, 0.1), src="")
    index.face(file, None, (0.1, 0.6, 0.1, 0.1))
    index.face(file, james, FACE, marker_invalid=1)
    save(home / "sidecar/2019/IMG_2.heic.jpg", portrait)
    side = index.photo("2019/IMG_2.heic.jpg", (400, 512), "2019-07-01 08:00:00", file_root="sidecar")
    index.face(side, james, FACE, src="")
    for name, more in (("private", {"photo_private": 1}), ("archived", {"deleted_at": "2024-01-01 00:00:00"})):
        save(home / f"originals/{name}.jpg", astronaut(width=380 + len(name)))
        index.face(index.photo(f"{name}.jpg", (400, 512), "2020-01-01 08:00:00", **more), james, FACE)
    return index, home


@pytest.fixture
def prism(drawn: tuple[Index, Path]) -> Iterator[Prism]:
    index, home = drawn
    with serving(index, home / "originals", home / "sidecar") as found:
        yield found


@pytest.fixture
def library(prism: Prism, tmp_path: Path) -> Iterator[HttpLibrary]:
    with opened(prism, tmp_path) as found:
        yield found


def opened(prism: Prism, base: Path | None, secret: str | None = APP_PASSWORD, **more: object) -> HttpLibrary:
    found = connect(LibrarySettings(url=prism.url, **more), secret, base, typed=True)
    assert isinstance(found, HttpLibrary)
    return found


def as_user(prism: Prism) -> str:
    return prism.url.replace("://", f"://{USER}@")


def james(library: HttpLibrary) -> list[tuple[str, str]]:
    return [(face.file_root, face.file_name) for face in library.faces(library.people()[0])]


@pytest.mark.parametrize("private", [False, True])
def test_people_faces_and_neighbours_are_those_that_the_index_has(
    drawn: tuple[Index, Path], prism: Prism, tmp_path: Path, private: bool
) -> None:
    url = drawn[0].to_sqlite(tmp_path / "index.db")
    with connect(LibrarySettings(url=url, private=private)) as by_sql, opened(prism, None, private=private) as by_http:
        people = by_http.people()
        assert [(each.id, each.name) for each in people] == [(each.id, each.name) for each in by_sql.people()]
        assert people[0].confirmed is None
        for person in people:
            wanted = list(by_sql.faces(person))
            assert [replace(face, file_hash="", file_size=None) for face in by_http.faces(person)] == wanted
            files = {face.file_uid for face in wanted}
            assert set(by_http.markers_beside(person)) == {
                marker for marker in by_sql.markers_beside(person) if marker.file_uid in files
            }
        assert set(by_http.files()) == set(by_sql.files())
        assert len(wanted) == 1


def test_a_private_photo_is_not_asked_for_and_left_out_where_listed(prism: Prism, library: HttpLibrary) -> None:
    public = james(library)
    assert prism.count("public=true")
    prism.lists_private = True
    with opened(prism, None) as again:
        assert james(again) == public
    assert ("/", "private.jpg") not in public
    with opened(prism, None, private=True) as all_of_them:
        assert ("/", "private.jpg") in james(all_of_them)


def test_what_it_is_and_its_labels_are_told(library: HttpLibrary) -> None:
    assert library.describe().line == "over HTTP · PhotoPrism 241213 · read-only · 5 photos · 6 faces"
    uid = next(library.faces(library.people()[0])).photo_uid
    (words,) = library.words([uid, "nobody"])
    assert (words.labels, words.place) == (("Beach", "Portrait"), "Berlin")


def test_many_photos_are_listed_page_by_page(
    prism: Prism, library: HttpLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = james(library)
    monkeypatch.setattr("engine.library.photoprism_http.library.PAGE", 1)
    assert james(library) == everything
    assert prism.count(r"photos\?.*offset=2") == 1


def test_a_photo_is_fetched_whole_once_and_told_by_its_checksum(
    prism: Prism, library: HttpLibrary, tmp_path: Path
) -> None:
    names = james(library)
    paths = [library.roots.path(*name) for name in names]
    for (root, name), path in zip(names, paths, strict=True):
        original = (prism.sidecar if root == "sidecar" else prism.originals) / name
        assert path.read_bytes() == original.read_bytes()
        assert path.parent.parent == tmp_path / "cache" / "originals"
        assert path.stem == hashlib.sha1(path.read_bytes()).hexdigest()
        assert path.stat().st_mode & 0o777 == 0o600
    asked = prism.count(DL)
    assert [library.roots.path(*name) for name in names] == paths
    assert prism.count(DL) == asked
    assert fetched(tmp_path / "cache")[0] == len(set(paths))
    (check,) = check_roots(library.files(), library.roots)
    assert check.line == f"photos: fetched when they are needed, {len(set(paths))} so far ({tmp_path}/cache/originals)"
    assert prism.count(DL) == asked


def test_a_download_that_breaks_off_goes_on_where_it_was(prism: Prism, library: HttpLibrary) -> None:
    name = james(library)[0]
    prism.before(DL, Fault(cut_after=1000), Fault(cut_after=2000))
    path = library.roots.path(*name)
    assert path.read_bytes() == (prism.originals / name[1]).read_bytes()
    ranges = [headers.get("Range") for _, asked, headers in prism.asked if "/dl/" in asked]
    assert ranges == [None, "bytes=1000-", "bytes=3000-"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_a_killed_process_left_is_gone_on_with(prism: Prism, library: HttpLibrary, tmp_path: Path) -> None:
    name = james(library)[0]
    path = library.roots.path(*name)
    whole = path.read_bytes()
    for left, ranges in ((whole[:5000], ["bytes=5000-"]), (whole, []), (whole + b"more", [None])):
        path.unlink()
        path.with_name(f".{path.name}.part").write_bytes(left)
        prism.asked.clear()
        if len(left) > len(whole):
            with pytest.raises(LibraryError, match="checksum differs"):
                library.roots.path(*name)
        assert library.roots.path(*name).read_bytes() == whole
        assert [headers.get("Range") for _, asked, headers in prism.asked if "/dl/" in asked] == ranges


def test_a_server_that_knows_no_ranges_sends_all_again(prism: Prism, library: HttpLibrary) -> None:
    name = james(library)[0]
    prism.before(DL, Fault(cut_after=1000), Fault(ignore_range=True))
    assert library.roots.path(*name).read_bytes() == (prism.originals / name[1]).read_bytes()


def test_a_busy_or_failing_server_is_asked_again_when_it_says(prism: Prism, library: HttpLibrary) -> None:
    prism.before("subjects", BUSY, Fault(503), Fault(500, body=b"<html>oops</html>"))
    prism.before(DL, BUSY, Fault(502))
    assert len(library.people()) == 2
    assert library.roots.path(*james(library)[0]).exists()
    prism.before("subjects", Fault(429, {"Retry-After": "0.3"}))
    began = time.monotonic()
    library.people()
    assert time.monotonic() - began >= 0.3
    prism.before("subjects", *[BUSY] * http_session.TRIES)
    with pytest.raises(HostUnreachable, match="limits requests: try again in a few minutes"):
        library.people()


def test_a_download_token_that_ran_out_is_renewed(prism: Prism, library: HttpLibrary) -> None:
    first, second, *_ = james(library)
    path = library.roots.path(*first)
    prism.download_token = "dl2"
    assert library.roots.path(*second).exists()
    path.unlink()
    prism.before("config", *[Fault(200, body=b'{"version": "1", "downloadToken": "never"}')] * 3)
    prism.download_token = "dl3"
    with pytest.raises(NoPhotosNow, match="view photos, not download them"):
        library.roots.path(*first)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(200, {"Content-Type": "image/svg+xml"}, SVG), "sent a placeholder instead of the file"),
        (Fault(404, {"Content-Type": "image/svg+xml"}, SVG), "the file is missing on the server"),
        (Fault(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>"), "a proxy asks for a login"),
        (Fault(200, {"Content-Type": "image/jpeg"}, SVG), "not the one that PhotoPrism indexed"),
        (
            Fault(200, {"Content-Type": "image/jpeg"}, b"\xff\xd8" + bytes(900_000)),
            "not the one that PhotoPrism indexed",
        ),
    ],
    ids=["placeholder", "missing", "login page", "placeholder as a photo", "another photo"],
)
def test_what_is_no_photo_is_never_taken_for_one(
    prism: Prism, library: HttpLibrary, fault: Fault, words: str, tmp_path: Path
) -> None:
    name = james(library)[0]
    prism.before(DL, *[fault] * http_session.TRIES)
    with pytest.raises(LibraryError, match=words):
        library.roots.path(*name)
    assert fetched(tmp_path / "cache")[0] == 0
    prism.faults.clear()
    assert library.roots.path(*name).read_bytes() == (prism.originals / name[1]).read_bytes()


def test_no_more_than_four_questions_are_under_way_at_once(prism: Prism, library: HttpLibrary) -> None:
    names = james(library)
    with ThreadPoolExecutor(12) as pool:
        paths = list(pool.map(lambda name: library.roots.path(*name), names * 4))
    assert len(set(paths)) == len({prism.file_hash(f) for f in prism.index.rows["files"][:3]})
    assert prism.most_at_once <= http_session.AT_ONCE
    assert prism.count(DL) == len(set(paths))


@pytest.mark.long
def test_two_processes_fetch_a_photo_once(prism: Prism, library: HttpLibrary, tmp_path: Path) -> None:
    james(library)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fetch_all, args=(prism.url, tmp_path)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert prism.count(DL) == fetched(tmp_path / "cache")[0] > 0


def _fetch_all(url: str, base: Path) -> None:
    with connect(LibrarySettings(url=url), APP_PASSWORD, base, typed=True) as library:
        for face in list(library.faces(library.people()[0])):
            library.roots.path(face.file_root, face.file_name)


def test_a_user_is_logged_in_and_out_and_in_again_when_the_session_ends(prism: Prism, tmp_path: Path) -> None:
    with connect(LibrarySettings(url=as_user(prism)), PASSWORD, tmp_path, typed=True) as library:
        assert len(library.people()) == 2
        prism.tokens.clear()
        assert len(james(library)) == 3  # type: ignore[arg-type]
        assert prism.count("session") == 2
    assert not prism.tokens
    assert prism.count("session") == 3


def test_who_is_not_let_in_is_told_what_to_do(prism: Prism) -> None:
    with pytest.raises(WrongPassword, match=r"requires a password: set LIMNER_DB_PASSWORD to an app pass"):
        opened(prism, None, None)
    with pytest.raises(WrongPassword, match=r"refused the app password, .*http://USER@127.0.0.1"):
        opened(prism, None, "wrong")
    with pytest.raises(WrongPassword, match=f"refused user {USER} with this password"):
        connect(LibrarySettings(url=as_user(prism)), "wrong")
    assert prism.count("session") == 1
    prism.before("session", Fault(401, body=b'{"error": "passcode required", "code": 32}'))
    with pytest.raises(WrongPassword, match="has a second factor: give an app password"):
        connect(LibrarySettings(url=as_user(prism)), PASSWORD)
    prism.before("config", Fault(403, body=b'{"error": "Permission denied"}'))
    with pytest.raises(WrongPassword, match=r"lets this user see no photos \(Permission denied\)"):
        opened(prism, None)


def test_a_library_that_is_open_to_all_needs_no_password(prism: Prism, tmp_path: Path) -> None:
    prism.open_to_all = True
    with opened(prism, tmp_path, None) as library:
        assert library.roots.path(*james(library)[0]).exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(200, body=b"<html>router</html>"), "is not PhotoPrism: give the address"),
        (Fault(200, body=b'{"some": "json"}'), "is not PhotoPrism: give the address"),
        (Fault(404), "is not PhotoPrism: give the address"),
        (
            Fault(308, {"Location": "https://photos.example.com/x"}),
            "redirects to https://photos.example.com: limner connect",
        ),
    ],
)
def test_what_is_no_photoprism_is_told(prism: Prism, fault: Fault, words: str) -> None:
    prism.before("config", fault)
    with pytest.raises(LibraryError, match=words):
        opened(prism, None)


def test_a_list_that_is_none_is_told(prism: Prism, library: HttpLibrary) -> None:
    prism.before("subjects", Fault(200, body=b'{"error": "x"}'))
    with pytest.raises(NotALibrary, match="does not answer as PhotoPrism does"):
        library.people()


def test_the_secret_goes_nowhere_but_into_the_header(prism: Prism, library: HttpLibrary) -> None:
    library.roots.path(*james(library)[0])
    assert all(APP_PASSWORD not in path for _, path, _ in prism.asked)
    downloads = [headers for _, path, headers in prism.asked if DL in path]
    assert downloads
    assert {method for method, _, _ in prism.asked} == {"GET"}


def test_a_scan_takes_in_the_faces_and_a_missing_photo_is_one_problem(
    prism: Prism, project: Project, drawn: tuple[Index, Path], tmp_path: Path
) -> None:
    project.change({"library.url": prism.url})
    kept = drawn[1] / "originals/2015/IMG_1.jpg"
    prism.before(
        f"dl/{prism.file_hash(prism.index.rows['files'][1])}", Fault(404, {"Content-Type": "image/svg+xml"}, SVG)
    )
    report = scan(project, "james café", APP_PASSWORD)
    assert (report.faces, report.usable) == (3, 2)
    with project.store() as store:
        faces = Ledger(store).faces()
    assert [face.problem for face in faces] == [None, "the file is missing on the server", None]
    assert faces[0].path is not None
    assert faces[0].path.read_bytes() == kept.read_bytes()
    assert (faces[0].image_width, faces[0].image_height, faces[0].warning) == (400, 512, None)
    assert scan(project, "james café", APP_PASSWORD).usable == 3


def test_a_server_that_goes_away_in_mid_scan_leaves_what_was_known(prism: Prism, project: Project) -> None:
    project.change({"library.url": prism.url})
    scan(project, "James Café", APP_PASSWORD)
    shutil.rmtree(project.cache)
    prism.before(DL, *[Fault(503)] * 100)
    with pytest.raises(NoPhotosNow, match=r"is not running \(503\)"):
        scan(project, "James Café", APP_PASSWORD)
    with project.store() as store:
        assert [face.problem for face in Ledger(store).faces()] == [None, None, None]
    prism.faults.clear()
    assert scan(project, "James Café", APP_PASSWORD).usable == 3


def test_a_full_disk_is_told_before_anything_is_fetched(
    prism: Prism, library: HttpLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = james(library)[0]
    monkeypatch.setattr("engine.library.web.originals.LEAST_ROOM", 2**62)
    with pytest.raises(NoPhotosNow, match="is full: make room"):
        library.roots.path(*name)
    assert prism.count(DL) == 0


def test_https_is_verified_and_what_to_do_is_told(
    drawn: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, home = drawn
    ours, others = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ours.pem")
    others.cert_pem.write_to_path(tmp_path / "others.pem")
    certificate = ours.issue_cert("127.0.0.1")

    def wrap(context: ssl.SSLContext) -> None:
        certificate.configure_cert(context)

    with serving(index, home / "originals", home / "sidecar", wrap) as prism:
        with pytest.raises(HostUnreachable, match=r"can't be trusted .*\?ssl_ca=/path/ca.pem"):
            opened(prism, None)
        with pytest.raises(HostUnreachable, match="can't be trusted"):
            opened(replace_url(prism, f"?ssl_ca={tmp_path}/others.pem"), None)
        assert prism.asked == []
        with opened(replace_url(prism, f"?ssl_ca={tmp_path}/ours.pem"), tmp_path) as library:
            assert library.describe().about.startswith("over HTTPS · PhotoPrism")
            assert library.roots.path(*james(library)[0]).exists()
        with opened(replace_url(prism, "?ssl=unverified"), None) as library:
            assert library.describe().notes == ()
            far = replace(library.address, host="photos.example.com")
            from engine.library.connection.tls import told_of

            assert "it was not verified" in told_of(far, True)[0]
            assert "not encrypted" in told_of(far, False)[0]


def replace_url(prism: Prism, tail: str) -> Prism:
    return replace(prism, url=prism.url + tail)
