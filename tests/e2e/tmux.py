"""A real terminal for tests: tmux on a socket of its own, driven by keys, read as text."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.patience import PATIENCE, Patience


class Terminal:
    """One tmux window that runs one command. Use it in a ``with``; leaving it ends the server."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        cwd: str | os.PathLike[str] = ".",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._socket = f"limner-{uuid.uuid4().hex[:12]}"
        exports = [f"{name}={value}" for name, value in (environment or {}).items()]
        # The shell says how it ended and stays, for tmux loses the status of a program that closes its terminal.
        line = shlex.join(["env", *exports, *command]) + '; echo "[ended with $?]"; exec cat'
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "main", "-x", str(columns), "-y", str(rows)),
            *("-c", str(cwd), line),
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server", check=False)

    def press(self, *keys: str) -> None:
        """Presses keys by tmux's names: ``y``, ``Enter``, ``C-d``, ``Escape``."""
        for key in keys:
            self._tmux("send-keys", "-t", "main", key)

    def press_together(self, *keys: str) -> None:
        """Presses keys as fast as a terminal can pass them on."""
        self._tmux("send-keys", "-t", "main", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Gives the window another size."""
        self._tmux("resize-window", "-t", "main", "-x", str(columns), "-y", str(rows))

    def program(self) -> int:
        """The process id of the command."""
        shell = self._tmux("list-panes", "-t", "main", "-F", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        if not children:
            raise AssertionError(f"the command has ended\n{self.screen()}")
        return int(children[0])

    def press_and_see(self, key: str, within: float = PATIENCE) -> None:
        """Presses a key and waits until the screen looks different, colours counted: a focus that moved, say."""
        before = self._colours()
        self.press(key)
        patience = Patience(within)
        while self._colours() == before:
            if not patience.wait():
                raise AssertionError(f"{key} changed nothing {patience}\n{self.screen()}")

    def _colours(self) -> str:
        return self._tmux("capture-pane", "-e", "-p", "-t", "main")

    def type(self, text: str) -> None:
        """Types a text as it stands."""
        self._tmux("send-keys", "-t", "main", "-l", text)

    def screen(self) -> str:
        """What the terminal shows now, as text."""
        return self._tmux("capture-pane", "-p", "-t", "main")

    def wait_for(self, *texts: str, within: float = PATIENCE) -> str:
        """Waits until all the texts are on the screen, and returns the screen."""
        patience = Patience(within)
        while True:
            shown = self.screen()
            missing = [text for text in texts if text not in shown]
            if not missing:
                return shown
            if not patience.wait():
                raise AssertionError(f"never on the screen {patience}: {missing}\n{shown}")

    def wait_until_gone(self, text: str, within: float = PATIENCE) -> str:
        """Waits until a text is no longer on the screen, and returns the screen."""
        patience = Patience(within)
        while text in (shown := self.screen()):
            if not patience.wait():
                raise AssertionError(f"still on the screen {patience}: {text}\n{shown}")
        return shown

    def wait_until_ended(self, within: float = PATIENCE) -> int:
        """Waits until the command has ended, and returns its exit status."""
        patience = Patience(within)
        while not (ended := re.search(r"\[ended with (\d+)\]", self.screen())):
            if not patience.wait():
                raise AssertionError(f"still running {patience}\n{self.screen()}")
        return int(ended[1])

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(["tmux", "-L", self._socket, *arguments], capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"tmux {arguments}: {done.stderr}")
        return done.stdout
