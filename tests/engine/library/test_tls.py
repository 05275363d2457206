"""Whether others on the way can read what is asked of a MariaDB, and whether it is the right one that answers."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from engine.errors import HostUnreachable, LibraryError
from engine.library.address import Tls, parse_address
from engine.library.connection.tunnel import tunnel_to
from engine.library.photoprism_sql.library import PhotoPrismLibrary
from engine.library.photoprism_sql.opening import encrypted
from engine.library.registry import connect
from engine.settings import LibrarySettings
from tests.support.mariadb import MariaServer, running_server
from tests.support.photoprism import Index

FAR = "mariadb.example.com"
"""Another machine, as far as its name tells; the tests' resolver knows that it is this one."""


@dataclass(frozen=True)
class Authority:
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    ours = trustme.CA()
    issued = ours.issue_cert("127.0.0.1", FAR)
    ours.cert_pem.write_to_path(folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "server.pem")
    issued.private_key_pem.write_to_path(folder / "server.key")
    trustme.CA().cert_pem.write_to_path(folder / "others.pem")
    return Authority(folder)


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[MariaServer]:
    folder = authority.folder
    with running_server(f"--ssl-cert={folder / 'server.pem'}", f"--ssl-key={folder / 'server.key'}") as found:
        yield found


@pytest.fixture(scope="module")
def secure_url(secure: MariaServer) -> str:
    return _url(secure)


@pytest.fixture(scope="module")
def plain_url(server: MariaServer) -> str:
    return _url(server)


@pytest.fixture(autouse=True)
def far_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == FAR else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def _url(server: MariaServer) -> str:
    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    return index.to_mariadb(server, "encrypted")


def _opened(url: str) -> PhotoPrismLibrary:
    found = connect(LibrarySettings(url=url), "insecure")
    assert isinstance(found, PhotoPrismLibrary)
    return found


def _far(url: str) -> str:
    return url.replace("127.0.0.1", FAR)


def test_a_server_that_is_verified_is_talked_to_in_private(secure_url: str, authority: Authority) -> None:
    for url in (secure_url, _far(secure_url)):
        with _opened(f"{url}?ssl_ca={authority.certificate}") as library:
            assert encrypted(library.connection)
            assert library.connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1]
            assert library.people()[0].name == "James"
            assert library.describe().notes == ()


def test_the_machines_own_authorities_are_believed_without_a_word(
    secure_url: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with _opened(_far(secure_url)) as library:
        assert encrypted(library.connection)


def test_a_far_server_that_nobody_vouches_for_is_refused_with_what_to_do(secure_url: str, authority: Authority) -> None:
    words = rf"can't be trusted \(.*\): .*\?ssl_ca=/path/ca.pem.* ssh -N -L 3306:127.0.0.1:\d+ {FAR}"
    for tail in ("", "?ssl=on", f"?ssl_ca={authority.folder}/others.pem"):
        with pytest.raises(HostUnreachable, match=words):
            _opened(_far(secure_url) + tail)
    with pytest.raises(LibraryError, match="holds no certificates"):
        _opened(f"{secure_url}?ssl_ca={authority.folder}/server.key")
    with pytest.raises(LibraryError, match=r"there is no file /nowhere/ca.pem"):
        _opened(f"{secure_url}?ssl_ca=/nowhere/ca.pem")


def test_what_is_not_verified_by_wish_is_told(secure_url: str) -> None:
    with _opened(f"{_far(secure_url)}?ssl=unverified") as library:
        assert encrypted(library.connection)
        assert "it was not verified" in library.describe().notes[0]
    with _opened(f"{_far(secure_url)}?ssl=off") as library:
        assert not encrypted(library.connection)
        assert "is not encrypted" in library.describe().notes[0]


def test_a_server_without_tls_works_and_is_told_if_on_another_machine(plain_url: str) -> None:
    with _opened(plain_url) as library:
        assert library.describe().notes == ()
    with _opened(_far(plain_url)) as library:
        assert library.people()[0].name == "James"
        (note,) = library.describe().notes
        assert note.startswith(f"the connection to {FAR}:")
        assert "is not encrypted" in note
    with pytest.raises(HostUnreachable, match="has no TLS: leave ssl=on out, or go through SSH: ssh -N -L"):
        _opened(f"{_far(plain_url)}?ssl=on")


class _Switch(socketserver.BaseRequestHandler):
    """Passes a connection on to whichever server stands behind the port now."""

    behind = 0

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", _Switch.behind)) as other:
            back = threading.Thread(target=_pass_on, args=(other, self.request), daemon=True)
            back.start()
            _pass_on(self.request, other)
            back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while some := one.recv(65536):
            other.sendall(some)
        other.shutdown(socket.SHUT_WR)


def test_a_server_that_had_tls_is_not_read_in_the_clear_later(
    secure: MariaServer,
    secure_url: str,
    server: MariaServer,
    plain_url: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Switch) as switch:
        threading.Thread(target=switch.serve_forever, daemon=True).start()
        try:
            url = _far(plain_url).replace(f":{server.port}", f":{switch.server_address[1]}")
            _Switch.behind = server.port
            with _opened(url) as library:
                assert not encrypted(library.connection)
            _Switch.behind = secure.port
            with _opened(url) as library:
                assert encrypted(library.connection)
            _Switch.behind = server.port
            with pytest.raises(LibraryError, match=r"had TLS before .*\?ssl=off"):
                _opened(url)
            with _opened(f"{url}?ssl=off") as library:
                assert library.people()[0].name == "James"
        finally:
            switch.shutdown()


def test_a_server_on_this_machine_needs_no_certificate(secure_url: str) -> None:
    with _opened(secure_url) as library:
        assert library.describe().notes == ()


def test_the_address_keeps_what_was_said_of_tls(authority: Authority) -> None:
    address = parse_address(f"mysql://reader@db/photos?ssl=on&ssl_ca={authority.certificate}")
    assert (address.tls, address.ca) == (Tls.REQUIRED, authority.certificate)
    assert parse_address(address.url) == address
    with pytest.raises(LibraryError, match="ssl=maybe is not known: write ssl=on"):
        parse_address("mysql://reader@db/photos?ssl=maybe")


def test_an_address_that_needs_a_tunnel_is_told_with_the_exact_commands() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = rf"ssh -N -L 3306:127.0.0.1:{port} {FAR}, then limner connect mysql://me@127.0.0.1:3306/photos"
    with pytest.raises(HostUnreachable, match=f"nothing listens at {FAR}:{port}: .* open a tunnel: {words}"):
        _opened(f"mysql://me@{FAR}:{port}/photos")
    words = rf"ssh -N -L {port}:127.0.0.1:{port} PHOTOPRISM-HOST"
    with pytest.raises(HostUnreachable, match=f"SSH tunnel to the machine that it runs on: {words}"):
        _opened(f"mysql://me@127.0.0.1:{port}/photos")
    assert tunnel_to(parse_address("mysql://me@nas:3307/p")).startswith("ssh -N -L 3306:127.0.0.1:3307 nas, then")


def test_a_containers_name_is_told_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any, **_more: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(HostUnreachable, match=r"a container's name only works inside Docker: ssh -N -L 3306:127"):
        _opened("mysql://photoprism@mariadb/photoprism")


def test_a_server_that_is_silent_may_be_behind_a_firewall(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_arguments: Any, **_more: Any) -> Any:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", silent)
    with pytest.raises(HostUnreachable, match=r"nothing answered at 10.1.2.3:3306 within 5 s: .* ssh -N -L 3306:127"):
        _opened("mysql://photoprism@10.1.2.3/photoprism")
