"""The line in which a command tells how far it is, in a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios

import pytest
from rich.cells import cell_len

from tui.cli.progress import Narrator

COLUMNS = 40
LONG = "epoch 1/8  step 2/480  0:07 left, 0:01 of this epoch  loss 0.0494"


def told(monkeypatch: pytest.MonkeyPatch, *, last: bool) -> str:
    """What a narrow terminal gets of standard error."""
    reads, writes = pty.openpty()
    fcntl.ioctl(writes, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with os.fdopen(writes, "w") as error, os.fdopen(reads, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stderr", error)
        Narrator().progress(LONG, last=last)
        # A terminal to which nothing came would never answer.
        assert select.select([screen], [], [], 5)[0]
        return screen.read(4096).decode().removeprefix("\r\x1b[K")


def test_a_line_that_is_rewritten_never_runs_into_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = told(monkeypatch, last=False)
    assert cell_len(shown) < COLUMNS
    assert shown.startswith("  epoch 1/8  step 2/480")
    assert shown.endswith("…")


def test_the_last_line_of_a_stage_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LONG in told(monkeypatch, last=True)
