"""The server that stands in for Immich: what its versions answer, and how they differ."""

from __future__ import annotations

import base64
import copy
import hashlib
import http.client
import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from tests.support.immich_data import Immich, many_assets, small_library
from tests.support.immich_server import API_KEY, READING, VERSIONS, Fault, Server, apart, running

SEARCH = "/api/search/metadata"
LATER = [version for version in VERSIONS if version.startswith("3")]
EARLIER = [version for version in VERSIONS if not version.startswith("3")]


class Said(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def names(self) -> list[str]:
        return [each["originalFileName"] for each in self.json["assets"]["items"]]


def ask(
    server: Server, path: str, body: object = None, method: str = "", key: str | None = API_KEY, **headers: str
) -> Said:
    told = {"Content-Type": "application/json", **headers, **({"x-api-key": key} if key else {})}
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    sent = None if body is None else json.dumps(body)
    connection.request(method or ("GET" if body is None else "POST"), path, sent, told)
    answer = connection.getresponse()
    said = Said(answer.status, answer.read(), dict(answer.headers))
    connection.close()
    return said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Immich:
    return small_library(tmp_path_factory.mktemp("immich"))


@pytest.fixture
def immich(made: Immich) -> Immich:
    """The small library, to change at will."""
    return copy.deepcopy(made)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_says_what_it_is_without_a_key(immich: Immich, version: str) -> None:
    with running(immich, version) as server:
        told = ask(server, "/api/server/version", key=None).json
        assert ".".join(str(told[part]) for part in ("major", "minor", "patch")) == version
        assert ("prerelease" in told) == (version in LATER)
        assert ask(server, "/api/server/ping", key=None).json == {"res": "pong"}
        assert ask(server, "/.well-known/immich", key=None).json == {"api": {"endpoint": "/api"}}
        assert ask(server, "/api/nothing").json["message"] == "Cannot GET /api/nothing"
        assert ask(server, "/photos", key=None).headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_opens_what_its_permissions_say(immich: Immich, version: str) -> None:
    asset = next(iter(immich.assets))
    with running(immich, version, permissions=READING - {"face.read"}) as server:
        assert ask(server, "/api/people", key=None).json["message"] == "Authentication required"
        assert ask(server, f"/api/people?apiKey={API_KEY}", key=None).status == 401
        wrong = ask(server, "/api/people", key="wrong")
        assert (wrong.status, wrong.json["message"]) == (401, "Invalid API key")
        assert ("statusCode" in wrong.json) == ("correlationId" in wrong.json) == (version in EARLIER)
        lacking = ask(server, f"/api/faces?id={asset}")
        assert (lacking.status, lacking.json["message"]) == (403, "Missing required permission: face.read")
        assert ask(server, f"/api/assets/{asset}/thumbnail").status == 403
        assert ask(server, f"/api/assets/{asset}").status == 200


def test_people_come_page_by_page_the_hidden_ones_if_asked_for(immich: Immich) -> None:
    with running(immich) as server:
        told = ask(server, "/api/people").json
        assert [each["name"] for each in told["people"]] == ["Eileen", "Grace", "Anna", "Anna", ""]
        assert (told["total"], told["hidden"], told["hasNextPage"]) == (7, 1, False)
        last = ask(server, "/api/people?withHidden=true&size=5&page=2").json["people"]
        assert [(each["name"], each["isHidden"]) for each in last] == [("Harry", True)]
        assert ask(server, "/api/people?size=1001").json["message"] == "Validation failed"
        eileen = told["people"][0]
        assert ask(server, f"/api/people/{eileen['id']}").json == eileen
        # A video counts, archived and trashed photos do not.
        assert ask(server, f"/api/people/{eileen['id']}/statistics").json == {"assets": 9}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flat_search_means_everybody_and_leaves_out_the_trash(immich: Immich, version: str) -> None:
    eileen, grace = immich.find_person("Eileen").id, immich.find_person("Grace").id
    with running(immich, version) as server:
        assert ask(server, SEARCH, {"personIds": [eileen, grace]}).names == ["together.jpg"]
        photos = ask(server, SEARCH, {"personIds": [eileen], "type": "IMAGE", "unheard-of": 1}).names
        assert ("archived.jpg" in photos) == (version in LATER)
        assert not {"trashed.jpg", "clip.mp4"} & set(photos)
        with_trash = ask(server, SEARCH, {"personIds": [eileen], "withDeleted": True}).names
        assert {"trashed.jpg", "clip.mp4"} <= set(with_trash)
        first = ask(server, SEARCH, {"size": 5}).json["assets"]
        assert (first["count"], first["total"], first["nextPage"]) == (5, 5, "2")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_structured_search_is_dropped_where_it_is_not_known(immich: Immich, version: str) -> None:
    grace = immich.find_person("Grace").id
    only = {"personIds": {"any": [grace]}, "type": {"eq": "IMAGE"}}
    with running(immich, version) as server:
        found = ask(server, SEARCH, {"filter": only}).names
        assert (set(found) == {"grace.jpg", "mirrored.jpg", "together.jpg"}) == (version == "3.3.5")
        assert version == "3.3.5" or len(found) > 15


def test_a_structured_search_has_all_but_what_its_filter_says(immich: Immich) -> None:
    with running(immich) as server:
        names = set(ask(server, SEARCH, {"filter": {}, "size": 1000}).names)
        assert {"trashed.jpg", "archived.jpg", "live.mov"} <= names
        shown = {"trashedAt": {"eq": None}, "visibility": {"eq": "timeline"}}
        rest = set(ask(server, SEARCH, {"filter": shown, "size": 1000}).names)
        assert names - rest == {"trashed.jpg", "archived.jpg", "live.mov"}
        listed, cursor = list[str](), dict[str, Any]()
        while len(listed) < len(rest):
            said = ask(server, SEARCH, {"filter": shown, "size": 7, **cursor})
            listed += said.names
            cursor = {"cursor": said.json["assets"]["nextCursor"]}
        assert cursor == {"cursor": None}
        assert (set(listed), len(listed)) == (rest, len(rest))
        for more, words in (
            ({"page": 1}, "Deprecated field page cannot be combined with filter"),
            ({"filter": {"path": {"eq": "x"}}}, 'Unrecognized key: "path"'),
        ):
            assert ask(server, SEARCH, {"filter": shown, **more}).json["errors"][0]["message"] == words
        bad = ask(server, SEARCH, {"filter": shown, "cursor": "2"})
        assert (bad.status, bad.json) == (400, {"message": "Invalid cursor"})


@pytest.mark.parametrize("version", VERSIONS)
def test_types_are_strict_since_version_3(immich: Immich, version: str) -> None:
    with running(immich, version) as server:
        lenient = ask(server, SEARCH, {"size": "3", "withExif": "true"})
        assert (lenient.status == 200) == (version in EARLIER)
        if version in LATER:
            assert lenient.json["errors"][0]["path"] == ["size"]
            assert lenient.json["errors"][0]["message"] == "Invalid input: expected number, received string"
        wrong = ask(server, SEARCH, {"personIds": ["nobody"]}).json
        words = wrong["errors"][0]["message"] if version in LATER else wrong["message"][0]
        assert words == ("Invalid UUID" if version in LATER else "each value in personIds must be a UUID")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_asset_is_told_as_its_version_tells_it(immich: Immich, version: str) -> None:
    turned = immich.find_asset("turned.jpg")
    with running(immich, version) as server:
        found = ask(server, SEARCH, {"withExif": True, "withPeople": True}).json["assets"]["items"]
        told = next(each for each in found if each["id"] == turned.id)
        exif = told["exifInfo"]
        assert (exif["exifImageWidth"], exif["exifImageHeight"], exif["orientation"]) == (512, 400, "6")
        assert ("visibility" in told) == (version != "1.132.3")
        assert ("deviceId" in told) == ("faces" in told["people"][0]) == (version in EARLIER)
        assert told["duration"] == ("0:00:00.00000" if version in EARLIER else None)
        upright = (told.get("width"), told.get("height"))
        assert upright == ((400, 512) if version in ("2.7.5", *LATER) else (None, None))
        assert ask(server, f"/api/assets/{turned.id}").json["checksum"] == told["checksum"]


def test_faces_are_in_pixels_of_the_upright_and_edited_picture(immich: Immich) -> None:
    def faces(name: str) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = ask(server, f"/api/faces?id={immich.find_asset(name).id}").json
        return said

    with running(immich) as server:
        assert [each["imageWidth"] for each in faces("plain.jpg")] == [1440]
        assert [(each["imageWidth"], each["imageHeight"]) for each in faces("turned.jpg")] == [(400, 512)]
        assert [each["boundingBoxX1"] for each in faces("edge.jpg")] == [-18]
        assert [each["boundingBoxX1"] for each in faces("cropped.jpg")] == [81.25]
        assert [each["person"] and each["person"]["name"] for each in faces("visitors.jpg")] == ["Anna", None]
        assert [each["person"]["isHidden"] for each in faces("together.jpg")] == [False, False, True]
        assert [each["sourceType"] for each in [*faces("tagged.jpg"), *faces("mirrored.jpg")]] == ["exif", "manual"]


@pytest.mark.parametrize("version", ["1.132.3", "3.3.5"])
def test_an_original_comes_whole_in_parts_or_edited(immich: Immich, version: str) -> None:
    asset, gone = immich.find_asset("cropped.jpg"), immich.find_asset("missing.jpg")
    whole, path = asset.path.read_bytes(), f"/api/assets/{asset.id}/original"
    with running(immich, version) as server:
        said = ask(server, path)
        assert said.body == whole
        assert base64.b64encode(hashlib.sha1(said.body).digest()).decode() == asset.checksum
        assert said.headers["Content-Disposition"] == "inline; filename*=UTF-8''cropped.jpg"
        part = ask(server, path, Range="bytes=1000-1999", **{"If-Range": said.headers["ETag"]})
        assert (part.status, part.body) == (206, whole[1000:2000])
        assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole)}"
        assert ask(server, path, Range=f"bytes={len(whole)}-").status == 416
        edited = ask(server, f"{path}?edited=true").body
        assert asset.edited is not None
        assert edited == (asset.edited.read_bytes() if version in LATER else whole)
        assert ask(server, f"/api/assets/{gone.id}/original").status == (404 if version in LATER else 500)
        immich.delete(gone)
        missing = ask(server, f"/api/assets/{gone.id}/original")
        assert (missing.status, missing.json["message"]) == (400, "Not found or no asset.download access")


