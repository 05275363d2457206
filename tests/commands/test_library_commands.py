"""``limner connect`` and ``limner people``: what works is saved, what doesn't is told in one line."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.project import Project
from tests.commands.conftest import Photos, Run
from tests.support.mariadb import MariaServer
from tests.support.patience import Patience


def _folders(photos: Photos) -> list[str]:
    return ["--originals", str(photos.originals), "--sidecar", str(photos.sidecar)]


@pytest.fixture(scope="module")
def names() -> list[str]:
    return []


@pytest.fixture
def url(server: MariaServer, photos: Photos, names: list[str]) -> str:
    names.append(f"connect{len(names)}")
    return photos.index.to_mariadb(server, names[-1])


def test_a_mariadb_library_is_checked_saved_and_listed(run: Run, url: str, photos: Photos, project: Project) -> None:
    done = run("connect", url, *_folders(photos), LIMNER_DB_PASSWORD="insecure")
    assert done.code == 0, done.err
    first, originals, sidecar, people = done.out.splitlines()
    assert first.startswith("MariaDB 1")
    assert first.endswith("· PhotoPrism · read-only · 6 photos · 6 faces")
    assert originals == f"originals: 4 of 5 sampled files opened ({photos.originals})"
    assert sidecar == f"sidecar: 1 of 1 sampled files opened ({photos.sidecar})"
    assert people == "2 people"
    library = project.settings.library
    assert (library.url, library.originals, library.sidecar) == (url, photos.originals, photos.sidecar)
    assert "insecure" not in project.settings_path.read_text()
    listed = run("people", "--json", LIMNER_DB_PASSWORD="insecure").record["people"]
    assert [(each["name"], each["faces"], each["confirmed"]) for each in listed] == [
        ("James Café", 5, 4),
        ("Jana", 1, 1),
    ]
    table = run("people", LIMNER_DB_PASSWORD="insecure").out
    assert "James Café      5          4  2015–2023" in table


def test_a_sqlite_library_needs_no_password(run: Run, photos: Photos, project: Project) -> None:
    photos.index.to_sqlite(photos.folder / "index.db")
    done = run("connect", f"sqlite:///{photos.folder}/index.db", *_folders(photos), "--json")
    assert done.code == 0, done.err
    record = done.record
    assert (record["photos"], record["faces"], record["saved"]) == (6, 6, True)
    assert [each["root"] for each in record["roots"]] == ["originals", "sidecar"]
    assert project.settings.library.url == f"sqlite://{photos.folder}/index.db"


def test_check_saves_nothing_and_checks_what_is_saved(run: Run, photos: Photos, project: Project) -> None:
    before = project.settings_path.read_text()
    photos.index.to_sqlite(photos.folder / "index.db")
    done = run("connect", photos.folder / "index.db", *_folders(photos), "--check")
    assert done.code == 0, done.err
    assert project.settings_path.read_text() == before
    assert "no library yet" in run("connect", "--check").failure
    run("connect", photos.folder / "index.db", *_folders(photos))
    assert run("connect", "--check").code == 0
    (photos.folder / "index.db").unlink()
    assert "there is no index at" in run("connect", "--check").failure


def test_what_fails_is_told_in_one_line_and_not_saved(run: Run, url: str, photos: Photos, project: Project) -> None:
    before = project.settings_path.read_text()
    folders, right = _folders(photos), {"LIMNER_DB_PASSWORD": "insecure"}
    assert "refused user reader with this password" in run("connect", url, *folders, LIMNER_DB_PASSWORD="x").failure
    assert "without a password: set LIMNER_DB_PASSWORD" in run("connect", url, *folders).failure
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"mysql://reader@127.0.0.1:{probe.getsockname()[1]}/photoprism"
        assert "nothing listens at" in run("connect", nobody, *folders, **right).failure
    assert "there is no host called" in run("connect", "mysql://reader@nowhere.invalid/x", *folders, **right).failure
    assert "finds no database" in run("connect", url + "x", *folders, **right).failure
    assert "holds a password" in run("connect", url.replace("reader@", "reader:insecure@"), *folders).failure
    wrong = ["--originals", str(photos.originals / "2015")]
    assert f"would fit: --originals {photos.originals}" in run("connect", url, *wrong, **right).failure
    assert "originals folder is not set: give it with --originals" in run("connect", url, **right).failure
    assert "there is no folder /nowhere" in run("connect", url, "--originals", "/nowhere", **right).failure
    assert project.settings_path.read_text() == before


def test_a_database_that_is_not_photoprisms_is_told(run: Run, server: MariaServer, photos: Photos) -> None:
    server.run(
        "CREATE OR REPLACE DATABASE wiki",
        "CREATE TABLE wiki.pages (id int)",
        "CREATE USER IF NOT EXISTS keeper@'%' IDENTIFIED BY 'insecure'",
        "GRANT SELECT ON wiki.* TO keeper@'%'",
    )
    wiki = f"mysql://keeper@127.0.0.1:{server.port}/wiki"
    done = run("connect", wiki, *_folders(photos), LIMNER_DB_PASSWORD="insecure")
    assert "wiki is not PhotoPrism's index: it has no table markers" in done.failure


def test_no_address_at_all_is_told(run: Run) -> None:
    assert "no library yet: set it with: limner connect URL" in run("connect").failure
    assert "no library yet" in run("people").failure
    assert run("people", "--nonsense").code == 2


def test_a_scan_over_mariadb_gets_the_password_and_writes_it_nowhere(
    run: Run, url: str, photos: Photos, project: Project
) -> None:
    run("connect", url, *_folders(photos), LIMNER_DB_PASSWORD="insecure")
    assert "without a password" in run("faces", "scan", "--person", "Jana").failure
    done = run("faces", "scan", "--person", "jana", "--json", LIMNER_DB_PASSWORD="insecure")
    assert done.code == 0, done.err
    assert (done.record["person"], done.record["faces"], done.record["usable"]) == ("Jana", 1, 1)
    for path in project.root.rglob("*"):
        assert not path.is_file() or b"insecure" not in path.read_bytes()


def test_a_password_is_asked_for_in_a_terminal_and_not_shown(url: str, photos: Photos, project: Project) -> None:
    terminal, side = pty.openpty()
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "connect", url, *_folders(photos)]
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, cwd=Path(__file__).parents[2], start_new_session=True
    ) as process:
        os.close(side)
        asked = _read_until(terminal, b"Password of reader at 127.0.0.1")
        os.write(terminal, b"insecure\n")
        rest = _read_until(terminal, b"Saved.")
        assert process.wait(30) == 0
    os.close(terminal)
    assert b"insecure" not in asked + rest
    assert b"The password was not saved" in rest


def _read_until(terminal: int, wanted: bytes) -> bytes:
    read, patience = b"", Patience()
    while wanted not in read:
        assert patience.lasts(), read
        if select.select([terminal], [], [], 1)[0]:
            try:
                read += os.read(terminal, 4096)
            except OSError:
                raise AssertionError(read) from None
    return read
