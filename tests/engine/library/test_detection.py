"""What answers at a web address: Immich, PhotoPrism, a login in front of either, or something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.library.address import LibraryAddress, ServerKind, parse_address
from engine.library.detection import detect
from engine.library.web import session as web_session
from tests.support.immich_data import Immich
from tests.support.immich_server import VERSIONS, Fault, Server, running
from tests.support.photoprism import Index
from tests.support.photoprism_server import serving

PING, CONFIG = "/server/ping", "/api/v1/config"
PAGE = Fault(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><title>Log in</title>")


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_session, "FIRST_WAIT", 0.002)


@pytest.fixture
def server(immich: Immich) -> Iterator[Server]:
    with running(immich) as found:
        yield found


def found_at(url: str) -> LibraryAddress:
    return detect(parse_address(url))


@pytest.mark.parametrize("version", VERSIONS)
def test_immich_is_found_at_its_plain_address(immich: Immich, version: str) -> None:
    with running(immich, version) as server:
        address = found_at(server.url)
    assert (address.kind, address.url) == (ServerKind.IMMICH, f"immich+{server.url}")
    assert [each.path for each in server.asked] == [f"/api{PING}"]
    assert "x-api-key" not in server.asked[0].headers


@pytest.mark.parametrize(
    "page", ["/", "/api", "/api/", "/photos", "/people/5b0c?previousRoute=/people", "/search?query=%7B%7D", "/albums/1"]
)
def test_immich_is_found_by_the_address_of_any_of_its_pages(server: Server, page: str) -> None:
    assert found_at(f"{server.url}{page}").url == f"immich+{server.url}"


def test_immich_is_found_over_https_with_its_certificate(immich: Immich, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with running(immich, certificate=authority.issue_cert("127.0.0.1")) as server:
        with pytest.raises(HostUnreachable, match=r"can't be trusted .*\?ssl_ca=/path/ca.pem"):
            found_at(server.url)
        address = found_at(f"{server.url}/photos?ssl_ca={tmp_path}/ca.pem")
    assert address.url == f"immich+{server.url}?ssl_ca={tmp_path}/ca.pem"


@pytest.mark.parametrize("open_to_all", [False, True])
@pytest.mark.parametrize("page", ["", "/library/browse", "/api/v1"])
def test_photoprism_is_found_and_its_address_stays(tmp_path: Path, open_to_all: bool, page: str) -> None:
    with serving(Index(), tmp_path, tmp_path) as prism:
        prism.open_to_all = open_to_all
        address = parse_address(f"{prism.url.replace('://', '://james@')}{page}")
        assert detect(address) == address
    assert address.kind == ServerKind.HTTP
    assert {method for method, _, _ in prism.asked} == {"GET"}
    assert not any("X-Auth-Token" in headers for _, _, headers in prism.asked)


def test_what_is_no_plain_web_address_is_not_asked(server: Server, tmp_path: Path) -> None:
    for url in (f"immich+{server.url}", "mysql://james@127.0.0.1:1/photoprism", f"folder://{tmp_path}"):
        assert found_at(url) == parse_address(url)
    assert server.asked == []


@pytest.mark.parametrize(
    "fault",
    [
        PAGE,
        Fault(404, body=b"not found"),
        Fault(404, {"Content-Type": "application/json"}, b'{"message":"Cannot GET /","statusCode":404}'),
        Fault(200, body=b'{"res":"ping"}'),
        Fault(200, body=b'"pong"'),
        Fault(200, body=b"[" * 100_000),
        Fault(500, body=b"\xff\xfe"),
        Fault(204),
    ],
    ids=["a page", "nothing", "another interface", "not quite", "a word", "depths", "an error", "no words"],
)
def test_what_is_neither_is_told(server: Server, fault: Fault) -> None:
    server.before("/api/", *[fault] * 2 * web_session.TRIES)
    with pytest.raises(LibraryError) as refused:
        found_at(server.url)
    assert refused.value.one_line() == (
        f"neither Immich nor PhotoPrism answers at {server.url}: give the address that your browser shows for it;"
        " where a login stands in front of it, let /api/ pass there"
    )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(401, {"WWW-Authenticate": 'Basic realm="nas"'}), "the proxy asks for Basic"),
        (Fault(407, {"WWW-Authenticate": "Negotiate"}), "the proxy asks for Negotiate"),
        (Fault(302, {"Location": "https://auth.example.com/?rd=https%3A%2F%2Fa"}), "to https://auth.example.com"),
        (Fault(302, {"Location": "https://id.example.com/oauth2/start"}), "to https://id.example.com"),
        (Fault(303, {"Location": "https://nas.cloudflareaccess.com/cdn-cgi/x"}), "to https://nas.cloudflareaccess.com"),
        (Fault(302, {"Location": "/login"}), "to {there}"),
        (Fault(307, {"Location": "https://sso.example.com/if/flow/default/"}), "to https://sso.example.com"),
    ],
    ids=["basic", "negotiate", "authelia", "oauth2-proxy", "cloudflare", "its own", "sso"],
)
def test_a_login_in_front_is_named(server: Server, fault: Fault, words: str) -> None:
    server.before("/api/", *[fault] * 2)
    with pytest.raises(WrongPassword) as refused:
        found_at(server.url)
    assert refused.value.what.startswith(f"a login stands in front of {server.url}: ")
    assert refused.value.what.endswith(words.format(there=server.url))
    assert refused.value.fix.startswith("let /api/ pass there")


@pytest.mark.parametrize(
    "there", ["https://127.0.0.1:2283", "https://lessons.example.com", "https://author.example.com"]
)
def test_a_redirection_to_another_address_is_told(server: Server, there: str) -> None:
    """As from http:// to https://. It is not followed."""
    server.before("/api/", Fault(301, {"Location": f"{there}/api{PING}"}))
    with pytest.raises(NotALibrary) as refused:
        found_at(server.url)
    assert refused.value.one_line() == (
        f"{server.url} redirects to {there}: limner connect {there}, if that is your library"
    )
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "there",
    ["http://[::1/photos", "//", "", "\x1b[2J", "a" * 100_000, "http://" + "a" * 60_000],
    ids=["half an address", "slashes", "nothing", "control", "a long line", "a long host"],
)
def test_a_redirection_to_nowhere_is_one_short_line(server: Server, there: str) -> None:
    server.before("/api/", *[Fault(302, {"Location": there})] * 2 * web_session.TRIES)
    with pytest.raises(LibraryError) as refused:
        found_at(server.url)
    assert len(refused.value.one_line()) < 5000
    assert "\x1b" not in refused.value.one_line()


def test_a_server_that_is_down_or_busy_is_told(server: Server) -> None:
    server.before("/api/", *[Fault(503)] * web_session.TRIES)
    with pytest.raises(HostUnreachable, match=r"is not running \(503\)"):
        found_at(server.url)
    server.before("/api/", Fault(429, {"Retry-After": "0"}), Fault(502))
    assert found_at(server.url).kind == ServerKind.IMMICH
    server.before("/api/", Fault(200, body=json.dumps({"res": "pong"}).encode(), cut_after=4))
    with pytest.raises(LibraryError):
        found_at(server.url)
