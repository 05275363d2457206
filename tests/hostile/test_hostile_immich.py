"""An Immich that lies, repeats itself or has no end: a reason in one line, or what is sound of it; never a hang."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HostUnreachable, LibraryError, NotALibrary
from engine.faces.records.decisions import Ledger
from engine.faces.scan import scan
from engine.library.address import parse_address
from engine.library.detection import detect
from engine.library.faces import LibraryFace
from engine.library.immich import library as immich_library
from engine.library.immich import search
from engine.library.immich.library import ImmichLibrary
from engine.library.paths import NoPhotosNow
from engine.library.web import originals
from engine.library.web import session as web_session
from engine.library.web.originals import fetched
from engine.network import bounded_http, deadlines
from engine.project import Project
from tests.hostile.endless_server import endless
from tests.hostile.test_endless_answers import WEB
from tests.support.immich_data import Immich, many_assets
from tests.support.immich_library import connected, fetch, opened
from tests.support.immich_server import API_KEY, Fault, Server, running
from tests.support.rows import usual

DEEP = b"[" * 100_000 + b"]" * 100_000
SEARCH = "/api/search/metadata"
JPEG = {"Content-Type": "image/jpeg"}
EARLIER, LATER = "2.7.5", "3.3.5"
"""Pages are counted there, and a cursor goes on here."""


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between tries; nobody has to."""
    found: list[float] = []
    monkeypatch.setattr(web_session, "rest", lambda seconds, _gone: found.append(seconds))
    return found


@pytest.fixture
def immich(tmp_path: Path) -> Immich:
    """One person on three small photos."""
    return many_assets(tmp_path / "served", people=1, faces=3)


