"""Servers that ask for the database's password itself, in every way that the protocol knows, get nothing of it."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from engine.errors import LibraryError
from engine.library.registry import connect
from engine.settings import LibrarySettings

SECRET = "Tr0ub4dor&3 with a ß and a €"
SALT = b"12345678123456789012"
TLS = 0x800
CAPABILITIES = 0x00080000 | 0x8000 | 0x200 | 0x8 | 0x1
FULL_AUTH, OWN_KEY, MORE = b"\x01\x04", b"\x02", b"\x01"


@dataclass
class Rogue:
    """A server of somebody's own, which knows its RSA key and says what it heard."""

    plugin: str
    switched: bool
    """Whether it begins harmlessly and switches to the plug-in."""
    tls: ssl.SSLContext | None = None
    heard: list[bytes] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    port: int = 0

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(20)
            try:
                self._one(connection)
            except (OSError, IndexError, ssl.SSLError):
                pass
            finally:
                connection.close()

    def _one(self, connection: socket.socket) -> None:
        begins = "mysql_native_password" if self.switched else self.plugin
        connection.sendall(_packet(0, _greeting(begins, self.tls is not None)))
        number, answer = _read(connection)
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
            number, answer = _read(connection)
        self.heard.append(answer)
        if self.switched:
            number, answer = self._ask(connection, number, b"\xfe" + self.plugin.encode() + b"\0" + self._prompt())
        if self.plugin == "caching_sha2_password":
            number, answer = self._ask(connection, number, FULL_AUTH)
        if answer[-1:] in (OWN_KEY, MORE):
            self._ask(connection, number, b"\x01" + self._public())

    def _ask(self, connection: socket.socket, number: int, payload: bytes) -> tuple[int, bytes]:
        connection.sendall(_packet(number + 1, payload))
        number, answer = _read(connection)
        self.heard.append(answer)
        return number, answer

    def _prompt(self) -> bytes:
        return b"\x04Password: " if self.plugin == "dialog" else SALT + b"\0"

    def _public(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form)

    def knows(self, secret: str) -> bool:
        """Whether what was heard gives the secret away: as it is, or by the key that the server sent."""
        return any(self._gives(each, word) for each in self.heard for word in (secret.encode(), secret.encode()[:6]))

    def _gives(self, heard: bytes, secret: bytes) -> bool:
        if secret in heard:
            return True
        try:
            clear = self.key.decrypt(heard, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
        except ValueError:
            return False
        return secret in bytes(one ^ SALT[i % len(SALT)] for i, one in enumerate(clear))


@pytest.fixture(scope="module")
def own_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """TLS with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def rogue(request: pytest.FixtureRequest, own_tls: ssl.SSLContext) -> Iterator[Rogue]:
    plugin, switched, encrypted = request.param
    found = Rogue(plugin, switched, own_tls if encrypted else None)
    listener = socket.create_server(("127.0.0.1", 0))
    found.port = listener.getsockname()[1]
    thread = threading.Thread(target=found.serve, args=(listener,), daemon=True)
    thread.start()
    yield found
    listener.close()


PLUGINS = ("mysql_clear_password", "dialog", "sha256_password", "caching_sha2_password", "mysql_old_password")
EVERY = [(plugin, switched, tls) for plugin in PLUGINS for switched in (False, True) for tls in (False, True)]


@pytest.mark.parametrize("rogue", EVERY, indirect=True, ids=lambda each: "-".join(map(str, each)))
def test_no_plug_in_gets_the_password_of_a_server_nobody_proved(rogue: Rogue) -> None:
    with pytest.raises(LibraryError) as caught:
        connect(LibrarySettings(url=f"mysql://james@127.0.0.1:{rogue.port}/photoprism"), SECRET)
    assert rogue.heard or not rogue.switched
    assert not rogue.knows(SECRET), rogue.heard
    assert "asks for the plain password" in caught.value.what


@pytest.mark.parametrize("rogue", [("sha256_password", True, False)], indirect=True)
def test_off_is_the_users_word_that_a_server_here_may_have_it(rogue: Rogue) -> None:
    with pytest.raises(LibraryError):
        connect(LibrarySettings(url=f"mysql://james@127.0.0.1:{rogue.port}/photoprism?ssl=off"), SECRET)
    assert rogue.knows(SECRET)


@pytest.mark.parametrize("rogue", [("sha256_password", True, False)], indirect=True)
def test_off_is_no_word_for_a_server_elsewhere(rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1" if "far" in host else host, *rest, **more)
    )
    with pytest.raises(LibraryError, match="asks for the plain password"):
        connect(LibrarySettings(url=f"mysql://james@far.example.com:{rogue.port}/photoprism?ssl=off"), SECRET)
    assert not rogue.knows(SECRET)


@pytest.mark.parametrize("rogue", [("sha256_password", True, True)], indirect=True)
def test_unverified_is_the_users_word_too(rogue: Rogue) -> None:
    with pytest.raises(LibraryError):
        connect(LibrarySettings(url=f"mysql://james@127.0.0.1:{rogue.port}/photoprism?ssl=unverified"), SECRET)
    assert rogue.knows(SECRET)


def _greeting(plugin: str, tls: bool) -> bytes:
    flags = CAPABILITIES | (TLS if tls else 0)
    head = b"\x0a8.4.0\0" + struct.pack("<I", 1) + SALT[:8] + b"\0" + struct.pack("<H", flags & 0xFFFF)
    rest = b"\x2d" + struct.pack("<H", 2) + struct.pack("<H", flags >> 16) + bytes([21]) + bytes(10)
    return head + rest + SALT[8:] + b"\0" + plugin.encode() + b"\0"


def _packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number & 0xFF]) + payload


def _read(connection: socket.socket) -> tuple[int, bytes]:
    head = _exactly(connection, 4)
    return head[3], _exactly(connection, int.from_bytes(head[:3], "little"))


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        if not more:
            raise OSError("closed")
        found += more
    return found


def test_a_password_beyond_latin_1_logs_in(tmp_path: Path) -> None:
    from tests.support.mariadb import running_server
    from tests.support.photoprism import Index

    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    with running_server() as server:
        url = index.to_mariadb(server, "letters")
        for number, secret in enumerate(("pass€ż", "gründlich", "密码", "plain")):
            server.run(
                f"CREATE USER u{number}@'%' IDENTIFIED BY '{secret}'", f"GRANT SELECT ON letters.* TO u{number}@'%'"
            )
            with connect(LibrarySettings(url=url.replace("reader@", f"u{number}@")), secret) as library:
                assert library.people()[0].name == "James"
            with pytest.raises(LibraryError, match="refused user"):
                connect(LibrarySettings(url=url.replace("reader@", f"u{number}@")), secret + "é")
