"""What stands in ``deploy/``: an image and a task for SkyPilot, as far as that can be told without building them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine.remote.check import TOOLS

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


def test_the_image_has_what_a_machine_needs() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    for program in ("openssh-server", "rsync", "tmux", "coreutils"):
        assert program in text
    assert set(TOOLS) <= {"sha256sum", "stat", "tail", "head", "mkdir", "mv"}, "all of them are of coreutils"
    assert "--constraint /tmp/keep.txt" in text
    assert "PasswordAuthentication no" in text


def test_nothing_secret_stands_in_the_image() -> None:
    for path in (each for each in DEPLOY.rglob("*") if each.is_file() and "__pycache__" not in each.parts):
        assert not re.search(r"(?i)(api_?key|token|password)\s*=\s*\S", path.read_text()), path
    # An image that is built once must not give all its machines one host key.
    assert "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*" in (DEPLOY / "Containerfile").read_text()


def test_what_it_starts_with_is_a_script_that_lets_one_key_in(tmp_path: Path) -> None:
    subprocess.run(["sh", "-n", DEPLOY / "start.sh"], check=True)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = (DEPLOY / "start.sh").read_text().replace("/usr/sbin/sshd", str(bin_ / "sshd"))
    for name in ("sshd", "ssh-keygen"):
        (bin_ / name).write_text("#!/bin/sh\n")
        (bin_ / name).chmod(0o755)
    env = {"HOME": str(tmp_path), "PATH": f"{bin_}:/usr/bin:/bin", "PUBLIC_KEY": "ssh-ed25519 AAAA me"}
    subprocess.run(["sh", "-c", script], check=True, env=env)
    kept = tmp_path / ".ssh" / "authorized_keys"
    assert kept.read_text() == "ssh-ed25519 AAAA me\n"
    assert kept.stat().st_mode & 0o077 == 0


def test_skypilot_takes_the_task() -> None:
    sky = pytest.importorskip("sky", reason="SkyPilot is not installed here")
    task = sky.Task.from_yaml(str(DEPLOY / "limner.sky.yaml"))
    assert task.name == "limner"
    assert all(each.autostop_config.down for each in task.resources)
