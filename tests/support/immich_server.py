"""Immich's API on loopback, as far as a client asks it that only reads: a real server over an ``Immich``.

It runs in this process (``running``), or as one of its own, so that a speed test does not share an interpreter with it:
``apart``, or ``python -m tests.support.immich_server --faces 2000``, which prints its address and ends with its input.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, NamedTuple, Protocol

from tests.support.immich_answers import API_KEY, READING, VERSIONS, Answer, Api, reason
from tests.support.immich_data import Immich, many_assets, small_library
from tests.support.photoprism_server import Fault

__all__ = ["API_KEY", "READING", "VERSIONS", "Asked", "Fault", "Server", "apart", "running"]


class Certificate(Protocol):
    """What trustme issues."""

    def configure_cert(self, ctx: ssl.SSLContext) -> None: ...


class Asked(NamedTuple):
    """A question as it came."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    """Their names in small letters."""
    body: bytes


@dataclass
class Server(Api):
    """A server that is running; version, key, permissions and library may be changed meanwhile."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    writes: list[Asked] = field(default_factory=list)
    """Questions that would have changed something; they are answered with 418."""
    most_at_once: int = 0
    wait: float = 0.0
    """Seconds before each answer."""
    faults: list[tuple[re.Pattern[str], Fault]] = field(default_factory=list)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, path: str, *faults: Fault) -> None:
        """The next questions of a path (a regular expression) meet these, one each."""
        self.faults += [(re.compile(path), fault) for fault in faults]

    def count(self, path: str) -> int:
        """How many questions of a path (a regular expression) there were."""
        return sum(bool(re.search(path, each.path)) for each in self.asked)

    def fault(self, path: str) -> Fault:
        """What the next question of a path meets."""
        if self.faults:
            with self._lock:
                for number, (pattern, fault) in enumerate(self.faults):
                    if pattern.search(path):
                        del self.faults[number]
                        return fault
        return NO_FAULT

    def meet(self, asked: Asked) -> tuple[Answer, Fault]:
        """Answers a question, with the fault that spoils the answer."""
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self.asked.append(asked)
        try:
            if self.wait:
                time.sleep(self.wait)
            fault = self.fault(asked.path)
            if fault.status is not None:
                return Answer(fault.status, fault.body, fault.headers), fault
            path = asked.path.partition("?")[0]
            method = "GET" if asked.method == "HEAD" else asked.method
            if method not in ("GET", "OPTIONS") and (method, path) != ("POST", "/api/search/metadata"):
                self.writes.append(asked)
                return Answer(
                    418, b'{"message":"This server is only read"}', {"Content-Type": "application/json"}
                ), fault
            headers = asked.headers
            if fault.ignore_range:
                headers = {name: value for name, value in headers.items() if name != "range"}
            answer = self.answer(method, asked.path, headers, asked.body)
            answer.headers = {**answer.headers, **fault.headers}
            return answer, fault
        finally:
            with self._lock:
                self._now -= 1


NO_FAULT = Fault()


class Handler(StreamRequestHandler):
    """A connection, which stays open for further questions."""

    disable_nagle_algorithm = True
    immich: Server
    server: Loopback

    def handle(self) -> None:
        self.server.connections.add(self.connection)
        with contextlib.suppress(OSError, ValueError):  # a client that went away is what some tests are about
            while (asked := self._next()) is not None and self._send(asked, *self.immich.meet(asked)):
                pass

    def _next(self) -> Asked | None:
        line = self.rfile.readline(65536)
        if not line.strip():
            return None
        method, path, _ = line.decode("latin-1").split()
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65536)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Asked(method, path, headers, self.rfile.read(int(headers.get("content-length", 0))))

    def _send(self, asked: Asked, answer: Answer, fault: Fault) -> bool:
        """Whether the connection stays."""
        lines = [f"HTTP/1.1 {answer.status} {reason(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if not fault.no_length and answer.status != 304:
            lines.append(f"Content-Length: {len(answer.body)}")
        stays = not fault.no_length and asked.headers.get("connection", "").lower() != "close"
        if not stays and "Connection" not in answer.headers:
            lines.append("Connection: close")
        body = b"" if asked.method == "HEAD" else answer.body[: fault.cut_after]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return stays and (fault.cut_after is None or fault.silent) and answer.headers.get("Connection") != "close"


class Loopback(ThreadingTCPServer):
    """Listens on a port of its own."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, handler: type[Handler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_arguments: Any) -> None:
        """A client that went away is what some tests are about."""

    def hang_up(self) -> None:
        """Ends the connections that clients kept, as a server's end does."""
        for each in list(self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(
    immich: Immich,
    version: str = VERSIONS[-1],
    key: str = API_KEY,
    permissions: frozenset[str] = READING,
    certificate: Certificate | None = None,
) -> Iterator[Server]:
    """The server in a thread of this process; with a certificate, over HTTPS."""
    found = Server(immich, version, key, permissions)
    server = Loopback(type("Handler", (Handler,), {"immich": found}))
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        # Each connection's own thread shakes hands, so that a client that leaves does not stop the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    found.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()


@contextmanager
def apart(*arguments: str) -> Iterator[str]:
    """The server's address, from a process of its own with these arguments."""
    command = [sys.executable, "-m", "tests.support.immich_server", *arguments]
    here = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the server did not start"
        yield url
        process.stdin.close()


def main() -> None:
    """Serves until its input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--faces", type=int, default=2000)
    parser.add_argument("--small", action="store_true", help="the small library of real photos instead")
    parser.add_argument("--version", default=VERSIONS[-1])
    parser.add_argument("--key", default=API_KEY)
    parser.add_argument("--wait", type=float, default=0.0, help="seconds before each answer")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        immich = small_library(folder) if asked.small else many_assets(folder, asked.people, asked.faces)
        with running(immich, asked.version, asked.key) as server:
            server.wait = asked.wait
            print(server.url, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