def test_what_the_owner_does_is_told_from_then_on(immich: Immich) -> None:
    anna, other = (each for each in immich.people if each.name == "Anna")
    often = next(each for each in immich.people if not each.name)
    with running(immich) as server:
        immich.merge(anna, other)
        immich.rename(often, "Olive")
        immich.reassign(immich.faces_of(often)[0], anna)
        immich.trash(immich.find_asset("visitors.jpg"))
        immich.archive(immich.find_asset("tagged.jpg"))
        names = [each["name"] for each in ask(server, "/api/people").json["people"]]
        assert names == ["Eileen", "Grace", "Olive", "Anna"]
        said = ask(server, SEARCH, {"filter": {"personIds": {"any": [anna.id]}}})
        assert set(said.names) == {"visitors.jpg", "tagged.jpg", "crowd-1.jpg"}
        assert ask(server, f"/api/people/{other.id}").status == 400


def test_what_would_write_is_refused_and_remembered(immich: Immich) -> None:
    with running(immich) as server:
        ask(server, SEARCH, {})
        assert ask(server, "/api/people", {"name": "New"}).status == 418
        assert ask(server, "/api/assets", method="DELETE").status == 418
        assert [(each.method, each.path) for each in server.writes] == [
            ("POST", "/api/people"),
            ("DELETE", "/api/assets"),
        ]
        assert server.writes[0].body == b'{"name": "New"}'
        assert (len(server.asked), server.count("search"), server.most_at_once) == (3, 1, 1)