@pytest.fixture(params=[EARLIER, LATER])
def server(immich: Immich, request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(immich, request.param) as found:
        yield found


@pytest.fixture
def newest(immich: Immich) -> Iterator[Server]:
    with running(immich) as found:
        yield found


@pytest.fixture
def library(newest: Server, tmp_path: Path) -> Iterator[ImmichLibrary]:
    with opened(newest, tmp_path) as found:
        yield found


def person(server: Server) -> str:
    return server.immich.people[0].id


def faces(server: Server, library: ImmichLibrary) -> list[LibraryFace]:
    return list(library.faces(person(server)))


def truth(server: Server, number: int = 0, **more: object) -> dict[str, Any]:
    """A photo as the server tells it, but for some of it."""
    told = server.asset([*server.immich.assets.values()][number], True, True)
    told["exifInfo"] |= more.pop("exifInfo", {})
    return {**told, **more}


def found(*items: object, **more: object) -> Fault:
    """A page of a search."""
    return Fault(200, body=json.dumps({"assets": {"items": items, "nextPage": None, **more}}).encode())


def said(answer: object) -> Fault:
    return Fault(200, body=json.dumps(answer).encode())


ASKED: dict[str, Callable[[Server, ImmichLibrary], object]] = {
    "people": lambda _, library: library.people(),
    "statistics": lambda _, library: library.people(),
    SEARCH: faces,
    "faces": faces,
    "assets/": lambda server, library: list(library.words([*server.immich.assets])),
}
"""What is asked, by a pattern of its path."""

ODD = {
    "depths": DEEP,
    "no JSON": b"\xff\xfe{}",
    "half of it": b'{"assets": {"items": [',
    "nothing": b"",
    "a number of endless digits": b'{"people":[' + b"9" * 10_000 + b"]}",
    "many small things": b"[" + b"{}," * 4_000_000 + b"{}]",
}


@pytest.mark.parametrize("how", ODD)
@pytest.mark.parametrize("path", ASKED)
def test_an_odd_answer_to_any_question_is_a_reason(newest: Server, library: ImmichLibrary, path: str, how: str) -> None:
    newest.before(path, *[Fault(200, body=ODD[how])] * 3)
    with pytest.raises(LibraryError) as refused:
        ASKED[path](newest, library)
    assert len(refused.value.one_line()) < 400


VALUES: list[object] = [None, True, 7, -1, 1e308, "x", [], {}, [[]], [None], [{}], {"people": {}}, {"assets": []}]
VALUES += [{"people": [None, 7, "x", {}, {"id": 7}], "hasNextPage": "no"}, {"assets": {"items": {}}}]


@pytest.mark.parametrize("path", ASKED)
def test_an_answer_of_another_kind_is_a_reason_or_nothing(newest: Server, path: str) -> None:
    for value in VALUES:
        newest.faults.clear()
        newest.before(path, *[said(value)] * 3)
        with opened(newest) as library:
            reason = reason_of(partial(ASKED[path], newest, library))
        assert reason is None or "Immich" in reason, value


def reason_of(do: Callable[[], object]) -> str | None:
    """Why something can't be done; None where it can."""
    try:
        do()
    except LibraryError as error:
        return error.one_line()
    return None


def test_an_answer_without_end_is_read_no_further_than_its_limit(
    newest: Server, library: ImmichLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_session, "MOST_BYTES", 2_000_000)
    newest.before("people", Fault(200, body=b"[" + b" " * 3_000_000 + b"]"))
    with pytest.raises(LibraryError, match="answered with more than 2 MB"):
        library.people()


@pytest.mark.parametrize("how", usual(WEB, 2))
def test_a_server_that_answers_without_end_is_given_up(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_session, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(bounded_http, "LEAST_RATE", 10**6)
    monkeypatch.setattr(deadlines, "LOOK_SECONDS", 0.02)
    first, piece = WEB[how]
    with endless(piece, first=first) as server:
        url = f"http://127.0.0.1:{server.port}"
        with pytest.raises(HostUnreachable, match="answers without end, or too slowly"):
            opened(url)
        with pytest.raises(HostUnreachable, match="answers without end, or too slowly"):
            detect(parse_address(url))
        assert len(server.asked) == 2, "who took its whole time is not asked again"


def test_what_answers_at_an_address_is_read_within_bounds(newest: Server) -> None:
    newest.before("ping", Fault(200, body=b'{"res": "' + b"a" * 3_000_000 + b'"}'))
    newest.before("config", Fault(200, body=b'{"version": ' * 100_000))
    with pytest.raises(NotALibrary, match="neither Immich nor PhotoPrism"):
        detect(parse_address(newest.url))


def people_page(first: int, more: bool = True) -> Fault:
    people = [{"id": f"p{number}", "name": f"James {number}"} for number in range(first, first + 4)]
    return said({"people": people, "hasNextPage": more})


def test_pages_of_people_that_repeat_themselves_end(newest: Server, library: ImmichLibrary) -> None:
    newest.before("people", *[people_page(0)] * 9)
    with pytest.raises(LibraryError, match="repeats itself or never ends"):
        library.people()
    assert newest.count("people") == 2


def test_people_without_end_end(newest: Server, library: ImmichLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(immich_library, "MOST_PEOPLE", 10)
    newest.before("people", *[people_page(4 * page) for page in range(9)])
    with pytest.raises(LibraryError, match="repeats itself or never ends"):
        library.people()
    assert newest.count("people") == 3
    newest.faults.clear()
    newest.before("people", people_page(0, more=False))
    monkeypatch.setattr(immich_library, "MOST_KEPT", 1000)
    with pytest.raises(LibraryError, match="repeats itself or never ends"):
        library.people()


ENDLESS: dict[str, Callable[[Server, int], Fault]] = {
    "the same page": lambda server, page: found(truth(server), nextPage=str(page + 1), nextCursor="c"),
    "the same photos": lambda server, page: found(truth(server), nextPage=str(page + 1), nextCursor=f"c{page}"),
    "empty pages": lambda _, page: found(nextPage=str(page + 1), nextCursor=f"c{page}"),
    "pages of nothing": lambda _, page: found(None, {}, 7, nextPage=str(page + 1), nextCursor=f"c{page}"),
}


@pytest.mark.parametrize("how", ENDLESS)
def test_pages_of_photos_that_say_nothing_new_end(server: Server, how: str) -> None:
    server.before(SEARCH, *[ENDLESS[how](server, page) for page in range(1, 30)])
    with opened(server) as library, pytest.raises(LibraryError, match="repeats itself or never ends"):
        faces(server, library)
    assert server.count(SEARCH) <= 3


@pytest.mark.parametrize("follows", ["1", "3", "x", 7, True, ["2"], "2\r\nX: y", "９"], ids=str)
def test_a_next_page_that_is_none_is_a_reason(server: Server, follows: object) -> None:
    """Photos that are not asked for would look as if they were gone."""
    cursor = follows if not isinstance(follows, str) else ["no text"]
    server.before(SEARCH, found(truth(server), nextPage=follows, nextCursor=cursor))
    with opened(server) as library, pytest.raises(LibraryError, match="repeats itself or never ends"):
        faces(server, library)
    assert server.count(SEARCH) == 1


def test_more_photos_without_a_cursor_to_them_are_a_reason(newest: Server, library: ImmichLibrary) -> None:
    newest.before(SEARCH, found(truth(newest), nextPage="2"))
    with pytest.raises(LibraryError, match="does not answer as Immich does"):
        faces(newest, library)


def test_photos_without_end_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are in the trash, which are not kept."""
    for name, most in (("MOST_PHOTOS", 5), ("MOST_MEMORY", 5000)):
        monkeypatch.undo()
        monkeypatch.setattr(search, name, most)
        server.asked.clear()
        server.faults.clear()
        for page in range(1, 20):
            items = [{"id": f"{page} {number}", "type": "IMAGE", "isTrashed": True} for number in range(4)]
            server.before(SEARCH, found(*items, nextPage=str(page + 1), nextCursor=str(page)))
        with opened(server) as library, pytest.raises(LibraryError, match="repeats itself or never ends"):
            faces(server, library)
        assert server.count(SEARCH) <= 3


def test_faces_beyond_those_that_are_kept_are_asked_for_anew(
    newest: Server, library: ImmichLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(immich_library, "MOST_KEPT", 0)
    assert faces(newest, library) == faces(newest, library)
    assert newest.count(r"faces\?") == 6


BOXES: dict[str, tuple[dict[str, object], bool]] = {
    "negative": ({"boundingBoxX1": -50, "boundingBoxY1": -9.5}, True),
    "larger than the picture": ({"boundingBoxX2": 10**9, "boundingBoxY2": 10**9}, True),
    "the wrong way round": ({"boundingBoxX1": 90, "boundingBoxX2": 10}, False),
    "no number": ({"boundingBoxX1": float("nan")}, False),
    "infinite": ({"boundingBoxX2": float("inf")}, False),
    "endless digits": ({"boundingBoxX2": 10**400}, False),
    "a text": ({"boundingBoxX1": "24"}, False),
    "nothing": ({"boundingBoxX1": None}, False),
    "on a picture without width": ({"imageWidth": 0}, False),
    "on one of less than nothing": ({"imageWidth": -96, "imageHeight": -64}, False),
    "on one of half a pixel": ({"imageWidth": 0.5}, False),
    "on one that is endless": ({"imageHeight": 10**400}, False),
    "on one that is huge": ({"imageHeight": 2**62}, False),
    "on one that is no number": ({"imageHeight": float("nan")}, False),
}


@pytest.mark.parametrize("how", BOXES)
def test_an_odd_box_is_one_faces_problem_and_no_others(project: Project, newest: Server, how: str) -> None:
    change, usable = BOXES[how]
    asset = next(iter(newest.immich.assets.values()))
    good, other = newest.face(asset.faces[0]), {"id": "other", "person": {"id": person(newest)}}
    whose = newest.person(newest.immich.people[0])
    answer = [{**good, **other, **change}, {**good, "person": whose}, {**good, "id": "", "person": whose}, 7, None]
    newest.before(f"faces.id={asset.id}", *[said(answer)] * 2)
    connected(project, newest)
    report = scan(project, "Person 1", API_KEY)
    assert report.faces == 4
    with project.store() as store:
        found = {face.marker_uid: face for face in Ledger(store).faces()}
    assert found.pop("other").problem == (None if usable else "the face box has no area inside the picture")
    assert [face.problem for face in found.values()] == [None] * 3


NAMES = ["../../../etc/passwd", "..", "/", "", ".", "a\0b.jpg", "\x1b[2J.jpg", "a\nb.jpg", "\ud800.jpg", "x" * 6000]


@pytest.mark.parametrize("name", NAMES, ids=[*"abcdefghij"])
def test_a_files_name_is_never_a_place(newest: Server, project: Project, name: str) -> None:
    newest.before(SEARCH, found(truth(newest, originalFileName=name), truth(newest, 1)))
    connected(project, newest)
    before = {path for path in project.root.parent.rglob("*") if project.root not in path.parents}
    report = scan(project, "Person 1", API_KEY)
    assert (report.faces, report.usable) == (2, 2)
    assert before == {path for path in project.root.parent.rglob("*") if project.root not in path.parents}
    fetched_ones = [path for path in project.cache.rglob("*") if path.is_file()]
    assert len(fetched_ones) == 2
    assert all(len(path.stem) == 40 and path.suffix in ("", ".jpg") for path in fetched_ones)
    with project.store() as store:
        told = [face.file_name for face in Ledger(store).faces()]
    assert all(".." not in each and each.count("/") == 1 and len(each) < 5100 for each in told)


def test_ids_are_sent_as_ids_whatever_they_are(newest: Server, library: ImmichLibrary) -> None:
    odd = "../people?x=1&y=/\r\nX: y\ud800 ä"
    newest.before(SEARCH, found(truth(newest, id=odd)))
    assert faces(newest, library) == []
    assert list(library.words([odd.replace("\ud800", "?")])) == []
    newest.before("people", said({"people": [{"id": odd, "name": "James"}]}))
    assert [each.faces for each in library.people()] == [0]
    assert {each.path.partition("?")[0] for each in newest.asked if "%" in each.path} == {
        "/api/faces",
        "/api/assets/..%2Fpeople%3Fx%3D1%26y%3D%2F%0D%0AX%3A%20y%3F%20%C3%A4",
        "/api/people/..%2Fpeople%3Fx%3D1%26y%3D%2F%0D%0AX%3A%20y%3F%20%C3%A4/statistics",
    }
    assert not any("x" in each.headers for each in newest.asked)


SUMS: list[object] = [None, 7, "", "no base64", "AAAA", base64.b64encode(bytes(19)).decode(), "ä" * 28, "A" * 6000]
SUMS += ["Li4vLi4vLi4vLi4vZXZpbA==", ["AAAA"]]


@pytest.mark.parametrize("checksum", SUMS, ids=lambda value: str(value)[:12])
def test_a_checksum_that_is_none_names_no_file(
    newest: Server, library: ImmichLibrary, tmp_path: Path, checksum: object
) -> None:
    newest.before(SEARCH, found(truth(newest, checksum=checksum)))
    (face,) = faces(newest, library)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LibraryError, match="has no checksum of the file"):
        fetch(library, face)
    assert sorted(tmp_path.rglob("*")) == before
    assert newest.count("original") == 0


@pytest.mark.parametrize("size", [3_000_000_000, 2**62, 1e15])
def test_a_photo_that_is_said_to_be_huge_is_not_fetched(newest: Server, library: ImmichLibrary, size: float) -> None:
    newest.before(SEARCH, found(truth(newest, exifInfo={"fileSizeInByte": size})))
    (face,) = faces(newest, library)
    with pytest.raises(LibraryError, match="too much for a photo: look at it in Immich") as refused:
        fetch(library, face)
    assert not isinstance(refused.value, NoPhotosNow)
    assert newest.count("original") == 0


@pytest.mark.parametrize("told", [1000, 0, -5, "many", 10**400], ids=lambda value: str(value)[:9])
@pytest.mark.parametrize("external", [False, True], ids=["ours", "external"])
def test_a_photo_without_end_is_stopped(
    newest: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: object, external: bool
) -> None:
    monkeypatch.setattr(originals, "MOST_BYTES", 200_000)
    chunked = Fault(200, {**JPEG, "Connection": "close"}, bytes(5_000_000), no_length=True)
    for fault in (chunked, Fault(200, JPEG, bytes(5_000_000))):
        newest.faults.clear()
        library_id = newest.immich.new_id() if external else None
        newest.before(SEARCH, found(truth(newest, exifInfo={"fileSizeInByte": told}, libraryId=library_id)))
        newest.before("original", fault)
        with opened(newest, tmp_path) as library:
            (face,) = faces(newest, library)
            with pytest.raises(LibraryError, match="it is longer" if told == 1000 else "too much for a photo"):
                fetch(library, face)
        assert fetched(tmp_path / "cache") == (0, 0)


def test_a_photo_that_is_refused_again_and_again_is_a_problem(newest: Server, library: ImmichLibrary) -> None:
    (face, *_) = faces(newest, library)
    newest.before("original", *[Fault(416)] * 9)
    with pytest.raises(LibraryError, match="not the one that Immich indexed") as refused:
        fetch(library, face)
    assert not isinstance(refused.value, NoPhotosNow)
    assert newest.count("original") == 2


def test_errors_words_are_short_and_whole(newest: Server, library: ImmichLibrary) -> None:
    for message in ("x" * 9000, ["x" * 900] * 900, {"a": "b"}, "\ud800 a\r\nb", 7, [None, "\ud800"]):
        told = {"message": message, "errors": [{"message": "y" * 900}, 7, None]}
        newest.before("people", Fault(400, body=json.dumps(told).encode()))
        with pytest.raises(LibraryError, match="answered 400") as refused:
            library.people()
        line = refused.value.one_line()
        assert len(line) < 400
        assert "\ud800" not in line
