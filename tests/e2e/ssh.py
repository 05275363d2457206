"""A real SSH server on this machine's loopback, for tests: its own keys and settings, a free port, nobody's rights."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.patience import Patience

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"

SETTINGS = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
PubkeyAuthentication yes
AcceptEnv LIMNER_*
PermitUserEnvironment no
Subsystem sftp internal-sftp
"""


class SshServer:
    """``sshd`` in the foreground. Use it in a ``with``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        (folder / "sshd_config").write_text(SETTINGS.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            # As root it wants the folder that Debian's service makes.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.log = (folder / "sshd.log").open("wb")
        self.begin()

    def begin(self) -> None:
        """Starts it, or starts it again on the same port."""
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self._server = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def cut(self) -> None:
        """Ends it with every connection that there is, as a line that is cut; what runs there goes on."""
        children = below(self._server.pid)
        for pid in (self._server.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()

    def __enter__(self) -> SshServer:
        patience = Patience()
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    break
            except OSError as error:
                if self._server.poll() is not None or not patience.wait():
                    self.__exit__()
                    raise AssertionError((self.folder / "sshd.log").read_text()) from error

        if os.geteuid() != 0:
            self._skip_where_nobody_gets_in()
        return self

    def _skip_where_nobody_gets_in(self) -> None:
        """Accounts of services, such as nobody's, are locked: no sshd lets them in."""
        login = [word for word in self.command("true") if word != "-tt"]
        tried = subprocess.run(login, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if "Permission denied" in tried.stderr:
            self.__exit__()
            pytest.skip("this user's account is locked: sshd does not let it in")

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()
        self.log.close()

    def command(self, *words: str) -> list[str]:
        """What logs in with a terminal and runs a command there."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
        flags = [flag for option in options for flag in ("-o", option)]
        key = str(self.folder / "user_key")
        return ["ssh", "-tt", "-F", "none", "-i", key, "-p", str(self.port), *flags, f"{user}@127.0.0.1", *words]


def below(pid: int) -> list[int]:
    """sshd's own processes for each connection: its children and theirs, as far as these are sshd's."""
    found = []
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if "sshd" in Path(f"/proc/{child}/comm").read_text():
                found += [int(child), *below(int(child))]
    return found
