"""Kitty's pictures through a real tmux: handed on where tmux was told to, refused with the command where not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.project import Project
from tests.support.patience import Patience
from tests.support.story import story_project
from tests.tui.pseudo_terminal import REPOSITORY, PseudoTerminal
from tui.terminal.kitty import PLACEHOLDER

HANDED_ON = b"\x1b_Ga=T,U=1,q=2,f=100,t=d,"


class Kitty(PseudoTerminal):
    """Says that it is Kitty when tmux asks."""

    def received(self, data: bytes) -> None:
        if b"\x1b[>q" in data or b"\x1b[>0q" in data:
            self.write(b"\x1bP>|kitty(0.35.2)\x1b\\")


@pytest.fixture
def tmux_socket() -> Iterator[str]:
    name = f"limner-{uuid.uuid4().hex[:12]}"
    yield name
    subprocess.run(["tmux", "-L", name, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return story_project(tmp_path / "james", faces=4)


def attached(project: Project, socket: str, tmp_path: Path, passthrough: str) -> Kitty:
    settings = tmp_path / "tmux.conf"
    settings.write_text(f"set -g allow-passthrough {passthrough}\nset -as terminal-features ',*:RGB'\n")
    exports = [f"HOME={os.environ['HOME']}", f"PYTHONPATH={REPOSITORY}", "LANG=C.UTF-8"]
    inside = shlex.join(["env", *exports, sys.executable, "-m", "tui.cli", "-C", str(project.root)])
    # The app begins once tmux has heard from the terminal, as when somebody types its name.
    tmux = ["tmux", "-u", "-L", socket, "-f", str(settings), "new-session", "-s", "main", f"sleep 1; {inside}"]
    return Kitty(command=tmux, columns=110, rows=32)


def test_a_picture_reaches_the_terminal_behind_tmux(project: Project, tmux_socket: str, tmp_path: Path) -> None:
    with attached(project, tmux_socket, tmp_path, "on") as terminal:
        terminal.wait_for(" of 4 ")
        terminal.wait_for(HANDED_ON.decode())
        terminal.wait_for(PLACEHOLDER)


def test_without_passthrough_half_blocks_stay_and_the_command_is_told(
    project: Project, tmux_socket: str, tmp_path: Path
) -> None:
    with attached(project, tmux_socket, tmp_path, "off") as terminal:
        terminal.wait_for(" of 4 ")
        terminal.wait_for("▀▀")
        terminal.wait_until_quiet()
        terminal.write(b"I")
        terminal.wait_for("allow-passthrough")
        assert HANDED_ON not in terminal.output


def test_a_path_is_copied_through_tmux(project: Project, tmux_socket: str, tmp_path: Path) -> None:
    with attached(project, tmux_socket, tmp_path, "off") as terminal:
        terminal.wait_for(" of 4 ")
        terminal.wait_for("▀▀")
        terminal.write(b"C")
        terminal.wait_for("Copied")
        command = ["tmux", "-L", tmux_socket, "show-buffer"]
        patience = Patience()
        # A thread hands it to tmux.
        while (copied := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
            assert patience.lasts(), copied.stderr
            terminal.take(0.05)
        assert copied.stdout == str(project.root / "photos" / "IMG_2201.jpg")
