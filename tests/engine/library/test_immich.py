"""An Immich library: people, their photos and faces, in each version; what a key may; what no question ever does."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.library.immich import library as immich_library
from engine.library.immich import search
from engine.library.immich.permissions import Permission
from engine.library.immich.records import ImmichPerson, person_of
from engine.library.people import find_person
from engine.library.web import session as web_session
from engine.secrets import without_secrets
from tests.support.immich_data import Immich
from tests.support.immich_library import faces_of, fetch, opened
from tests.support.immich_server import API_KEY, READING, VERSIONS, Fault, Server, running

SEARCH = "/api/search/metadata"
SHOWN = ["plain.jpg", "turned.jpg", "cropped.jpg", "edge.jpg", "missing.jpg", "live.jpg", "raw.dng", "together.jpg"]
"""The photos in the timeline that Eileen is on, oldest first."""

BUSY = Fault(429, {"Retry-After": "0"}, b"slow down")


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_session, "FIRST_WAIT", 0.002)


@pytest.fixture(params=VERSIONS)
def server(immich: Immich, request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(immich, request.param) as found:
        yield found


@pytest.fixture
def newest(immich: Immich) -> Iterator[Server]:
    with running(immich) as found:
        yield found


def test_people_with_a_name_are_listed_most_photos_first(server: Server) -> None:
    with opened(server) as library:
        people = library.people()
        described = library.describe()
    assert [each.name for each in people] == ["Eileen", "Grace", "Anna", "Anna"]
    # Photos and videos in the timeline, as Immich itself counts.
    assert [each.faces for each in people] == [9, 3, 1, 1]
    assert {each.confirmed for each in people} == {None}
    assert described.line == f"over HTTP · Immich {server.version} · read-only · 14 faces"
    assert described.notes == ("1 person has no name yet and can't be scanned: name them in Immich",)
    assert described.may == "the key may read people, their counts, faces, photos' data, downloads"


def test_hidden_people_are_listed_where_private_photos_count(server: Server) -> None:
    with opened(server, private=True) as library:
        assert "Harry" in [each.name for each in library.people()]


def test_many_people_come_page_by_page(newest: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(immich_library, "PAGE", 2)
    with opened(newest) as library:
        assert [each.name for each in library.people()] == ["Eileen", "Grace", "Anna", "Anna"]
        asked = len(newest.asked)
        assert [each.name for each in library.people()] == ["Eileen", "Grace", "Anna", "Anna"]
    assert len(newest.asked) == asked, "they are asked for once"
    assert newest.count(r"people\?page=3&") == 1


def test_of_two_people_of_one_name_an_id_is_asked_for(server: Server) -> None:
    ids = [each.id for each in server.immich.people if each.name == "Anna"]
    with opened(server) as library:
        people = library.people()
        with pytest.raises(LibraryError, match="2 people are called anna: give one's id instead") as refused:
            find_person(people, "anna")
        assert all(uid in refused.value.one_line() for uid in ids)
        assert find_person(people, ids[1]).id == ids[1]


def test_only_photos_of_the_timeline_are_searched(server: Server) -> None:
    with opened(server) as library:
        assert list(faces_of(library, "Eileen")) == SHOWN


def test_archived_photos_are_there_where_private_ones_count(server: Server) -> None:
    with opened(server, private=True) as library:
        found = list(faces_of(library, "Eileen"))
    assert sorted(found) == sorted([*SHOWN, "archived.jpg"])
    assert found.index("archived.jpg") == 4


def test_photos_come_page_by_page_and_each_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 3)
    with opened(server) as library:
        assert list(faces_of(library, "Eileen")) == SHOWN
        # Of all that a page holds a part is left out; so may be a whole page.
        monkeypatch.setattr(search, "PAGE", 1)
        with opened(server, private=True) as again:
            assert len(faces_of(again, "Eileen")) == len(SHOWN) + 1


def test_each_version_is_asked_in_the_form_that_it_takes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 3)
    with opened(server, private=True) as library:
        faces_of(library, "Eileen")
    bodies = [json.loads(each.body) for each in server.asked if each.path == SEARCH]
    structured = server.v >= (3, 2)
    assert len(bodies) > 2
    for body in bodies:
        assert ("filter" in body) is structured
        assert ("page" in body or "personIds" in body) is not structured
        ids = body["filter"]["personIds"]["any"] if structured else body["personIds"]
        assert [uuid.UUID(each).version for each in ids] == [4]
        assert (type(body["size"]), body["withExif"]) == (int, True)
        if structured:
            assert body["filter"]["trashedAt"] == {"eq": None}
        else:
            assert type(body["page"]) is int
    assert {"cursor" in body for body in bodies} == ({True, False} if structured else {False})


def test_boxes_are_shares_of_the_upright_picture(server: Server) -> None:
    with opened(server) as library:
        faces = faces_of(library, "Eileen")
    # The photo has 1600 pixels a side, and its preview 1440.
    assert faces["plain.jpg"].box == pytest.approx((511 / 1440, 177 / 1440, 242 / 1440, 312 / 1440))
    assert faces["plain.jpg"].measured_on == (1440, 1440)
    assert faces["turned.jpg"].measured_on == (400, 512)
    assert faces["turned.jpg"].box == pytest.approx((0.455, 0.123, 0.215, 0.217), abs=0.003)
    # Immich says that it begins left of the picture.
    assert faces["edge.jpg"].box == pytest.approx((0, 63.5 / 512, 68.25 / 312, 110.5 / 512))
    assert {name for name, face in faces.items() if face.to_prove} == ({"cropped.jpg"} if server.v >= (2, 5) else set())


def test_others_on_a_photo_are_counted_whoever_has_them(server: Server) -> None:
    """Immich does not say who a face of another user's people is, nor of a hidden one."""
    with opened(server) as library:
        assert faces_of(library, "Eileen")["together.jpg"].neighbours == 2
        anna = find_person(library.people(), server.immich.find_person("Anna").id)
        (visitor,) = library.faces(anna)
        assert visitor.neighbours == 1
        assert len(list(library.markers_beside(anna))) == 2
        assert len({marker.file_uid for marker in library.markers_beside(anna)}) == 1


