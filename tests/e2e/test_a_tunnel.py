"""The database through a real ``ssh -L`` to a real MariaDB, as docs/remote.md has it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from engine.errors import HostUnreachable
from engine.library.registry import connect
from engine.settings import LibrarySettings
from tests.e2e.ssh import SshServer
from tests.support.mariadb import running_server
from tests.support.patience import Patience
from tests.support.photoprism import Index

pytestmark = pytest.mark.slow


def test_a_database_behind_a_tunnel_is_read_like_one_that_is_here(tmp_path: Path) -> None:
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    index = Index()
    index.face(index.photo("a.jpg"), index.person("James"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with running_server() as server, SshServer(folder) as ssh:
        index.to_mariadb(server, "photoprism")
        settings = LibrarySettings(url=f"mysql://reader@127.0.0.1:{port}/photoprism")
        with pytest.raises(HostUnreachable, match=rf"open an SSH tunnel .*ssh -N -L {port}:127.0.0.1:{port} "):
            connect(settings, "insecure")
        log_in = [word for word in ssh.command() if word != "-tt"]
        tunnel = subprocess.Popen([*log_in, "-N", "-L", f"{port}:127.0.0.1:{server.port}"], stdin=subprocess.DEVNULL)
        try:
            _wait_for(port, tunnel)
            with connect(settings, "insecure") as library:
                assert library.people()[0].name == "James"
                assert library.describe().notes == ()
        finally:
            tunnel.terminate()
            tunnel.wait()


def _wait_for(port: int, tunnel: subprocess.Popen[bytes]) -> None:
    patience = Patience()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert tunnel.poll() is None, "the tunnel did not come about"
            assert patience.wait()
