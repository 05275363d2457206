"""Who answers without end is given up in time, and ctrl+c ends the waiting for anybody at once."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import HostUnreachable, LibraryError, NotALibrary, ProjectError, PromptError
from engine.library.photoprism_sql import bounded_mysql
from engine.library.registry import connect
from engine.library.web import session as http_session
from engine.llm import server as llm
from engine.llm.server import ModelServer
from engine.network import bounded_http, deadlines
from engine.project import Project, create_project
from engine.security.trust import confirm
from engine.settings import LibrarySettings
from engine.storage import guarded_sqlite
from engine.storage.database import Store
from tests.hostile.endless_server import endless
from tests.support.patience import PATIENCE, wait_until
from tests.support.photoprism import Index
from tests.support.rows import usual

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
WEB: dict[str, tuple[bytes, bytes]] = {
    "one byte at a time": (JSON + b"Content-Length: 90000\r\n\r\n[", b" "),
    "headers": (OK, b"X-More: a\r\n"),
    "one header": (OK + b"X-Long: ", b"a"),
    "tiny chunks": (CHUNKED + b"1\r\n[\r\n", b"1\r\n \r\n"),
    "one chunk": (CHUNKED + b"ffff\r\n[", b" "),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-More: a\r\n"),
    "a status": (b"HTTP/1.1 200 ", b"O"),
    "until it closes": (JSON + b"Connection: close\r\n\r\n[", b" "),
}
STREAM = OK + b"Content-Type: text/event-stream\r\n"
MODEL: dict[str, tuple[bytes, bytes]] = {
    "comments": (STREAM + b"\r\n", b": keep-alive\n\n"),
    "comments in chunks": (STREAM + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\n:a\n\r\n"),
    "one byte at a time": (STREAM + b"\r\ndata: ", b"a"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "lines that say nothing": (STREAM + b"\r\n", b"data: {}\n\n"),
}
GREETING = b"\x5b\0\0\0\x0a5.5.5-10.11.6-MariaDB\0"
DATABASE: dict[str, tuple[bytes, bytes]] = {
    "a greeting byte by byte": (GREETING, b"a"),
    "a packet byte by byte": (b"\xff\xff\x00", b"\0"),
}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """All times are short; the silence that is allowed is not, for nobody here is silent."""
    monkeypatch.setattr(http_session, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(bounded_http, "LEAST_RATE", 10**6)
    monkeypatch.setattr(llm, "USELESS_SECONDS", 0.4)
    monkeypatch.setattr(llm, "ANSWER_SECONDS", 0.6)
    monkeypatch.setattr(bounded_mysql, "LOGIN_SECONDS", 0.4)
    monkeypatch.setattr(deadlines, "LOOK_SECONDS", 0.02)


@pytest.mark.parametrize("how", WEB)
def test_a_library_that_answers_without_end_is_given_up(how: str, hurried: None) -> None:
    first, piece = WEB[how]
    with endless(piece, first=first) as server:
        with pytest.raises(HostUnreachable, match="answers without end, or too slowly"):
            connect(LibrarySettings(url=f"http://127.0.0.1:{server.port}"), "secret", typed=True)
        assert len(server.asked) == 1, "who took its whole time is not asked again"


@pytest.mark.parametrize("how", MODEL)
def test_a_language_model_that_says_nothing_of_use_is_given_up(how: str, hurried: None) -> None:
    first, piece = MODEL[how]
    with endless(piece, first=first) as server:
        asked = ModelServer(f"http://127.0.0.1:{server.port}/v1", silent_seconds=PATIENCE)
        with pytest.raises(PromptError, match="keeps the connection open and says nothing"):
            asked.answer({"model": "a", "messages": []})


@pytest.mark.parametrize("how", DATABASE)
def test_a_database_server_that_greets_without_end_is_given_up(how: str, hurried: None) -> None:
    first, piece = DATABASE[how]
    with endless(piece, first=first, greets=True) as server:
        url = f"mysql://james@127.0.0.1:{server.port}/photoprism?ssl=off"
        with pytest.raises(HostUnreachable, match="answers without end, or too slowly"):
            connect(LibrarySettings(url=url), "secret", typed=True)


def test_a_database_servers_packets_are_bounded(hurried: None) -> None:
    with endless(bytes(65536), first=b"\xff\xff\xff\0", greets=True, slowly=False) as server:
        url = f"mysql://james@127.0.0.1:{server.port}/photoprism?ssl=off"
        with pytest.raises(LibraryError, match="more than PhotoPrism's tables ever hold"):
            connect(LibrarySettings(url=url), "secret", typed=True)


COUNTING = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
BROUGHT: dict[str, tuple[str, str]] = {
    "a view": (f"ALTER TABLE T RENAME TO kept; CREATE VIEW T AS SELECT k.* FROM kept k, ({COUNTING})", "the view 'T'"),
    "a virtual table": (
        "ALTER TABLE T RENAME TO kept; CREATE VIRTUAL TABLE T USING fts5(COLUMNS)",
        "virtual table 'T'",
    ),
    "a trigger": ("CREATE TRIGGER evil AFTER INSERT ON T BEGIN DELETE FROM T; END", "the trigger 'evil'"),
    "a computed column": ("ALTER TABLE T ADD COLUMN evil AS (hex(zeroblob(900000000)))", "the computed column 'evil'"),
    "one spelt oddly": ("ALTER TABLE T ADD COLUMN evil/**/aS/**/(hex(zeroblob(9)))", "the computed column 'evil'"),
    "a computed index": ("CREATE INDEX evil ON T (FIRST + 1)", "the computed index 'evil'"),
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    made = Index()
    made.face(made.photo("a.jpg"), made.person("James"))
    made.to_sqlite(tmp_path / "index.db")
    return tmp_path / "index.db"


def spoilt(path: Path, table: str, words: str) -> None:
    made = sqlite3.connect(path)
    columns = [row[1] for row in made.execute(f"PRAGMA table_info({table})")]
    words = words.replace("COLUMNS", ", ".join(columns)).replace("FIRST", columns[0])
    made.executescript(re.sub(r"\bT\b", table, words))
    made.commit()
    made.close()


@pytest.mark.parametrize("how", BROUGHT)
def test_an_index_that_brings_along_what_would_run_is_refused(index: Path, how: str) -> None:
    statement, said = BROUGHT[how]
    spoilt(index, "markers", statement)
    with pytest.raises(NotALibrary, match=said.replace("'T'", "'markers'")):
        connect(LibrarySettings(url=f"sqlite:///{index}"))


@pytest.mark.parametrize("how", BROUGHT)
def test_a_project_that_brings_along_what_would_run_is_refused(tmp_path: Path, how: str) -> None:
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    with project.store():
        pass
    statement, said = BROUGHT[how]
    spoilt(project.root / "limner.db", "filters", statement)
    with pytest.raises(ProjectError, match=said.replace("'T'", "'filters'") + ", which Limner never creates"):
        Store(project.root / "limner.db")


def counting(begun: threading.Event | None = None) -> None:
    opened = sqlite3.connect(":memory:", factory=guarded_sqlite.Guarded)
    try:
        if begun is not None:
            begun.set()
        opened.execute(COUNTING).fetchall()
    finally:
        opened.close()


def test_a_question_of_sqlite_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_sqlite, "SILENT_SECONDS", 0.2)
    with pytest.raises(sqlite3.OperationalError, match=r"a query took longer than 0\.2 s"):
        counting()


ASKING = """
import sqlite3, sys
from engine.storage.guarded_sqlite import Guarded
opened = sqlite3.connect(":memory:", factory=Guarded)
print("begun", flush=True)
try:
    opened.execute(sys.argv[1]).fetchall()
