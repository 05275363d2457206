"""The project's database: whole changes, migrations after a copy, and what is told when there is no room."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.errors import DiskFull, ProjectError
from engine.storage import database as module
from engine.storage.backups import KEPT_COPIES, copies
from engine.storage.database import Store
from engine.storage.migrations import MIGRATIONS, apply

OLD = 3
"""The version of the project that is migrated here."""


def of_version(path: Path, version: int, prompts: int = 1) -> Path:
    """A database as that version left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        for migration in MIGRATIONS[:version]:
            apply(migration, made, path.parent)
        made.execute(f"PRAGMA user_version={version}")
        made.execute("BEGIN")
        made.executemany("INSERT INTO prompts (t, text) VALUES (0, ?)", [(str(n),) for n in range(prompts)])
        made.execute("COMMIT")
    return path


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as found:
        return int(found.execute("PRAGMA user_version").fetchone()[0])


def prompts_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as found:
        assert found.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return int(found.execute("SELECT count(*) FROM prompts").fetchone()[0])


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    """A disk that is full at ``limit`` bytes a file, for this process alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_change_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "limner.db")

    def half_a_change() -> None:
        with store.change() as change:
            change.execute("INSERT INTO prompts (t, text) VALUES (0, 'a')")
            raise RuntimeError("killed half way")

    with pytest.raises(RuntimeError):
        half_a_change()
    assert store.rows("SELECT * FROM prompts") == []


def test_what_another_process_wrote_is_noticed(tmp_path: Path) -> None:
    ours, theirs = Store(tmp_path / "limner.db"), Store(tmp_path / "limner.db")
    before = ours.version()
    with theirs.change() as change:
        change.execute("INSERT INTO prompts (t, text) VALUES (0, 'a')")
    assert ours.version() != before
    assert len(ours.rows("SELECT * FROM prompts")) == 1


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "limner.db").write_text("not a database, whatever its name says\n" * 50)
    with pytest.raises(ProjectError, match=r"limner\.db"):
        Store(tmp_path / "limner.db")


def test_many_processes_make_one_database_at_once(tmp_path: Path) -> None:
    code = "from engine.storage.database import Store; import pathlib, sys; Store(pathlib.Path(sys.argv[1])).close()"
    made = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "limner.db")]) for _ in range(6)]
    assert [each.wait(60) for each in made] == [0] * 6
    assert version_of(tmp_path / "limner.db") == len(MIGRATIONS)


class TestAProjectOfAnOlderVersion:
    def test_is_brought_up_to_date_after_a_copy(self, tmp_path: Path) -> None:
        path = of_version(tmp_path / "limner.db", OLD, prompts=7)
        store = Store(path)
        assert len(store.rows("SELECT * FROM prompts")) == 7
        assert version_of(path) == len(MIGRATIONS)
        copy = tmp_path / f"limner.db.v{OLD}.bak"
        assert copies(path) == [copy]
        assert (version_of(copy), prompts_in(copy)) == (OLD, 7)
        store.close()
        Store(path).close()
        assert copies(path) == [copy], "what is up to date is not copied again"
        assert sorted(each.name for each in tmp_path.iterdir()) == ["limner.db", copy.name]

    def test_is_copied_with_what_only_its_log_holds_yet(self, tmp_path: Path) -> None:
        path = of_version(tmp_path / "limner.db", OLD)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("INSERT INTO prompts (t, text) VALUES (0, 'in the log alone')")
            Store(path).close()
        assert prompts_in(copies(path)[0]) == 2

    def test_keeps_a_few_copies_and_writes_over_none(self, tmp_path: Path) -> None:
        path = tmp_path / "limner.db"
        for count in range(1, KEPT_COPIES + 3):
            path.unlink(missing_ok=True)
            Store(of_version(path, OLD, prompts=count)).close()
        assert [prompts_in(each) for each in copies(path)] == [3, 4, 5]
        assert copies(path)[-1].name == f"limner.db.v{OLD}-5.bak"

    def test_keeps_the_copy_just_made_beside_copies_of_newer_versions(self, tmp_path: Path) -> None:
        path = of_version(tmp_path / "limner.db", OLD, prompts=7)
        for newer in range(OLD + 1, OLD + 1 + KEPT_COPIES):
            (tmp_path / f"limner.db.v{newer}.bak").write_bytes(path.read_bytes())
        Store(path).close()
        assert prompts_in(tmp_path / f"limner.db.v{OLD}.bak") == 7
        assert len(copies(path)) == KEPT_COPIES

    def test_stays_as_it_is_where_there_is_no_room_for_the_copy(self, tmp_path: Path) -> None:
        path = of_version(tmp_path / "limner.db", OLD, prompts=3000)
        with files_no_larger_than(path.stat().st_size // 2), pytest.raises(DiskFull, match="make room"):
            Store(path)
        assert (version_of(path), prompts_in(path)) == (OLD, 3000)
        assert [each.name for each in tmp_path.iterdir() if "bak" in each.name] == []
        Store(path).close()
        assert version_of(path) == len(MIGRATIONS)

    def test_killed_while_it_migrates_is_the_old_one_or_the_new_one(self, tmp_path: Path) -> None:
        script = textwrap.dedent("""
            import os, signal, sys
            from pathlib import Path
            from engine.storage import database as store
            left = int(sys.argv[2])
            def trace(statement):
                global left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            real = store.sqlite3.connect
            def connect(*args, **named):
                made = real(*args, **named)
                made.set_trace_callback(trace)
                return made
            store.sqlite3.connect = connect
            store.Store(Path(sys.argv[1])).close()
        """)
        died = 0
        for at in sorted(random.Random(8).sample(range(3, 60), 6)):
            path = of_version(tmp_path / f"{at}.db", OLD, prompts=5)
            done = subprocess.run([sys.executable, "-c", script, str(path), str(at)], check=False)
            died += done.returncode == -signal.SIGKILL
            assert version_of(path) in (OLD, len(MIGRATIONS))
            Store(path).close()
            assert (version_of(path), prompts_in(path)) == (len(MIGRATIONS), 5)
            assert all((version_of(each), prompts_in(each)) == (OLD, 5) for each in copies(path))
        assert died >= 3


class TestAProjectOfANewerLimner:
    def test_is_left_alone(self, tmp_path: Path) -> None:
        path = of_version(tmp_path / "limner.db", 1)
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("PRAGMA journal_mode=DELETE")
            newer.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
        before = path.read_bytes()
        with pytest.raises(ProjectError, match=r"newer Limner.*update Limner"):
            Store(path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["limner.db"]

    def test_is_left_alone_where_only_its_log_tells_the_version(self, tmp_path: Path) -> None:
        path = of_version(tmp_path / "limner.db", 1)
        script = (
            "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            f"c.execute('PRAGMA user_version={len(MIGRATIONS) + 1}'); os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", script, str(path)], check=False)
        before = path.read_bytes(), path.with_name("limner.db-wal").read_bytes()
        assert before[1]
        with pytest.raises(ProjectError, match="newer Limner"):
            Store(path)
        assert (path.read_bytes(), path.with_name("limner.db-wal").read_bytes()) == before


class TestNoRoom:
    def test_loses_nothing_and_goes_on_when_there_is_room_again(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "limner.db")

        def add(text: str) -> None:
            with store.change() as change:
                change.execute("INSERT INTO prompts (t, text) VALUES (0, ?)", (text,))

        add("before")
        log = tmp_path / "limner.db-wal"
        with files_no_larger_than(log.stat().st_size):
            with pytest.raises(DiskFull, match=r"limner\.db.*make room"):
                add("x" * 100_000)
            # Reading, and opening another time, need no room.
            assert len(Store(tmp_path / "limner.db").rows("SELECT * FROM prompts")) == 1
        add("after")
        assert [row["text"] for row in store.rows("SELECT text FROM prompts ORDER BY id")] == ["before", "after"]

    def test_at_the_end_of_a_change_leaves_no_half_open_one(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "limner.db")
        limit = (tmp_path / "limner.db-wal").stat().st_size
        with files_no_larger_than(limit), pytest.raises(DiskFull), store.change() as change:
            change.execute("INSERT INTO prompts (t, text) VALUES (0, 'small enough for memory')")
        assert not store.connection.in_transaction
        with store.change() as change:
            change.execute("INSERT INTO prompts (t, text) VALUES (0, 'after')")
        assert len(store.rows("SELECT text FROM prompts")) == 1


def test_a_database_that_another_program_holds_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    holder, other = Store(tmp_path / "limner.db"), Store(tmp_path / "limner.db")
    with holder.change(), pytest.raises(ProjectError, match="held by another program"), other.change():
        pass
