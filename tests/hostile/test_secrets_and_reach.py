"""Passwords are in no file and no list of processes, what is written is the user's alone, the library is only read."""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine.llm.server
from engine.faces.scan import start_scan
from engine.jobs.folder import JobKind
from engine.jobs.follow import wait
from engine.jobs.start import NEEDED_BY, _environment, _from_a_hub
from engine.project import Project
from engine.secrets import IMMICH_KEY_VARIABLE, PASSWORD_VARIABLE, RENT_KEY_VARIABLES
from tests.commands.conftest import Photos, Run, photos, run  # noqa: F401
from tests.support.astronaut import FACE, save
from tests.support.mariadb import MariaServer, running_server
from tests.support.patience import PATIENCE, Patience
from tests.support.rows import usual

SECRET = "Tr0ub4dor&3 %40/#correct-horse"
_databases = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaServer]:
    with running_server() as found:
        yield found


def limner(project: Project, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as a user runs it who lets everybody read new files."""
    return subprocess.run(
        [sys.executable, "-m", "tui.cli", "-C", str(project.root), *map(str, words)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        umask=0,
        timeout=PATIENCE,
        cwd=Path(__file__).parents[2],
    )


@pytest.fixture
def index(photos: Photos, server: MariaServer) -> str:  # noqa: F811
    """The address of an index on MariaDB whose user may do anything, and has the secret for a password."""
    url = photos.index.to_mariadb(server, f"secrets{next(_databases)}")
    server.run(f"ALTER USER reader@'%' IDENTIFIED BY '{SECRET}'", "GRANT ALL ON *.* TO reader@'%'")
    return url


def test_a_password_is_in_no_file_no_list_of_processes_and_no_message(
    project: Project,
    photos: Photos,  # noqa: F811
    index: str,
    server: MariaServer,
    own_home: Path,
) -> None:
    folders = ("--originals", photos.originals, "--sidecar", photos.sidecar)
    said = [limner(project, "connect", index, *folders, LIMNER_DB_PASSWORD=SECRET)]
    assert said[0].returncode == 0, said[0].stderr
    database = index.rpartition("/")[2]
    holder = server.root(database)
    with holder, holder.cursor() as cursor:
        # The scan has to wait, and can be looked at meanwhile.
        cursor.execute("LOCK TABLES markers WRITE")
        scan = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", "-C", str(project.root), "faces", "scan", "--person", "Jana"],
            env={**os.environ, PASSWORD_VARIABLE: SECRET},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        waited = _processes_of(project)
        cursor.execute("UNLOCK TABLES")
    assert len(waited) >= 2, waited
    assert not [line for line in waited if SECRET in line]
    said.append(subprocess.CompletedProcess([], scan.wait(PATIENCE), scan.communicate()[0]))
    assert said[-1].returncode == 0, said[-1].stdout
    said.append(limner(project, "connect", index, LIMNER_DB_PASSWORD=f"wrong {SECRET}"))
    said.append(limner(project, "doctor", "--json", LIMNER_DB_PASSWORD=SECRET))
    said.append(limner(project, "connect", f"mysql://reader:{SECRET}@127.0.0.1:1/p"))
    assert said[-1].returncode == 1, said[-1]
    project.change({"library.url": "mysql://nobody@127.0.0.1:1/photoprism"})
    said.append(limner(project, "people", LIMNER_DB_PASSWORD=SECRET))
    for done in said:
        told = f"{done.stdout}{done.stderr}"
        assert not re.search(r"Tr0ub4dor|correct-horse", told), told
    holding = [path for folder in (project.root, own_home) for path in _files(folder) if _holds(path, SECRET)]
    assert not holding


def test_a_password_that_was_typed_is_told_to_the_scan_and_to_nobody_else(
    project: Project,
    photos: Photos,  # noqa: F811
    index: str,
    server: MariaServer,
    own_home: Path,
) -> None:
    project.change({"library.url": index, "library.originals": photos.originals, "library.sidecar": photos.sidecar})
    holder = server.root(index.rpartition("/")[2])
    with holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLES markers WRITE")
        scan = start_scan(project, "Jana", SECRET)
        waited = _processes_of(project)
        cursor.execute("UNLOCK TABLES")
    wait(scan)
    assert any("engine.jobs.worker" in line for line in waited)
    assert not [line for line in waited if SECRET in line]
    assert not [path for folder in (project.root, own_home) for path in _files(folder) if _holds(path, SECRET)]


def test_every_file_is_the_user_s_alone_whatever_the_umask_says(
    tmp_path: Path,
    photos: Photos,  # noqa: F811
    own_home: Path,
) -> None:
    project = Project(tmp_path / "new/james")
    url = photos.index.to_sqlite(photos.folder / "index.db")
    assert limner(project, "new", project.root).returncode == 0
    for words in (
        ("connect", url, "--originals", photos.originals, "--sidecar", photos.sidecar),
        ("faces", "scan", "--person", "Jana"),
        ("faces", "keep", "1"),
        ("dataset", "build"),
        ("export", tmp_path / "exported", "--format", "kohya"),
    ):
        done = limner(project, *words)
        assert done.returncode == 0, done.stderr
    written = [path for folder in (tmp_path / "new", tmp_path / "exported", own_home) for path in folder.rglob("*")]
    assert {"limner.toml", "limner.db", "events.jsonl", "worker.log", "job.json", "lock", "0001.png", "0001.txt"} <= {
        path.name for path in written
    }
    assert not [path for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.parametrize("journal", usual(["wal", "delete"], 1))
def test_nothing_is_written_to_an_sqlite_library_or_its_photos(
    journal: str,
    project: Project,
    photos: Photos,  # noqa: F811
    run: Run,  # noqa: F811
) -> None:
    url = photos.index.to_sqlite(photos.folder / "index.db")
    with sqlite3.connect(photos.folder / "index.db") as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
    connection.close()
    before = _state(photos.folder)
    _use(project, url, photos, run)
    assert _state(photos.folder) == before


def test_nothing_is_written_to_a_mariadb_library(
    project: Project,
    photos: Photos,  # noqa: F811
    run: Run,  # noqa: F811
    index: str,
    server: MariaServer,
) -> None:
    before = _state(photos.folder)
    server.run("SET GLOBAL log_output = 'TABLE'", "TRUNCATE mysql.general_log", "SET GLOBAL general_log = ON")
    try:
        _use(project, index, photos, run, LIMNER_DB_PASSWORD=SECRET)
    finally:
        server.run("SET GLOBAL general_log = OFF")
    connection = server.root()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT thread_id, command_type, argument FROM mysql.general_log WHERE user_host LIKE '%reader%'"
        )
        log = [(int(thread), str(kind), _text(words)) for thread, kind, words in cursor.fetchall()]
    queries = [words for _, kind, words in log if kind not in ("Connect", "Quit")]
    assert len(queries) > 20
    settings = "NAMES|AUTOCOMMIT|SESSION TRANSACTION READ ONLY|SESSION max_statement_time"
    reads = re.compile(rf"\s*(SELECT|SHOW|DESCRIBE|EXPLAIN|ROLLBACK|SET ({settings}))\b", re.I)
    assert [words for words in queries if not reads.match(words)] == []
    for thread in {thread for thread, _, _ in log}:
        said = [words for each, kind, words in log if each == thread and kind == "Query"]
        assert any("READ ONLY" in words for words in said[:4]), said[:4]
    assert _state(photos.folder) == before


@pytest.mark.long
def test_private_photos_are_seen_only_when_asked_for(photos: Photos, run: Run) -> None:  # noqa: F811
    james = photos.index.rows["subjects"][0]
    save(photos.originals / "private.jpg")
    secret = photos.index.photo("private.jpg", taken="2021-01-01 00:00:00", photo_private=1)
    photos.index.face(secret, james, FACE)
    hidden = photos.index.person("Hidden")
    photos.index.face(secret, hidden, FACE)
    url = photos.index.to_sqlite(photos.folder / "index.db")
    folders = ("--originals", photos.originals, "--sidecar", photos.sidecar)
    for asked, seen in (((), False), (("--private",), True), (("--no-private",), False)):
        done = run("connect", url, *folders, *asked, "--json")
        assert done.code == 0, done.err
        assert ("Hidden" in done.out) == seen
        assert ("Hidden" in run("people", "--json").out) == seen
        listed = run("faces", "scan", "--person", "James Café", "--json")
        assert listed.code == 0, listed.err
        assert ("private.jpg" in run("faces", "list", "--json").out) == seen


def test_a_job_gets_no_secret_that_is_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    rent = {name for names in RENT_KEY_VARIABLES.values() for name in names}
    assert set(NEEDED_BY) == {PASSWORD_VARIABLE, IMMICH_KEY_VARIABLE, engine.llm.server.KEY_VARIABLE, *rent}
    for name in NEEDED_BY:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    for kind in JobKind:
        given = _environment(kind)
        assert {name for name in NEEDED_BY if name in given} == {
            name for name, needed in NEEDED_BY.items() if kind in needed
        }
        assert given["HF_HUB_DISABLE_TELEMETRY"] == given["DO_NOT_TRACK"] == "1"
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "GITHUB_TOKEN", "MY_PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    assert SECRET not in _environment(JobKind.TRAIN).values()
    assert _environment(JobKind.TRAIN, from_a_hub=True)["HF_TOKEN"] == SECRET
    assert "AWS_SECRET_ACCESS_KEY" not in _environment(JobKind.TRAIN, from_a_hub=True)
    assert SECRET not in _environment(JobKind.PAINT).values()
    # The agent holds keys to the user's own machines, and a rented one has a key of its own.
    assert _environment(JobKind.TRAIN_REMOTE)["SSH_AUTH_SOCK"] == SECRET
    assert "SSH_AUTH_SOCK" not in _environment(JobKind.TRAIN_RENTED)


def test_a_base_model_inside_the_project_needs_no_hubs_token(project: Project) -> None:
    (project.root / "models" / "base").mkdir(parents=True)
    project.change({"base.model": "models/base"})
    assert not _from_a_hub(project.root, JobKind.TRAIN)
    project.change({"base.model": "somebody/else"})
    assert _from_a_hub(project.root, JobKind.TRAIN)


def _use(project: Project, url: str, photos: Photos, run: Run, **environment: str) -> None:  # noqa: F811
    """All that Limner does with a library."""
    folders = ("--originals", photos.originals, "--sidecar", photos.sidecar)
    for words in (
        ("connect", url, *folders),
        ("people",),
        ("faces", "scan", "--person", "James Café"),
        ("faces", "measure"),
        ("faces", "keep", "1", "2"),
        ("faces", "show", "1", "-o", project.root / "face.png"),
        ("dataset", "build"),
        ("caption", "--with", "template"),
        ("doctor",),
    ):
        done = run(*words, **environment)
        assert done.code == 0 or words == ("doctor",), (words, done.err)


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's bytes, and when each file and folder was changed last."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (path.stat().st_mtime_ns, content)
    return found


def _processes_of(project: Project) -> list[str]:
    """The command lines of all processes, as soon as the command and its job are among them."""
    patience = Patience()
    while True:
        lines = []
        for each in Path("/proc").iterdir():
            try:
                if each.name.isdigit():
                    lines.append((each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        mine = [line for line in lines if str(project.root) in line]
        if any("engine.jobs.worker" in line for line in mine) or not patience.lasts():
            return [*mine, *lines]


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.is_file())


def _holds(path: Path, secret: str) -> bool:
    content = path.read_bytes()
    return any(part.encode() in content for part in (secret, "Tr0ub4dor", "correct-horse"))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