def test_only_faces_that_a_person_drew_count_as_confirmed(server: Server) -> None:
    with opened(server) as library:
        grace = faces_of(library, "Grace")
        assert {name: face.confirmed for name, face in grace.items()} == {
            "grace.jpg": False,
            "mirrored.jpg": True,
            "together.jpg": False,
        }
        tagged = next(each for each in library.people() if each.id != server.immich.find_person("Anna").id)
        assert tagged.name == "Eileen"
        anna = [each for each in library.people() if each.name == "Anna"]
        assert sorted(face.confirmed for each in anna for face in library.faces(each)) == [False, True]


def test_photos_without_a_face_of_the_person_are_told(newest: Server) -> None:
    eileen = newest.immich.find_person("Eileen")
    live = newest.immich.find_asset("live.jpg").faces[0]
    with opened(newest) as library:
        # Immich's search is behind what it says of a photo, for a while.
        newest.before(f"faces.id={newest.immich.find_asset('plain.jpg').id}", Fault(200, body=b"[]"))
        faces = list(library.faces(eileen.id))
        assert library.cautions() == ("1 photo was found for this person without a face of theirs: left out",)
    assert len(faces) == len(SHOWN) - 1
    live.deleted = True
    with opened(newest) as library:
        assert "live.jpg" not in faces_of(library, "Eileen")
        assert library.cautions() == ()


def test_a_photo_that_goes_away_while_it_is_read_is_left_out(server: Server) -> None:
    with opened(server) as library:
        server.before(r"faces\?", Fault(400, body=b'{"message":"Not found or no asset.read access"}'))
        assert len(faces_of(library, "Eileen")) == len(SHOWN) - 1


