"""Over a real SSH connection, in tmux: a run is started, the connection dies, all is there on coming back."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.faces.records.decisions import Decision, Ledger
from engine.project import Project
from engine.training.runs.run_status import run_status
from tests.e2e.ssh import SSHD, SshServer
from tests.support.patience import wait_until
from tests.support.small_project import SETTINGS
from tests.support.story import story_project
from tests.tui.pseudo_terminal import REPOSITORY, PseudoTerminal

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    assert shutil.which(SSHD), "openssh-server is needed: sh .ci/needs"
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    with SshServer(folder) as running:
        yield running


@pytest.fixture
def tmux_socket() -> Iterator[str]:
    name = f"limner-{uuid.uuid4().hex[:12]}"
    yield name
    subprocess.run(["tmux", "-L", name, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = story_project(tmp_path / "james", faces=8)
    project.change({**SETTINGS, "training.epochs": 300, "training.repeats": 20})
    yield project
    if project.run_folders():
        command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "stop"]
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
        wait_until(lambda: not project.run().alive())


def test_a_run_and_the_app_outlive_the_connection(server: SshServer, project: Project, tmux_socket: str) -> None:
    home = os.environ["HOME"]
    exports = {"HOME": home, "PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    app = [sys.executable, "-m", "tui.cli", "-C", str(project.root)]
    inside = shlex.join(["env", *(f"{name}={value}" for name, value in exports.items()), *app])
    attach = f"tmux -L {tmux_socket} -f /dev/null new-session -A -s main {shlex.quote(inside)}"

    with PseudoTerminal(command=server.command(attach), columns=100, rows=30) as terminal:
        terminal.wait_for(" of 8 ")
        terminal.write(b"y")
        terminal.wait_until(lambda: decision(project, 1) is Decision.KEEP)
        terminal.write(b"B")
        terminal.wait_until(lambda: len(list(project.dataset.glob("*/*.png"))) >= 4)
        terminal.wait_until_quiet(1.0)
        terminal.write(b"4")
        terminal.wait_for("image-steps")
        terminal.write(b"s")
        terminal.wait_until(lambda: bool(project.run_folders()) and (run_status(project.run()).step or 0) >= 3)
        os.kill(terminal.pid, signal.SIGKILL)

    before = run_status(project.run()).step or 0
    wait_until(lambda: (run_status(project.run()).step or 0) > before + 3)
    assert project.run().alive()

    with PseudoTerminal(command=server.command(attach), columns=120, rows=40) as terminal:
        terminal.wait_for("Progress")
        terminal.write(b"2")
        terminal.wait_for("Which faces are good?")
        terminal.write(b"u")
        terminal.wait_until(lambda: decision(project, 1) is Decision.UNDECIDED)
        terminal.write(b"q")
        terminal.wait_for("A run is still going")
    assert project.run().alive()


def decision(project: Project, face: int) -> Decision:
    with project.store() as store:
        return Ledger(store).face(face).decision
