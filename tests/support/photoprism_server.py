"""PhotoPrism's web interface on loopback, as far as Limner asks it: a real server over an ``Index`` and its photos.

It answers as PhotoPrism's ``internal/api`` does: app passwords and sessions, tokens for downloads that run out, drawn
placeholders for errors. What else can go wrong on the way is put before the next answers by ``before``.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.photoprism import Index

APP_PASSWORD = "x1y2z3-a4b5c6-d7e8f9-g0h1i2"
USER, PASSWORD = "admin", "photoprism-of-james"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><circle cx="12" cy="12" r="10"/></svg>'


@dataclass(frozen=True)
class Fault:
    """What is answered instead of the truth, or how the truth is spoilt."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    """Bytes of the body after which the connection breaks."""
    ignore_range: bool = False
    silent: bool = False
    """The connection stays after ``cut_after``, and nothing comes."""
    no_length: bool = False
    """Nothing is told of the body's length; it ends with the connection."""


@dataclass
class Prism:
    """A server that is running."""

    index: Index
    originals: Path
    sidecar: Path
    url: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of every question."""
    tokens: set[str] = field(default_factory=set)
    """Sessions that are good now."""
    download_token: str = "dl1"
    open_to_all: bool = False
    most_at_once: int = 0
    faults: list[tuple[re.Pattern[str], Fault]] = field(default_factory=list)
    lists_private: bool = False
    """Whether private photos are listed though only public ones were asked for."""
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _logins: int = 0

    def before(self, path: str, *faults: Fault) -> None:
        """The next questions of a path (a regular expression) meet these, one each."""
        self.faults += [(re.compile(path), fault) for fault in faults]

    def count(self, path: str) -> int:
        """How many questions of a path (a regular expression) there were."""
        return sum(bool(re.search(path, each)) for _, each, _ in self.asked)

    def file_hash(self, file: dict[str, Any]) -> str:
        path = self.place(file)
        return hashlib.sha1(path.read_bytes()).hexdigest() if path.exists() else hashlib.sha1(b"gone").hexdigest()

    def place(self, file: dict[str, Any]) -> Path:
        return (self.sidecar if file["file_root"] == "sidecar" else self.originals) / file["file_name"]

    def log_in(self) -> str:
        self._logins += 1
        token = f"session-{self._logins}"
        self.tokens.add(token)
        return token

    def fault(self, path: str) -> Fault | None:
        with self._lock:
            for number, (pattern, fault) in enumerate(self.faults):
                if pattern.search(path):
                    del self.faults[number]
                    return fault
        return None

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def subjects(self) -> list[dict[str, Any]]:
        found = []
        for row in self.index.rows["subjects"]:
            files = {m["file_uid"] for m in self.index.rows["markers"] if m["subj_uid"] == row["subj_uid"]}
            if not row.get("subj_hidden") and not row.get("deleted_at") and files:
                told = {"UID": row["subj_uid"], "Type": "person", "Name": row["subj_name"], "FileCount": len(files)}
                found.append({**told, "Hidden": False, "PhotoCount": len(files)})
        return found

    def photos(self, uid: str, public: bool) -> list[dict[str, Any]]:
        """As the search has them: no archived, hidden or broken ones, one row a primary file."""
        marked = {m["file_uid"] for m in self.index.rows["markers"] if m["subj_uid"] == uid and not m["marker_invalid"]}
        by_id = {row["id"]: row for row in self.index.rows["photos"]}
        found = []
        for file in self.index.rows["files"]:
            photo = by_id[file["photo_id"]]
            shown = not photo.get("deleted_at") and photo["photo_quality"] > -1 and not file["file_error"]
            shown = (
                shown
                and not file["file_missing"]
                and not (public and photo["photo_private"] and not self.lists_private)
            )
            if file["file_uid"] in marked and shown:
                found.append({"UID": photo["photo_uid"], "TakenAt": photo["taken_at"]})
        return sorted(found, key=lambda each: each["TakenAt"])

    def photo(self, uid: str) -> dict[str, Any] | None:
        row = next((each for each in self.index.rows["photos"] if each["photo_uid"] == uid), None)
        if row is None:
            return None
        files = [self._file(each) for each in self.index.rows["files"] if each["photo_id"] == row["id"]]
        taken = str(row["taken_at"]).replace(" ", "T") + "Z"
        told = {
            "UID": uid,
            "TakenAt": taken,
            "TakenAtLocal": "0001-01-01T00:00:00Z",
            "Private": bool(row["photo_private"]),
        }
        told |= {
            "Quality": row["photo_quality"],
            "Files": files,
            "Place": {"City": "Berlin", "Label": "Berlin, Germany"},
        }
        told["Labels"] = [
            {"Uncertainty": 60, "Label": {"Name": "Cat"}},
            {"Uncertainty": 20, "Label": {"Name": "Portrait"}},
            {"Uncertainty": 0, "Label": {"Name": "Beach"}},
        ]
        return {**told, **({"DeletedAt": row["deleted_at"]} if row.get("deleted_at") else {})}

    def _file(self, row: dict[str, Any]) -> dict[str, Any]:
        names = {subject["subj_uid"]: subject["subj_name"] for subject in self.index.rows["subjects"]}
        path = self.place(row)
        told = {"UID": row["file_uid"], "Name": row["file_name"], "Root": row["file_root"], "Hash": self.file_hash(row)}
        told |= {
            "Size": path.stat().st_size if path.exists() else 0,
            "Primary": True,
            "Missing": bool(row["file_missing"]),
        }
        told |= {"Width": row["file_width"], "Height": row["file_height"], "Error": row["file_error"]}
        markers = [m for m in self.index.rows["markers"] if m["file_uid"] == row["file_uid"]]
        told["Markers"] = [
            {
                "UID": m["marker_uid"],
                "FileUID": m["file_uid"],
                "Type": m["marker_type"],
                "Src": m["marker_src"],
                "Name": names.get(m["subj_uid"], ""),
                "SubjUID": m["subj_uid"],
                "SubjSrc": m["subj_src"],
                "Invalid": bool(m["marker_invalid"]),
                **{key.upper(): m[key] for key in "xywh"},
            }
            for m in markers
        ]
        return told


@contextmanager
def serving(
    index: Index, originals: Path, sidecar: Path, wrap: Callable[[ssl.SSLContext], None] | None = None
) -> Iterator[Prism]:
    """The server; with ``wrap``, which puts a certificate into a context, over HTTPS."""
    prism = Prism(index, originals, sidecar)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with prism.counted():
                self._get()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prism.asked.append(("POST", self.path, dict(self.headers.items())))
            if self._spoilt(prism.fault(self.path)):
                return
            if (body.get("username"), body.get("password")) != (USER, PASSWORD):
                self._json(401, {"error": "Invalid credentials"})
                return
            self._json(200, {"status": "success", "access_token": prism.log_in(), "expires_in": 3600})

        def do_DELETE(self) -> None:
            prism.asked.append(("DELETE", self.path, dict(self.headers.items())))
            prism.tokens.discard(self.headers.get("X-Auth-Token", ""))
            self._json(200, {"status": "deleted"})

        def _get(self) -> None:
            prism.asked.append(("GET", self.path, dict(self.headers.items())))
            fault = prism.fault(self.path)
            if self._spoilt(fault):
                return
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            path = parts.path.removeprefix("/api/v1/")
            if path.startswith("dl/"):
                self._download(path[3:], query, fault)
                return
            token = self.headers.get("X-Auth-Token", "")
            if not prism.open_to_all and token != APP_PASSWORD and token not in prism.tokens:
                self._json(401, {"error": "Please log in to your account", "code": 401})
                return
            self._answer(path, query)

        def _answer(self, path: str, query: dict[str, str]) -> None:
            first, count = int(query.get("offset", 0)), int(query.get("count", 10))
            if path == "config":
                counts = {"all": len(prism.index.rows["photos"])}
                told = {"name": "PhotoPrism", "version": "241213-382ffa899-Linux-AMD64", "count": counts}
                self._json(200, {**told, "downloadToken": prism.download_token, "previewToken": "pv1"})
            elif path == "subjects":
                self._json(200, prism.subjects()[first : first + count])
            elif path == "photos":
                found = prism.photos(query["q"].removeprefix("subject:"), query.get("public") == "true")
                self._json(200, found[first : first + count], {"X-Download-Token": prism.download_token})
            elif path.startswith("photos/") and (photo := prism.photo(path[7:])):
                self._json(200, photo)
            else:
                self._json(404, {"error": "Entity not found"})

        def _download(self, wanted: str, query: dict[str, str], fault: Fault | None) -> None:
            if query.get("t") != prism.download_token:
                self._send(403, SVG, {"Content-Type": "image/svg+xml"})
                return
            found = next((f for f in prism.index.rows["files"] if prism.file_hash(f) == wanted), None)
            if found is None or not prism.place(found).exists():
                self._send(404, SVG, {"Content-Type": "image/svg+xml"})
                return
            data = prism.place(found).read_bytes()
            status, headers = 200, {"Content-Type": "image/jpeg", "Accept-Ranges": "bytes"}
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if asked and not (fault and fault.ignore_range):
                start = int(asked[1])
                if start >= len(data):
                    self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                    return
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                status, data = 206, data[start:]
            self._send(status, data, headers, fault.cut_after if fault else None)

        def _spoilt(self, fault: Fault | None) -> bool:
            if fault is None or fault.status is None:
                return False
            self._send(fault.status, fault.body, fault.headers, fault.cut_after, fault.no_length)
            self.close_connection = self.close_connection and not fault.silent
            return True

        def _json(self, status: int, record: object, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(record).encode(), {"Content-Type": "application/json", **(headers or {})})

        def _send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str],
            cut_after: int | None = None,
            no_length: bool = False,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if not no_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:cut_after])
            if cut_after is not None:
                self.wfile.flush()
                self.close_connection = True

        def log_message(self, *_arguments: Any) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: Any) -> None:
            """A client that went away is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    scheme = "http"
    if wrap is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        wrap(context)
        # Each connection's own thread shakes hands, so that a client that leaves does not stop the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    prism.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield prism
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
