"""A language model's server on loopback that really speaks HTTP, and says what a test wants it to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Said:
    """What one question is answered with."""

    text: str = ""
    status: int = 200
    streamed: bool = True
    drop_after: int | None = None
    """Characters after which the connection is cut."""
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    """Sent as it is, for answers that are no success."""
    wait: threading.Event | None = None
    """Nothing is sent until it is set."""


def prompts(*texts: str) -> Said:
    """A good answer."""
    return Said(json.dumps({"prompts": [{"prompt": text} for text in texts]}))


@dataclass
class Asked:
    """A server that is running."""

    url: str
    questions: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def answering(
    *answers: Said | Callable[[dict[str, Any]], Said], models: tuple[str, ...] = ("tiny",)
) -> Iterator[Asked]:
    """Answers each question with the next answer; the last one again and again."""
    asked = Asked("")
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, json.dumps({"object": "list", "data": [{"id": name} for name in models]}).encode())

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.headers.append(dict(self.headers.items()))
            answer = answers[min(len(asked.questions), len(answers) - 1)]
            asked.questions.append(question)
            self._say(answer(question) if callable(answer) else answer)

        def _say(self, said: Said) -> None:
            while said.wait is not None and not said.wait.wait(0.02) and not stop.is_set():
                continue
            if said.status != 200 or not said.streamed:
                message = {"choices": [{"message": {"role": "assistant", "content": said.text}}]}
                self._send(said.status, (said.body or json.dumps(message)).encode(), said.headers)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(said.text), 7):
                if said.drop_after is not None and at >= said.drop_after:
                    self.close_connection = True
                    self.connection.close()
                    return
                record = {"choices": [{"delta": {"content": said.text[at : at + 7]}}]}
                self._chunk(f": keep-alive\n\ndata: {json.dumps(record)}\n\n".encode())
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: Any) -> None:
            """A client that went away is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    asked.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
