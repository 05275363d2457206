"""A pseudo-terminal for tests: a program on one end, its bytes and its pace on the other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.patience import PATIENCE, Patience

AT_REST = 0.1
"""The share of a processor below which a program does nothing but look whether there is something to do."""

REPOSITORY = Path(__file__).resolve().parents[2]


class PseudoTerminal:
    """Runs ``python -m tui.cli`` with arguments, or a command, in a terminal of its own. Use it in a ``with``."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 120,
        rows: int = 30,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.output = b""
        self.status: int | None = None
        self.started = time.monotonic()
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            extra = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(REPOSITORY)}
            words = [*command] or [sys.executable, "-m", "tui.cli", *arguments]
            os.execvpe(words[0], words, {**os.environ, **extra, **(environment or {})})
        self.modes_before = termios.tcgetattr(self.handle)

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self.handle)

    def write(self, data: bytes) -> None:
        """Types."""
        os.write(self.handle, data)

    def received(self, data: bytes) -> None:
        """Something was written; terminals that answer do it here."""

    def take(self, seconds: float) -> bytes:
        """Reads for so long, or until the program is gone; returns what came."""
        came = b""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.handle], [], [], left)[0]:
                break
            try:
                data = os.read(self.handle, 65536)
            except OSError:
                break
            if not data:
                break
            came += data
            self.received(data)
        self.output += came
        return came

    def wait_for(self, text: str) -> float:
        """Waits until the program has written a text; returns the seconds since its start."""
        wanted, patience = text.encode(), Patience()
        while wanted not in self.output:
            if not patience.lasts():
                raise AssertionError(f"never written: {text!r}\n{self.output[-3000:]!r}")
            self.take(0.02)
        return time.monotonic() - self.started

    def wait_until_quiet(self, seconds: float = 1.5) -> None:
        """Waits until nothing has been written and nothing was done for so long.

        A program that waits for its turn on a busy machine is silent, too; one that has come to rest uses no time.
        """
        patience = Patience()
        while True:
            before = self.seconds_worked()
            if (
                not self.take(seconds)
                and self.seconds_worked() - before < AT_REST * seconds
                and not self.wants_to_run()
            ):
                return
            if not patience.lasts():
                raise AssertionError("it never comes to rest")

    def seconds_worked(self) -> float:
        """Seconds that processors have worked for the program so far; 0.0 when it is gone."""
        times = self._about(Path(f"/proc/{self.pid}/stat"))
        return sum(map(int, times[11:13])) / os.sysconf("SC_CLK_TCK")

    def wants_to_run(self) -> bool:
        """Whether one of its threads runs or waits for a processor."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return any(self._about(each)[:1] == ["R"] for each in threads)

    @staticmethod
    def _about(stat: Path) -> list[str]:
        """The fields of a ``stat`` behind the program's name (proc_pid_stat(5)), its state first."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return stat.read_text().rpartition(")")[2].split()
        return []

    def wait_until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Waits until something outside the terminal holds. Meanwhile it reads, as a terminal does: Linux keeps 12 KB
        for one that doesn't, and then ``ssh`` waits to write and takes no keys."""
        patience = Patience(seconds)
        while not holds():
            if not patience.lasts():
                raise AssertionError(f"it never comes to that\n{self.output[-3000:]!r}")
            self.take(0.1)

    def wait_until_ended(self) -> int:
        """Waits for the program's end; returns its exit status, or minus the signal that ended it."""
        patience = Patience()
        while patience.lasts():
            self.take(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.take(0.2)
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
        raise AssertionError(f"it does not end\n{self.output[-3000:]!r}")

    @property
    def as_it_was(self) -> bool:
        """Whether the line discipline is what it was before the program started."""
        return termios.tcgetattr(self.handle)[:4] == self.modes_before[:4]
