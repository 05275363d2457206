"""A rented machine for tests: a real sshd on loopback, a home of its own, Limner in its PATH, an end that ends all."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from tests.e2e.ssh import SSHD, below
from tests.support.patience import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]

SETTINGS = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
ForceCommand {folder}/enter
"""


TOMORROW = """
import time
now = time.time
time.time = lambda: now() + 86400
"""
"""What a Python begins with whose clock is a day ahead."""


class Fate(Enum):
    """What becomes of a machine that is created."""

    GOOD = auto()
    LOST = auto()
    """Its host is lost while it is made."""
    NEVER = auto()
    """It is being made forever."""
    DEARER = auto()
    """It costs twice what was offered."""
    GONE = auto()
    """Somebody else took it: it is not made."""
    STRANGER = auto()
    """What answers at its address is another machine."""
    TOMORROW = auto()
    """Its clock is a day ahead."""


@dataclass
class Machine:
    """One machine, from its creation on."""

    id: str
    label: str
    price: float
    fate: Fate
    folder: Path
    env: dict[str, str]
    keys: list[str]
    created: float = field(default_factory=time.monotonic)
    ended: float | None = None
    """When its end was asked for; it costs until then."""
    lingers: int = 0
    """Answers that still list it after that."""
    port: int = 0
    sshd: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def whole_env(self) -> dict[str, str]:
        """As its processes have it."""
        return {
            **self.env,
            "HOME": str(self.home),
            "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(self.home / ".state"),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
        }

    def begin(self, boot: str) -> None:
        """Starts its sshd and the script that it boots with."""
        self.home.mkdir(parents=True)
        binary = self.folder / "bin"
        binary.mkdir()
        paths = str(REPOSITORY)
        if self.fate is Fate.TOMORROW:
            _program(binary / "date", "exec /bin/date -d '+1 day' \"$@\"\n")
            (self.folder / "sitecustomize.py").write_text(TOMORROW)
            paths = f"{self.folder}:{REPOSITORY}"
        run = shlex.join(["env", f"PYTHONPATH={paths}", sys.executable, "-m", "tui.cli"])
        _program(binary / "limner", f'exec {run} "$@"\n')
        env = dict(self.whole_env)
        if self.fate is Fate.STRANGER:
            env.pop("LIMNER_RENTAL", None)
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in env.items())
        _program(
            self.folder / "enter", f'{exports}cd "$HOME" || exit 1\nexec sh -c "${{SSH_ORIGINAL_COMMAND:-true}}"\n'
        )
        (self.folder / "authorized_keys").write_text("".join(f"{key}\n" for key in self.keys))
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "host_key")]
        subprocess.run(key, check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        (self.folder / "sshd_config").write_text(SETTINGS.format(port=self.port, folder=self.folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "sshd.log").open("ab") as log:
            command = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self.sshd = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=self.whole_env
            )
        wait_until(self._answers)
        if boot:
            words = ["bash", "-c", boot]
            subprocess.run(words, env=self.whole_env, cwd=self.home, check=True, stdin=subprocess.DEVNULL)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def processes(self) -> list[int]:
        """All that run on it."""
        mark = f"HOME={self.home}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def kill(self, words: str) -> None:
        """The processes on it whose command line has these words, as the kernel kills them."""
        for pid in self.processes():
            with suppress(OSError):
                if words in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                    os.kill(pid, signal.SIGKILL)

    def cut(self) -> int:
        """Ends every connection that there is, and tells how many; what runs there goes on, and new ones are let in."""
        lines = below(self.sshd.pid) if self.sshd is not None else []
        for pid in lines:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(lines)

    def destroy(self) -> None:
        """Ends all that runs on it, and removes what is on it."""
        while pids := self.processes():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        if self.sshd is not None:
            self.sshd.kill()
            self.sshd.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
