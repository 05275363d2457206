"""A machine that ssh reaches, for tests: a real sshd on loopback, Limner behind a shell script, a folder of its own."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.remote.boxes import Box
from tests.e2e.ssh import SshServer

REPOSITORY = Path(__file__).resolve().parents[2]

CONFIG = """
Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
"""


@contextmanager
def ssh_box(folder: Path, name: str = "box") -> Iterator[tuple[Box, SshServer]]:
    """The machine, and the server that is its only way in.

    Args:
        folder: for keys, configuration and the machine's home.
        name: what it is called.
    """
    keys, home = folder / "ssh", folder / "home-there"
    keys.mkdir(mode=0o700, parents=True)
    home.mkdir()
    with SshServer(keys) as server:
        host_key = (keys / "host_key.pub").read_text()
        (keys / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {host_key}")
        (keys / "config").write_text(CONFIG.format(folder=keys))
        program = folder / "limner-there"
        exports = {
            "HOME": str(home),
            "PYTHONPATH": str(REPOSITORY),
            "LANG": "C.UTF-8",
            # As many as here: sums come out the same, and so do pictures.
            **{key: os.environ[key] for key in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY") if key in os.environ},
            "XDG_STATE_HOME": str(home / ".state"),
        }
        words = shlex.join(
            ["env", *(f"{key}={value}" for key, value in exports.items()), sys.executable, "-m", "tui.cli"]
        )
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        user = pwd.getpwuid(os.geteuid()).pw_name
        yield (
            Box(name, "127.0.0.1", user, server.port, str(home / "limner"), str(program), str(keys / "config")),
            server,
        )
