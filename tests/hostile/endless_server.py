"""Servers that never come to an end, each in its own way, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = 0.02
"""Seconds between two pieces of an answer that trickles: no silence would ever be noticed."""

Say = Callable[[bytes], None]


@dataclass
class Endless:
    """One that is running."""

    port: int
    asked: list[bytes] = field(default_factory=list)
    """The heads of all questions."""
    sent: int = 0
    """Pieces that were sent."""


@contextmanager
def endless(*answers: bytes, first: bytes = b"", greets: bool = False, slowly: bool = True) -> Iterator[Endless]:
    """Answers each question with ``first``, then with the last of ``answers`` for ever; those before it are whole
    answers, one a question.

    Args:
        answers: whole answers, and the piece of which the last one is made.
        first: what the last one begins with.
        greets: whether it speaks first, as databases do, and waits for no question.
        slowly: whether there is time between two pieces.
    """
    stop = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    found = Endless(listening.getsockname()[1])

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError):
            while not greets:
                head = b""
                while b"\r\n\r\n" not in head:
                    more = line.recv(65536)
                    if not more:
                        return
                    head += more
                found.asked.append(head)
                if len(found.asked) >= len(answers):
                    break
                line.sendall(answers[len(found.asked) - 1])
            line.sendall(first)
            while not stop.is_set():
                line.sendall(answers[-1])
                found.sent += 1
                if slowly:
                    stop.wait(PIECE)

    def accept() -> None:
        with suppress(OSError):
            while True:
                line, _ = listening.accept()
                threading.Thread(target=serve, args=(line,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        # Closing alone does not wake whoever accepts.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