except KeyboardInterrupt:
    print("interrupted")
"""
"""In a process of its own: the test's may be in the midst of anything when the signal comes."""


def worked(pid: int) -> float:
    """Seconds that processors have worked for a process (proc_pid_stat(5))."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_ends_a_question_of_sqlite() -> None:
    """SQLite swallows what Python raises while it works, and says that it was interrupted."""
    words = [sys.executable, "-c", ASKING, COUNTING]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "begun\n"
        # Once it works for a while, it is in the midst of the question.
        begun = worked(asking.pid)
        wait_until(lambda: worked(asking.pid) > begun + 0.2)
        asking.send_signal(signal.SIGINT)
        assert asking.stdout.read() == "interrupted\n"


def in_a_thread(do: Callable[[], object]) -> Iterator[BaseException | None]:
    """Does something, and tells how it ended once ``leave`` was called."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            do()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield None
    deadlines.leave()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    yield ended[0]


@pytest.mark.parametrize("how", ["one byte at a time", "headers"])
def test_leaving_ends_what_other_threads_wait_for(how: str) -> None:
    """As the app does when it is left: Python would wait for each of its threads."""
    first, piece = WEB[how]
    with endless(piece, first=first) as server:
        url = f"http://127.0.0.1:{server.port}"
        work = in_a_thread(lambda: connect(LibrarySettings(url=url), "secret", typed=True))
        next(work)
        wait_until(lambda: server.sent > 0)
        assert isinstance(next(work), HostUnreachable)