def test_tags_and_towns_are_told_as_words(newest: Server) -> None:
    plain, gone = newest.immich.find_asset("plain.jpg"), newest.immich.new_id()
    told = {"id": plain.id, "tags": [{"name": "Beach", "value": "Places/Beach"}], "exifInfo": {"city": "Berlin"}}
    newest.before(f"assets/{plain.id}$", Fault(200, body=json.dumps(told).encode()))
    with opened(newest) as library:
        (words,) = library.words([plain.id, gone])
    assert (words.photo_uid, words.labels, words.place) == (plain.id, ("Beach",), "Berlin")


def test_all_photos_with_named_faces_are_listed_once(newest: Server) -> None:
    with opened(newest) as library:
        names = [name.rpartition("/")[2] for _, name in library.files()]
    assert sorted(names) == sorted([*SHOWN, "grace.jpg", "mirrored.jpg", "visitors.jpg", "tagged.jpg"])


@pytest.mark.parametrize("lacking", Permission)
def test_a_permission_that_a_key_lacks_is_named_with_all_five(
    newest: Server, lacking: Permission, tmp_path: Path
) -> None:
    newest.permissions = READING - {lacking}
    with opened(newest) as library, pytest.raises(WrongPassword) as refused:
        library.describe()
    assert refused.value.what == f"the API key lacks the permission {lacking}"
    assert all(each in refused.value.fix for each in READING)
    with opened(newest, tmp_path) as library, pytest.raises(LibraryError, match=f"lacks the permission {lacking}"):
        fetch(library, faces_of(library, "Eileen")["plain.jpg"])


def test_all_permissions_that_a_key_lacks_are_named_at_once(newest: Server) -> None:
    newest.permissions = frozenset({"person.read", "asset.read"})
    with opened(newest) as library, pytest.raises(WrongPassword) as refused:
        library.describe()
    assert refused.value.what == "the API key lacks person.statistics, face.read, asset.download"


def test_who_has_no_key_or_a_wrong_one_is_told_what_to_do(server: Server) -> None:
    with opened(server, key=None) as library:
        with pytest.raises(WrongPassword, match=r"requires an API key: set LIMNER_IMMICH_KEY .* person.read, "):
            library.people()
        with pytest.raises(WrongPassword, match="requires an API key"):
            library.describe()
    with (
        opened(server, key="wrong") as library,
        pytest.raises(WrongPassword, match="refused the API key: make a new one"),
    ):
        library.describe()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(401, {"WWW-Authenticate": "Basic"}, b"<html>"), "a login stands in front of .* let /api/ pass"),
        (Fault(302, {"Location": "https://auth.example.com/?rd=x"}), "redirects to https://auth.example.com"),
        (Fault(200, {"Content-Type": "text/html"}, b"<html>log in"), "sent a web page, as a login does .* let /api/"),
        (Fault(403, body=b"<html>blocked</html>"), "lets this key see no photos"),
    ],
    ids=["a proxy's", "elsewhere", "a page", "a wall"],
)
def test_a_login_in_front_of_immich_is_told(newest: Server, fault: Fault, words: str) -> None:
    newest.before("version", fault)
    with pytest.raises(LibraryError, match=words):
        opened(newest)
    with opened(newest) as library:
        newest.before("people", fault)
        with pytest.raises(LibraryError, match=words):
            library.people()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (b'{"major":1,"minor":131,"patch":3}', "is Immich 1.131.3, which is too old: update it to 1.132 or later"),
        (b'{"version":"4.1"}', "is not Immich: give the address"),
        (b'{"major":true}', "which is too old"),
        (b"[]", "is not Immich"),
    ],
)
def test_what_is_no_immich_or_too_old_is_told(newest: Server, told: bytes, words: str) -> None:
    newest.before("version", Fault(200, body=told))
    with pytest.raises(NotALibrary, match=re.escape(words)):
        opened(newest)


