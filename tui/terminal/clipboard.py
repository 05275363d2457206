"""Copying to the clipboard of whoever sits at the other end: over SSH, and through tmux.

A default tmux drops OSC 52, wrapped or not, but hands on what it is given by ``load-buffer -w`` (tmux 3.2).
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Mapping

from engine.secrets import without_secrets

MOST_BYTES = 74_994
"""What terminals take at most in one OSC 52: xterm's 100,000 bytes of base64."""

SECONDS = 2.0


def copy(text: str, environment: Mapping[str, str], write: Callable[[str], None]) -> str:
    """Copies a text, and returns by what way; blocks for some milliseconds inside tmux.

    Args:
        text: what is copied; beyond ``MOST_BYTES`` it is cut.
        environment: tells of tmux.
        write: writes a sequence to the terminal.
    """
    data = without_secrets(text).encode("utf-8")[:MOST_BYTES].decode("utf-8", "ignore").encode("utf-8")
    if environment.get("TMUX"):
        try:
            command = ["tmux", "load-buffer", "-w", "-"]
            subprocess.run(command, input=data, timeout=SECONDS, check=True, capture_output=True)
            return "tmux"
        except (OSError, subprocess.SubprocessError):
            # An old tmux, or one that is gone: what is left may still reach the terminal.
            write(_sequence(data))
            return "the terminal, past tmux"
    write(_sequence(data))
    return "the terminal"


def _sequence(data: bytes) -> str:
    return f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"
