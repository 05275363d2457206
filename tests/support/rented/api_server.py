"""What the two APIs have in common: one HTTP server, an account, machines, and faults that are asked for."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.rented.machines import Fate, Machine

KEY = "account-key-9f3b2c"


@dataclass(frozen=True)
class Fault:
    """What a question meets in place of its answer."""

    status: int = 0
    retry_after: int | None = None
    cut: str = ""
    """``before`` it is done, or ``after``: the connection ends without an answer."""
    body: bytes | None = None
    """Sent in place of the answer, which is done all the same."""


@dataclass
class ApiServer:
    """One provider with one account; its sons know the paths."""

    folder: Path
    url: str = ""
    key: str = KEY
    ssh_keys: list[str] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    """All that ever were, the oldest first."""
    fates: list[Fate] = field(default_factory=list)
    """What becomes of the next machines, one each; then all is good."""
    lingers: int = 1
    own_may_end: bool = True
    """Whether a machine may end itself."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[re.Pattern[str], Fault]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def before(self, question: str, *faults: Fault) -> None:
        """The next questions that match ``METHOD /path`` (a regular expression) meet these, one each."""
        self.faults += [(re.compile(question), fault) for fault in faults]

    def count(self, question: str) -> int:
        """How many questions there were that match."""
        return sum(bool(re.match(question, f"{method} {path}")) for method, path in self.asked)

    def running(self) -> list[Machine]:
        """Those that cost."""
        return [each for each in self.machines if each.ended is None]

    def listed(self) -> list[Machine]:
        """Those that a list shows: one that was ended lingers for some answers."""
        found = []
        for each in self.machines:
            if each.ended is None:
                found.append(each)
            elif each.lingers > 0:
                each.lingers -= 1
                found.append(each)
        return found

    def made(self, label: str, price: float, env: dict[str, str], boot: str) -> Machine | None:
        """Makes a machine; None: somebody else took it."""
        fate = self.fates.pop(0) if self.fates else Fate.GOOD
        if fate is Fate.GONE:
            return None
        number = len(self.machines) + 1
        folder = self.folder / f"machine-{number}"
        folder.mkdir(parents=True)
        cost = 2 * price if fate is Fate.DEARER else price
        machine = Machine(self.name_of(number), label, cost, fate, folder, {}, list(self.ssh_keys))
        machine.env = {**env, **self.own_env(machine)}
        self.machines.append(machine)
        if fate not in (Fate.LOST, Fate.NEVER):
            machine.begin(boot)
        return machine

    def found(self, id: str) -> Machine | None:
        return next((each for each in self.listed() if each.id == id), None)

    def end(self, id: str) -> bool:
        """Whether it was there."""
        for each in self.machines:
            if each.id == id and each.ended is None:
                each.ended = time.monotonic()
                each.lingers = self.lingers
                each.destroy()
                return True
        return False

    # What differs

    def name_of(self, number: int) -> str:
        raise NotImplementedError

    def own_env(self, machine: Machine) -> dict[str, str]:
        raise NotImplementedError

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    # HTTP

    def fault(self, question: str) -> Fault:
        with self.lock:
            for number, (pattern, fault) in enumerate(self.faults):
                if pattern.match(question):
                    del self.faults[number]
                    return fault
        return Fault()

    def may(self, key: str, method: str, path: str) -> int:
        """0, or the status of a refusal."""
        if key == self.key:
            return 0
        own = next((each for each in self.running() if key == f"own-{each.id}"), None)
        if own is None:
            return 401
        return 0 if self.own_may_end and own.id in path.split("/") else 403


def _handler(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            question = f"{self.command} {parts.path}"
            with server.lock:
                server.asked.append((self.command, parts.path))
            fault = server.fault(question)
            if fault.cut == "before":
                self.close_connection = True
                return
            if fault.status:
                self._say(fault.status, {"title": "no", "detail": "as the test wants it"}, fault.retry_after)
                return
            refused = server.may(
                self.headers.get("Authorization", "").removeprefix("Bearer "), self.command, parts.path
            )
            if not self.headers.get("User-Agent", "").startswith("limner"):
                refused = 403
            if refused:
                self._say(refused, {"title": "refused", "detail": "this key may not do that"})
                return
            with server.lock:
                body = json.loads(data) if data else None
                status, document = server.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
            if fault.cut == "after":
                self.close_connection = True
                return
            if fault.body is not None:
                self._send(200, fault.body)
                return
            self._say(status, document)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815

        def _say(self, status: int, document: Any, retry_after: int | None = None) -> None:
            self._send(status, json.dumps(document).encode() if document is not None else b"", retry_after)

        def _send(self, status: int, data: bytes, retry_after: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(server: ApiServer) -> Iterator[ApiServer]:
    """Serves until the end of the ``with``; what still runs on its machines then is ended."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        for machine in server.machines:
            machine.destroy()
