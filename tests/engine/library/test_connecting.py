"""What goes wrong between a user and a library is told apart, in one line with what to do."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.errors import HostUnreachable, LibraryError, NotALibrary, WrongPassword
from engine.library.address import parse_address
from engine.library.password import find_password, save_password
from engine.library.registry import connect
from engine.settings import LibrarySettings
from tests.support.mariadb import MariaServer
from tests.support.photoprism import Index

_databases = itertools.count(1)


def _index() -> Index:
    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    return index


@pytest.fixture
def url(server: MariaServer) -> str:
    return _index().to_mariadb(server, f"connecting{next(_databases)}")


def _connect(url: str, password: str | None = "insecure") -> None:
    connect(LibrarySettings(url=url), password).close()


def test_a_wrong_password_is_told(url: str) -> None:
    with pytest.raises(WrongPassword, match=r"refused user reader with this password: check .*LIMNER_DB_PASSWORD"):
        _connect(url, "wrong")


def test_a_missing_password_is_told(url: str) -> None:
    with pytest.raises(WrongPassword, match="without a password: set LIMNER_DB_PASSWORD"):
        _connect(url, None)


def test_an_unknown_database_is_told(url: str) -> None:
    with pytest.raises(NotALibrary, match="finds no database nothere"):
        _connect(url.rsplit("/", 1)[0] + "/nothere")


def test_a_database_of_something_else_is_told(server: MariaServer) -> None:
    server.run(
        "CREATE OR REPLACE DATABASE shop",
        "CREATE TABLE shop.photos (id int)",
        "CREATE USER IF NOT EXISTS keeper@'%' IDENTIFIED BY 'insecure'",
        "GRANT SELECT ON shop.* TO keeper@'%'",
    )
    with pytest.raises(NotALibrary, match="shop is not PhotoPrism's index: it has no table markers, subjects, files"):
        _connect(f"mysql://keeper@127.0.0.1:{server.port}/shop")


def test_a_port_where_nothing_listens_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(HostUnreachable, match=f"nothing listens at 127.0.0.1:{port}: publish MariaDB's port"):
        _connect(f"mysql://reader@127.0.0.1:{port}/photoprism")


def test_an_unknown_host_is_told() -> None:
    with pytest.raises(HostUnreachable, match=r"there is no host called nowhere\.invalid: check the host"):
        _connect("mysql://reader@nowhere.invalid/photoprism")


def test_a_host_that_hangs_up_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(HostUnreachable, match="can't be reached"):
            _connect(f"mysql://reader@127.0.0.1:{listener.getsockname()[1]}/photoprism")
        thread.join()


def test_a_socket_is_as_good_as_a_port(server: MariaServer, url: str) -> None:
    database = url.rsplit("/", 1)[1]
    local = f"mysql://reader@localhost/{database}"
    with connect(LibrarySettings(url=f"{local}?unix_socket={server.socket}"), "insecure") as it:
        assert it.people()[0].name == "James"
    with pytest.raises(HostUnreachable, match="no server listens on /nowhere/s"):
        _connect(f"{local}?unix_socket=/nowhere/s")


def test_even_a_user_who_may_write_can_not(server: MariaServer, url: str) -> None:
    database = url.rsplit("/", 1)[1]
    server.run(
        "CREATE USER IF NOT EXISTS owner@'%' IDENTIFIED BY 'insecure'", f"GRANT ALL ON {database}.* TO owner@'%'"
    )
    with connect(LibrarySettings(url=url.replace("reader", "owner")), "insecure") as library:
        with pytest.raises(DBAPIError, match="READ ONLY"):
            library.connection.execute(text("UPDATE subjects SET subj_name = 'X'"))
        library.connection.rollback()
        assert library.people()[0].name == "James"


def test_a_user_without_rights_on_a_table_is_told_what_to_grant(server: MariaServer, url: str) -> None:
    database = url.rsplit("/", 1)[1]
    server.run(
        "CREATE USER IF NOT EXISTS poor@'%' IDENTIFIED BY 'insecure'", f"GRANT SELECT ON {database}.photos TO poor@'%'"
    )
    with pytest.raises(LibraryError, match="has no table markers"):
        _connect(url.replace("reader", "poor"))


def test_an_index_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotALibrary, match="there is no index at"):
        _connect(f"sqlite:///{tmp_path}/index.db")
    assert not (tmp_path / "index.db").exists()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "index.db").write_text("not a database " * 100)
    with pytest.raises(NotALibrary, match=r"is not an SQLite database: give PhotoPrism's index.db"):
        _connect(str(tmp_path / "index.db"))


def test_another_sqlite_database_is_told(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE things (id)")
    with pytest.raises(NotALibrary, match="is not PhotoPrism's index: it has no table markers"):
        _connect(str(tmp_path / "other.db"))


def test_a_project_without_a_library_is_told() -> None:
    with pytest.raises(LibraryError, match="no library yet: set it with: limner connect"):
        connect(LibrarySettings())


def test_reading_leaves_no_file_beside_a_write_ahead_index(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    _index().to_sqlite(path)
    with sqlite3.connect(path) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("UPDATE subjects SET subj_alias = 'J'")
    writer.close()
    assert os.listdir(tmp_path) == ["index.db"]
    with connect(LibrarySettings(url=str(path))) as library:
        assert library.people()[0].faces == 1
        assert os.listdir(tmp_path) == ["index.db"]
    assert os.listdir(tmp_path) == ["index.db"]


def test_a_write_ahead_index_in_use_is_read_with_its_newest_rows(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    _index().to_sqlite(path)
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE subjects SET subj_name = 'Renamed'")
    writer.commit()
    with connect(LibrarySettings(url=str(path))) as library:
        assert library.people()[0].name == "Renamed"
    writer.close()


def test_the_password_comes_from_the_environment_without_any_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    address = parse_address("mysql://reader@db/photoprism")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    import keyring
    from keyring.backends import fail

    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())
    assert find_password(address, None) is None
    with pytest.raises(LibraryError, match=r"no working keyring .*: set LIMNER_DB_PASSWORD instead"):
        save_password(address, "x")
    monkeypatch.setenv("LIMNER_DB_PASSWORD", "from outside")
    assert find_password(address, None) == "from outside"
    assert find_password(parse_address("/somewhere/index.db"), None) is None