def test_faults_come_before_the_next_answers(immich: Immich) -> None:
    path = f"/api/assets/{immich.find_asset('grace.jpg').id}/original"
    with running(immich) as server:
        server.before("original", Fault(503, {"Retry-After": "1"}), Fault(cut_after=10), Fault(ignore_range=True))
        assert ask(server, path).status == 503
        with pytest.raises(http.client.IncompleteRead):
            ask(server, path)
        assert ask(server, path, Range="bytes=5-").status == 200
        assert ask(server, path, Range="bytes=5-").status == 206
        server.before("people", Fault(no_length=True))
        said = ask(server, "/api/people")
        assert "Content-Length" not in said.headers
        assert said.json["total"] == 7


def test_a_connection_is_kept_and_ends_with_the_server(immich: Immich) -> None:
    with running(immich) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.connect()
        mine = connection.sock
        for _ in range(3):
            connection.request("GET", "/api/server/ping")
            connection.getresponse().read()
        assert connection.sock is mine
    connection.request("GET", "/api/server/ping")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.getresponse()


def test_a_certificate_makes_it_https(immich: Immich) -> None:
    authority, context = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(context)
    with (
        running(immich, certificate=authority.issue_cert("127.0.0.1")) as server,
        urllib.request.urlopen(f"{server.url}/api/server/ping", context=context) as answer,
    ):
        assert json.load(answer) == {"res": "pong"}


def test_many_assets_differ_though_they_share_files(tmp_path: Path) -> None:
    immich = many_assets(tmp_path, people=2, faces=30)
    assert len({each.checksum for each in immich.assets.values()}) == 30
    assert len({each.path for each in immich.assets.values()}) == 3
    with running(immich) as server:
        for asset in list(immich.assets.values())[:4]:
            body = ask(server, f"/api/assets/{asset.id}/original").body
            assert hashlib.sha1(body).hexdigest() == asset.sha1
        assert [each["name"] for each in ask(server, "/api/people").json["people"]] == ["Person 1", "Person 2"]


def test_it_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    with apart("--people", "1", "--faces", "12", "--version", "2.7.5") as url:
        server = Server(many_assets(tmp_path, faces=0), url=url)
        assert ask(server, "/api/server/version").json["minor"] == 7
        assert len(ask(server, SEARCH, {"size": 1000}).names) == 12
