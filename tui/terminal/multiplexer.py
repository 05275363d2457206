"""What tmux says of itself and of the terminals attached to it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = 1.0
"""How long tmux may take to answer; it takes some milliseconds."""

_SESSION = "#{version}\t#{allow-passthrough}"
_CLIENT = "#{client_termtype}\t#{client_termname}\t#{client_termfeatures}"


@dataclass(frozen=True)
class Tmux:
    """A tmux server, as far as pictures and copying care."""

    version: str
    passthrough: bool
    """Whether a program may send sequences through it (``allow-passthrough``)."""
    terminals: tuple[str, ...] = ()
    """What each attached terminal calls itself: ``kitty(0.35.2)``, or the name of its terminfo entry."""
    colours: bool = False
    """Whether all attached terminals are known to have true colours."""


def read_tmux(told: str) -> Tmux:
    """Reads the answer to our question: a line of the session, then one line a client."""
    first, *clients = told.splitlines() or [""]
    version, _, passthrough = first.partition("\t")
    rows = [row.split("\t") for row in clients if row.count("\t") == 2]
    return Tmux(
        version=version or "?",
        passthrough=passthrough in ("on", "all", "1"),
        terminals=tuple(row[0] or row[1] for row in rows),
        colours=bool(rows) and all("RGB" in row[2].split(",") for row in rows),
    )


def ask_tmux(environment: Mapping[str, str]) -> Tmux | None:
    """Asks the tmux that this process runs in; None outside of tmux, and where it says nothing in time."""
    if not environment.get("TMUX"):
        return None
    pane = environment.get("TMUX_PANE", "")
    target = ("-t", pane) if pane else ()
    command = ["tmux", "display-message", "-p", *target, _SESSION, ";", "list-clients", *target, "-F", _CLIENT]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return Tmux("?", passthrough=False)
    return read_tmux(told.stdout)