def test_a_busy_or_failing_server_is_asked_again(newest: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    monkeypatch.setattr(web_session, "rest", lambda seconds, _: waits.append(seconds))
    newest.before("version", Fault(503), Fault(200, body=b'{"major":3}', cut_after=3))
    with opened(newest) as library:
        newest.before("people", Fault(429, {"Retry-After": "17"}), Fault(502), Fault(200, body=b"{}", cut_after=1))
        newest.before(SEARCH, BUSY)
        newest.before("faces", BUSY, Fault(503))
        assert list(faces_of(library, "Eileen")) == SHOWN
        assert 17.0 in waits
    newest.before("statistics", *[BUSY] * 6 * web_session.TRIES)
    with (
        opened(newest) as library,
        pytest.raises(HostUnreachable, match="limits requests: try again in a few minutes"),
    ):
        library.people()


def test_what_breaks_off_while_a_key_is_tried_is_asked_again(newest: Server) -> None:
    half = Fault(200, {"Transfer-Encoding": "chunked", "Connection": "close"}, b"ff\r\n[", no_length=True)
    with opened(newest) as library:
        newest.before(r"people\?page=1&size=1$", half)
        assert library.describe().version == newest.version


def test_no_more_than_four_questions_are_under_way_at_once(newest: Server, tmp_path: Path) -> None:
    newest.wait = 0.01
    with opened(newest, tmp_path) as library:
        library.describe()
        faces = faces_of(library, "Grace")
        with ThreadPoolExecutor(12) as pool:
            paths = list(pool.map(lambda face: fetch(library, face), [*faces.values()] * 4))
        list(library.words([face.photo_uid for face in faces_of(library, "Eileen").values()]))
    assert len(set(paths)) == len(faces)
    assert newest.most_at_once == web_session.AT_ONCE


def test_the_whole_way_is_only_read_and_the_key_is_in_one_header(server: Server, tmp_path: Path) -> None:
    with opened(server, tmp_path, private=True) as library:
        library.describe()
        faces = faces_of(library, "Grace")
        for face in faces.values():
            fetch(library, face)
        list(library.embeddings([face.marker_uid for face in faces.values()]))
        list(library.markers_beside(next(iter(faces.values())).person_uid))
        list(library.words([face.photo_uid for face in faces.values()]))
        list(library.files())
    assert server.writes == []
    assert {(each.method, each.path if each.method != "GET" else "") for each in server.asked} == {
        ("GET", ""),
        ("POST", SEARCH),
    }
    for each in server.asked:
        assert API_KEY not in each.path
        assert API_KEY.encode() not in each.body
        assert "cookie" not in each.headers
        assert "authorization" not in each.headers
        others = [value for name, value in each.headers.items() if name != "x-api-key"]
        assert API_KEY not in " ".join(others)
        assert each.headers.get("x-api-key") == (None if "version" in each.path else API_KEY)


def test_a_key_is_taken_nowhere_by_a_redirect(newest: Server, immich: Immich) -> None:
    with running(immich) as elsewhere, opened(newest) as library:
        for path in ("people", SEARCH, "faces"):
            newest.faults.clear()
            newest.before(path, Fault(307, {"Location": f"{elsewhere.url}/api/people"}))
            with pytest.raises(NotALibrary, match="redirects to"):
                faces_of(library, "Eileen")
        assert elsewhere.asked == []


def test_a_key_is_a_secret_that_no_message_shows(newest: Server) -> None:
    with opened(newest) as library:
        assert without_secrets(f"GET /api/people {API_KEY}") == "GET /api/people •••"
        newest.before("people", Fault(400, body=json.dumps({"message": f"bad key {API_KEY}"}).encode()))
        with pytest.raises(LibraryError) as refused:
            library.people()
    assert API_KEY not in refused.value.one_line()


def test_a_key_that_no_header_can_carry_is_refused(newest: Server) -> None:
    with pytest.raises(LibraryError, match="the API key"):
        opened(newest, key="a\r\nX-Evil: b")
    assert newest.asked == []


def test_a_persons_name_is_one_line() -> None:
    assert person_of({"id": "a", "name": " Ann\n Lee ", "isHidden": "no"}) == ImmichPerson("a", "Ann Lee", False)
