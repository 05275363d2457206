"""Secrets that travel in a header, and a server that asks for one in the clear."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from engine.errors import LibraryError, LimnerError, PromptError
from engine.library.address import parse_address
from engine.library.http_session import Session
from engine.library.photoprism import connect
from engine.llm.server import ModelServer
from engine.private import for_a_header
from engine.settings import LibrarySettings

SECRET = "SECRET-app-password"
ASKS = (b"mysql_clear_password", b"dialog")


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t\n"])
def test_blanks_and_line_ends_that_copying_brings_are_left_out(around: str) -> None:
    assert for_a_header(f"{around}{SECRET}{around}", "the key", PromptError) == SECRET


@pytest.mark.parametrize("within", ["\n", "\r", "\0", "€", "\x1b"])
def test_what_no_header_can_carry_is_refused_and_never_quoted(within: str) -> None:
    secret = f"{SECRET}{within}more"
    with pytest.raises(LimnerError) as library:
        Session(parse_address("http://127.0.0.1:2342"), secret)
    with pytest.raises(PromptError) as model:
        ModelServer("http://127.0.0.1:11434/v1", secret)
    for raised in (library, model):
        assert SECRET not in f"{raised.value.one_line()} {raised.value!r}"


@pytest.fixture
def heard() -> Iterator[tuple[int, list[bytes]]]:
    """A port where something says that it is a MariaDB without TLS, asks for the password itself, and what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))
    said: list[bytes] = []

    def serve() -> None:
        for ask in ASKS:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(_packet(0, GREETING))
                number, _ = _read(connection)
                connection.sendall(_packet(number + 1, b"\xfe" + ask + b"\0" + b"\x04Password: "))
                said.append(connection.recv(4096))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], said
    listener.close()


def test_a_server_without_tls_that_asks_for_the_password_itself_does_not_get_it(heard: tuple[int, list[bytes]]) -> None:
    port, said = heard
    for _ in ASKS:
        with pytest.raises(LibraryError, match="in the clear"):
            connect(LibrarySettings(url=f"mysql://james@127.0.0.1:{port}/photoprism"), SECRET)
    assert all(SECRET.encode() not in each for each in said)


CAPABILITIES = 0x00080000 | 0x8000 | 0x200 | 0x8 | 0x1
"""Of a server that knows ways to log in, and no TLS (which is 0x800)."""

GREETING = (
    b"\x0a10.11.0-MariaDB\0"
    + struct.pack("<I", 1)
    + b"12345678\0"
    + struct.pack("<H", CAPABILITIES & 0xFFFF)
    + b"\x2d"
    + struct.pack("<H", 2)
    + struct.pack("<H", CAPABILITIES >> 16)
    + bytes([21])
    + bytes(10)
    + b"123456789012\0mysql_native_password\0"
)


def _packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def _read(connection: socket.socket) -> tuple[int, bytes]:
    head = connection.recv(4, socket.MSG_WAITALL)
    return head[3], connection.recv(int.from_bytes(head[:3], "little"), socket.MSG_WAITALL)
