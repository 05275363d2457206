"""A database server that answers with what is none of the protocol's ends in one line, and gets nothing it can read."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Sequence

import pytest

from engine.errors import LibraryError
from engine.library.registry import connect
from engine.settings import LibrarySettings
from tests.hostile.test_hostile_logins import _greeting, _packet, _read

GREETING = _greeting("mysql_native_password", False)
OK = b"\0\0\0\x02\0\0\0"
END = b"\xfe\0\0\x02\0"


def _error(code: int, message: bytes) -> bytes:
    return b"\xff" + struct.pack("<H", code) + b"#HY000" + message


def _text(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _answer(*rows: bytes) -> list[bytes]:
    """One column of text, and its rows."""
    tail = b"\x0c" + struct.pack("<HIBHB", 33, 100, 0xFD, 0, 0) + b"\0\0"
    column = _text(b"def") + _text(b"") * 3 + _text(b"v") * 2 + tail
    return [b"\x01", column, END, *map(_text, rows), END]


LOGINS: dict[str, list[bytes]] = {
    "closes": [],
    "too many connections": [_error(1040, b"Too many connections")],
    "half an error": [b"\xff"],
    "an error of bytes": [_error(1045, b"\xff\xfe\x1b]0;x\x07")],
    "nothing": [b""],
    "another protocol": [b"SSH-2.0-OpenSSH\r\n"],
    "an old protocol": [b"\x093.23\0" + b"\0" * 20],
    "half a greeting": [b"\x0a8.0\0\x01\0"],
    "a version that is none": [GREETING.replace(b"8.4.0", b"\xff.x.\x1b")],
    "an old password": [GREETING, b"\xfe"],
    "an unknown plug-in": [GREETING, b"\xfenope\0" + b"x" * 20 + b"\0"],
    "more without a plug-in": [GREETING, b"\x01\x04"],
    "half an error later": [GREETING, b"\xff\x01"],
    "an empty answer": [GREETING, b""],
    "an end": [GREETING, b"\xfe\0\0\0\0"],
}
"""What a server says until the login is over."""

QUESTIONS: dict[str, list[bytes]] = {
    "no answer but OK": [OK],
    "no rows": _answer(),
    "bytes for a version": _answer(b"\xff\xfe\x1b[31m"),
    "a number for a version": _answer(b"1"),
    "errors": [_error(1064, b"no \x1b[31m \xff")],
    "garbage": [b"\x99\x99"],
    "nothing": [b""],
    "a file of ours": [b"\xfb/etc/passwd"],
    "a row without columns": [b"\x01", b"\x01"],
}
"""What it says to every question after that."""


def _serve(listener: socket.socket, login: Sequence[bytes], answer: Sequence[bytes] | None, heard: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.settimeout(5)
        with connection, contextlib.suppress(OSError, IndexError):
            number = 0
            for packet in login:
                connection.sendall(_packet(number, packet))
                number, said = _read(connection)
                heard.append(said)
                number += 1
            connection.sendall(_packet(number, OK))
            while answer is not None:
                heard.append(_read(connection)[1])
                for place, packet in enumerate(answer, 1):
                    connection.sendall(_packet(place, packet))


def _told(login: Sequence[bytes], answer: Sequence[bytes] | None) -> str:
    """What is said of such a server, in one line."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, login, answer, heard), daemon=True).start()
        url = f"mysql://james@127.0.0.1:{listener.getsockname()[1]}/photoprism"
        with pytest.raises(LibraryError) as caught, connect(LibrarySettings(url=url), "secret-word") as library:
            library.people()
        listener.close()
    assert b"secret-word" not in b"".join(heard)
    assert b"root:" not in b"".join(heard), "a file of this machine was sent"
    return caught.value.one_line()


def test_whatever_a_server_says_until_the_login_is_over_is_one_line() -> None:
    for name, login in LOGINS.items():
        told = _told(login, None)
        assert "127.0.0.1" in told, name
        assert "\n" not in told, name
        assert len(told) < 400, name


def test_whatever_a_server_answers_to_questions_is_one_line() -> None:
    for name, answer in QUESTIONS.items():
        told = _told([GREETING], answer)
        assert "127.0.0.1" in told or "photoprism" in told, (name, told)
        assert "\n" not in told, name