def test_leaving_ends_a_question_of_sqlite_in_another_thread() -> None:
    begun = threading.Event()
    work = in_a_thread(lambda: counting(begun))
    next(work)
    assert begun.wait(PATIENCE)
    error = next(work)
    assert isinstance(error, sqlite3.OperationalError)
    assert "it was left" in str(error)


def test_leaving_ends_no_change_that_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided is written, however many faces it is of."""
    monkeypatch.setattr(guarded_sqlite, "LEAVE_SECONDS", 0.0)
    monkeypatch.setattr(guarded_sqlite, "EVERY", 100)
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000)"
    with project.store() as store:
        deadlines.leave()
        with store.change() as change:
            change.execute(f"INSERT INTO filters (name, line) {many} SELECT x, x FROM c")
        with pytest.raises(sqlite3.OperationalError, match="it was left"):
            store.rows(f"{many} SELECT x FROM c")
    with project.store() as store:
        assert store.rows("SELECT count(*) FROM filters")[0][0] == 5000


def test_what_begins_after_leaving_is_not_touched(index: Path) -> None:
    deadlines.leave()
    with connect(LibrarySettings(url=f"sqlite:///{index}")) as opened:
        assert [person.name for person in opened.people()] == ["James"]


def answer(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


FORTY = [
    answer(b'{"version": "1"}'),
    answer(b'[{"UID": "js1", "Name": "James", "FileCount": 9}]'),
    answer(b"[" + b",".join(b'{"UID": "ps%d"}' % number for number in range(40)) + b"]"),
]
"""An honest beginning, and forty photos to ask for."""

INTERRUPTED: dict[str, tuple[list[str], bytes, bytes, list[bytes]]] = {
    "a library, in several threads": (["faces", "scan", "--person", "James"], *WEB["headers"], FORTY),
    "a library, while it greets": (["people"], *WEB["one byte at a time"], []),
}
SOON, TRIES = 1.0, 5
"""Seconds until ctrl+c has ended a command, and how many tries one has on a machine that does much else."""


def ends_soon(once: Callable[[], tuple[float, int, str]], last: str = "limner: interrupted") -> None:
    """Whether ctrl+c ends a command within a second; gets what interrupts it once."""
    took = []
    for _ in range(TRIES):
        seconds, status, said = once()
        assert (status, said.strip().splitlines()[-1:]) == (130, [last]), said
        if seconds < SOON:
            return
        took.append(round(seconds, 1))
    pytest.fail(f"ctrl+c took {took} seconds")


@pytest.mark.parametrize("how", INTERRUPTED)
def test_ctrl_c_ends_the_waiting_for_a_server_within_a_second(made: Project, how: str) -> None:
    command, first, piece, answers = INTERRUPTED[how]

    def once() -> tuple[float, int, str]:
        with endless(*answers, piece, first=first) as server:
            made.change({"library.url": f"http://127.0.0.1:{server.port}"})
            confirm(made.root, made.settings.library.url)
            return interrupted(command, made.root, lambda: server.sent > 3)

    ends_soon(once)


def interrupted(command: list[str], folder: Path, begun: Callable[[], bool]) -> tuple[float, int, str]:
    """Seconds from ctrl+c to the end of a command, its status, and what it said."""
    return interrupted_process([sys.executable, "-m", "tui.cli", "-C", str(folder), *command], begun)


def interrupted_process(words: list[str], begun: Callable[[], bool]) -> tuple[float, int, str]:
    """The same of a process."""
    environment = {**os.environ, "LIMNER_DB_PASSWORD": "insecure"}
    running = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(begun)
        at = time.monotonic()
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=PATIENCE)[1]
        return time.monotonic() - at, running.returncode, said
    finally:
        running.kill()


@pytest.mark.parametrize("how", usual(DATABASE, 1))
def test_ctrl_c_ends_the_waiting_for_a_database(made: Project, how: str) -> None:
    first, piece = DATABASE[how]

    def once() -> tuple[float, int, str]:
        with endless(piece, first=first, greets=True) as server:
            made.change({"library.url": f"mysql://me@127.0.0.1:{server.port}/photoprism?ssl=off"})
            confirm(made.root, made.settings.library.url)
            return interrupted(["people"], made.root, lambda: server.sent > 0)

    ends_soon(once)


def test_ctrl_c_ends_the_waiting_for_a_language_model(made: Project) -> None:
    first, piece = MODEL["comments"]

    def once() -> tuple[float, int, str]:
        with endless(piece, first=first) as server:
            command = ["vary", "a man", "--with", "llm", "--url", f"http://127.0.0.1:{server.port}/v1"]
            return interrupted(command, made.root, lambda: server.sent > 3)

    ends_soon(once)


def test_a_handshake_of_tls_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session, "ANSWER_SECONDS", 0.5)
    # A handshake record of 16,384 bytes that never comes to its end.
    with endless(b"\0", first=b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", greets=True) as server:
        with pytest.raises(LibraryError) as refused:
            connect(LibrarySettings(url=f"https://127.0.0.1:{server.port}"), "secret", typed=True)
        assert server.sent > 0
    assert "answers without end, or too slowly" in refused.value.what


SILENT_NAMES = """
import socket, subprocess, sys
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.9", 53))
print("begun", flush=True)
silent.recv(512)
print("asked", flush=True)
silent.recv(1 << 16)
while True:
    silent.recv(1 << 16)
"""
"""A name server that is asked and never answers."""


@pytest.mark.skipif(os.geteuid() != 0, reason="a name server of its own needs root")
@pytest.mark.parametrize("url", ["mysql://me@nas.example:3306/photoprism", "http://nas.example:2342"])
def test_ctrl_c_ends_the_waiting_for_a_host_s_address(made: Project, tmp_path: Path, url: str) -> None:
    made.change({"library.url": url})
    confirm(made.root, made.settings.library.url)
    names = tmp_path / "resolv.conf"
    names.write_text("nameserver 127.0.0.9\noptions timeout:20 attempts:1\n")
    inside = f"mount --bind {names} /etc/resolv.conf && exec {sys.executable} -m tui.cli -C {made.root} people"

    def once() -> tuple[float, int, str]:
        with subprocess.Popen([sys.executable, "-c", SILENT_NAMES], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "begun\n"
            words = ["unshare", "--mount", "sh", "-c", inside]
            found = interrupted_process(words, lambda: server.stdout.readline() == "asked\n")
            server.kill()
            return found

    ends_soon(once)


@pytest.fixture
def made(tmp_path: Path) -> Project:
    return create_project(tmp_path / "james", trigger="jx265", class_word="man")
