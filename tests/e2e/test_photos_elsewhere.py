"""The commands of docs/remote.md, run as they stand there, against a real SSH server with photos and a MariaDB.

Only what is the reader's own is put in the place of the examples: the machine, its folders, ports and the user.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.dataset.files.layout import DatasetFolder
from engine.project import Project
from tests.e2e.ssh import SshServer
from tests.support.astronaut import FACE, astronaut, save
from tests.support.mariadb import MariaServer, running_server
from tests.support.patience import PATIENCE, Patience
from tests.support.photoprism import Index

pytestmark = pytest.mark.slow

REMOTE = Path(__file__).parents[2] / "docs" / "remote.md"


@dataclass(frozen=True)
class Home:
    """The machine at home: photos, their index, and who may log in. ``near`` is the tunnel's end on this machine."""

    storage: Path
    database: MariaServer
    near: int
    config: Path

    def as_typed(self, commands: str) -> str:
        """The documented commands with this machine's names in them."""
        far = f"{self.near}:127.0.0.1:{self.database.port}"
        for example, own in (
            ("3306:127.0.0.1:3306", far),
            ("photoprism@127.0.0.1:3306", f"reader@127.0.0.1:{self.near}"),
            ("/srv/photoprism", str(self.storage)),
            ("limner ", f"{sys.executable} -m tui.cli -C james "),
        ):
            commands = commands.replace(example, own)
        return commands

    def shell(self, commands: str, folder: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "LIMNER_DB_PASSWORD": "insecure", "PYTHONPATH": str(REMOTE.parents[1])}
        environment["PATH"] = f"{self.config.parent / 'bin'}{os.pathsep}{environment['PATH']}"
        return subprocess.Popen(
            ["sh", "-ec", self.as_typed(commands)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, commands: str, folder: Path) -> str:
        """What they print; they must end well."""
        shell = self.shell(commands, folder)
        told, _ = shell.communicate(timeout=PATIENCE)
        assert shell.returncode == 0, told
        return told


def documented(word: str) -> str:
    """The commands of the page's block that has a word in it."""
    blocks = re.findall(r"```sh\n(.*?)```", REMOTE.read_text("utf-8"), re.DOTALL)
    return next(each for each in blocks if word in each)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file's bytes, time and mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (content, status.st_mtime_ns, status.st_mode)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    storage = tmp_path_factory.mktemp("srv") / "photoprism"
    index = Index()
    james = index.person("James")
    for number in range(1, 4):
        save(storage / f"originals/2019/IMG_{number}.jpg", astronaut(width=400), orientation=number)
        index.face(index.photo(f"2019/IMG_{number}.jpg", (400, 512)), james, FACE)
    save(storage / "storage/sidecar/2020/IMG_9.heic.jpg", astronaut(width=400))
    index.face(index.photo("2020/IMG_9.heic.jpg", (400, 512), file_root="sidecar"), james, FACE)
    keys = tmp_path_factory.mktemp("ssh")
    keys.chmod(0o700)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        near = int(free.getsockname()[1])
    with running_server() as database, SshServer(keys) as server:
        index.to_mariadb(database, "photoprism")
        yield Home(storage, database, near, _ssh_that_knows_nas(keys, server))


def _ssh_that_knows_nas(folder: Path, server: SshServer) -> Path:
    """What the reader has in ``~/.ssh/config``, which is no test's to write, and beside it an ``ssh`` that reads it."""
    words = server.command()
    options = [line for flag, line in itertools.pairwise(words) if flag == "-o"]
    lines = [*options, "HostName=127.0.0.1", f"Port={server.port}", f"IdentityFile={folder / 'user_key'}"]
    config = folder / "config"
    config.write_text("Host nas\n" + "".join(f"  {line}\n" for line in lines))
    program = folder / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    program.chmod(0o755)
    return config


@contextmanager
def tunnel(home: Home, folder: Path) -> Iterator[None]:
    """The documented tunnel, and then the documented ``limner connect``."""
    line, connect = documented("ssh -N -L").splitlines()
    shell = home.shell(f"{line}\nwait", folder)
    try:
        patience = Patience()
        while True:
            try:
                socket.create_connection(("127.0.0.1", home.near), timeout=1).close()
                break
            except OSError:
                assert shell.poll() is None, "the tunnel did not come about"
                assert patience.wait()
        told = home.run(connect, folder)
        assert "originals: 3 of 3 sampled files opened" in told
        assert "sidecar: 1 of 1 sampled files opened" in told
        yield
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.communicate()


def faces_become_a_dataset(home: Home, project: Project) -> None:
    home.run("limner faces scan --person James", project.root.parent)
    home.run("limner faces keep 1 2 3 4", project.root.parent)
    home.run("limner dataset build", project.root.parent)
    assert len(DatasetFolder(project).images()) == 4


@pytest.mark.long
def test_photos_copied_by_rsync_make_a_dataset_and_home_is_untouched(
    home: Home, project: Project, own_home: Path
) -> None:
    before = snapshot(home.storage)
    home.run(documented("rsync -a"), project.root.parent)
    assert snapshot(own_home / "photos") == snapshot(home.storage / "originals")
    assert snapshot(own_home / "sidecar") == snapshot(home.storage / "storage/sidecar")
    with tunnel(home, project.root.parent):
        faces_become_a_dataset(home, project)
    assert snapshot(home.storage) == before


def no_fuse() -> str | None:
    """Why nothing can be mounted here; None where it can."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse can't be opened here: {error.strerror}"
    return None if shutil.which("sshfs") else "sshfs is not installed here"


@pytest.mark.skipif(bool(no_fuse()), reason=str(no_fuse()))
@pytest.mark.long
def test_photos_mounted_by_sshfs_make_a_dataset_also_after_the_line_broke(
    home: Home, project: Project, own_home: Path
) -> None:
    before = snapshot(home.storage)
    folder = project.root.parent
    try:
        home.run(documented("sshfs -o ro"), folder)
        assert snapshot(own_home / "photos").keys() == snapshot(home.storage / "originals").keys()
        with pytest.raises(OSError, match="Read-only file system"):
            (own_home / "photos/2019/IMG_1.jpg").open("ab")
        with tunnel(home, folder):
            home.run("limner people", folder)
            assert break_lines(home, "sftp") == 2
            faces_become_a_dataset(home, project)
    finally:
        home.run(mentioned("fusermount3 -u"), folder)
    assert list((own_home / "photos").iterdir()) == []
    assert snapshot(home.storage) == before


def mentioned(words: str) -> str:
    """The commands that the page's text names, beginning with these words."""
    found = re.search(rf"`({words}[^`]*)`", REMOTE.read_text("utf-8"))
    assert found
    return found[1]


def break_lines(home: Home, subsystem: str) -> int:
    """Ends the connections that sshfs holds, as a network does that goes away; how many there were."""
    ours = {os.fsencode(home.config), os.fsencode(subsystem)}
    broken = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if ours <= set((process / "cmdline").read_bytes().split(b"\0")):
                os.kill(int(process.name), signal.SIGKILL)
                broken += 1
    return broken
