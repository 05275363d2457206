"""A real MariaDB server of the tests' own: own data folder, own socket, a free port, no root's rights needed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
from pymysql.connections import Connection

from engine.storage.file_locks import file_lock
from tests.support.patience import PATIENCE, Patience

SHARED_FOLDER = "LIMNER_TESTS_SHARED"
"""Names the folder that all processes of a run of the tests share."""

LOG_BYTES = 8 << 20
"""A redo log that is quickly made and copied."""


@dataclass(frozen=True)
class MariaServer:
    port: int
    socket: Path

    def root(self, database: str | None = None) -> Connection:
        return pymysql.connect(
            unix_socket=str(self.socket), user="root", database=database, charset="utf8mb4", autocommit=True
        )

    def run(self, *statements: str, database: str | None = None) -> None:
        connection = self.root(database)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@dataclass
class Killable:
    """A server that can be killed as by a power cut, and started again on the same data and port."""

    server: MariaServer
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        _wait_until_up(self.server, self.process, self.log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextmanager
def running_server(*more: str) -> Iterator[MariaServer]:
    """With ``more`` options, if any."""
    with killable_server(*more) as killable:
        yield killable.server


@contextmanager
def killable_server(*more: str) -> Iterator[Killable]:
    """The same, to be killed."""
    # Not pytest's folder: a socket's path may have 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix="limner-db-"))
    try:
        as_root = ["--user=root"] if os.getuid() == 0 else []
        small = [f"--innodb-log-file-size={LOG_BYTES}"]
        # Its temporary tables in a folder of its own: a server that starts sweeps the leftovers of others out of /tmp,
        # and takes those that one beside it is just using.
        temporary = home / "tmp"
        temporary.mkdir()
        install = [_program("mariadb-install-db"), "--no-defaults", *as_root, *small]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        _fill(home / "data", install, {**os.environ, "TMPDIR": str(temporary)})
        server = MariaServer(_free_port(), home / "s")
        options = [
            f"--datadir={home / 'data'}",
            f"--socket={server.socket}",
            f"--port={server.port}",
            "--bind-address=127.0.0.1",
        ]
        options += [f"--pid-file={home / 'pid'}", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        options += ["--skip-name-resolve", "--performance-schema=off", f"--tmpdir={temporary}", *more]
        killable = Killable(server, [_program("mariadbd"), "--no-defaults", *as_root, *small, *options], home / "log")
        try:
            killable.start()
            yield killable
        finally:
            if killable.process is not None:
                killable.process.terminate()
                try:
                    killable.process.wait(30)
                except subprocess.TimeoutExpired:
                    killable.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _fill(data: Path, install: list[str], environment: dict[str, str]) -> None:
    """Makes the folder of an empty server: anew, or as a copy of one that is made once for all processes that test."""
    if not (shared := os.environ.get(SHARED_FOLDER)):
        _install(data, install, environment)
        return
    made = Path(shared) / "mariadb"
    with file_lock(made.parent):
        if not made.exists():
            part = made.with_suffix(".part")
            _install(part, install, environment)
            part.rename(made)
    shutil.copytree(made, data)


def _install(data: Path, install: list[str], environment: dict[str, str]) -> None:
    words = [*install, f"--datadir={data}"]
    subprocess.run(words, env=environment, check=True, capture_output=True, timeout=PATIENCE)


def _wait_until_up(server: MariaServer, process: subprocess.Popen[bytes], log: Path) -> None:
    patience = Patience()
    while True:
        try:
            # Nobody without a name: such a user would shadow the named ones on the socket.
            server.run("DELETE FROM mysql.global_priv WHERE user = ''", "FLUSH PRIVILEGES")
            return
        except pymysql.err.OperationalError:
            if process.poll() is not None or not patience.wait():
                raise AssertionError(f"MariaDB did not start:\n{log.read_text(errors='replace')[-3000:]}") from None


def _program(name: str) -> str:
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=places)
    assert found, f"the tests need {name}: apt-get install mariadb-server"
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
