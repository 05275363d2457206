"""What the doctor says of the terminal: its size, colours and letters, tmux's options, how pictures are drawn."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

from engine.doctor import Check
from tui.terminal.protocol import PASSTHROUGH_FIX, Protocol, choose
from tui.terminal.query import Asked

COLUMNS, ROWS = 80, 24
"""The smallest terminal that everything fits into."""

ESCAPE_MS = 100
"""How long tmux may wait after Esc before it feels slow."""

_SECONDS = 1.0
_OPTIONS = "#{escape-time}\t#{focus-events}\t#{set-clipboard}\t#{mouse}"


def terminal_checks(asked: Asked, wanted: str = "auto", environment: Mapping[str, str] = os.environ) -> list[Check]:
    """Looks at the terminal that this process runs in.

    Args:
        asked: what the terminal answered.
        wanted: how the user's settings want pictures drawn.
        environment: the environment's variables.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return [Check("terminal", True, "not a terminal; run limner doctor in one to check it")]
    checks = [_terminal(asked, environment), _size(), colour_check(environment), letters_check(environment)]
    checks += tmux_checks(asked, environment)
    return [*checks, picture_check(asked, environment, wanted)]


def colour_check(environment: Mapping[str, str]) -> Check:
    """How many colours the terminal says that it has."""
    if "NO_COLOR" in environment:
        return Check("colours", True, "none: NO_COLOR is set")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Check("colours", True, "all (COLORTERM)")
    term = environment.get("TERM", "")
    if term.endswith("256color"):
        detail = f"256 ({term}); photos need more, and most terminals have them; SSH does not pass it on"
        return Check("colours", False, detail, "export COLORTERM=truecolor")
    fix = "export TERM=xterm-256color COLORTERM=truecolor"
    return Check("colours", False, f"16 ({term}): the theme limner-16 is used", fix)


def letters_check(environment: Mapping[str, str], encoding: str | None = None) -> Check:
    """Whether letters and shapes outside ASCII can be written."""
    found = encoding or locale.getpreferredencoding(False)
    if found.upper().replace("-", "") == "UTF8":
        return Check("letters", True, "UTF-8")
    named = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or "no locale"
    return Check("letters", False, f"{found} ({named}): shapes are drawn in ASCII", "export LC_ALL=C.UTF-8")


def tmux_checks(asked: Asked, environment: Mapping[str, str]) -> list[Check]:
    """The options of tmux that are felt; nothing outside of it."""
    if asked.tmux is None or not environment.get("TMUX"):
        return []
    escape, focus, clipboard, mouse = _tmux_options(environment)
    # Where tmux does not know an option it says nothing.
    late = escape.isdecimal() and int(escape) > ESCAPE_MS
    held = clipboard == "off"
    return [
        Check("tmux", True, f"{asked.tmux.version}, {', '.join(asked.tmux.terminals) or 'no client attached'}"),
        Check("tmux escape-time", not late, f"{escape} ms after Esc", "tmux set -s escape-time 20" if late else ""),
        _on("tmux focus-events", focus, "tells whether the window has the focus", "tmux set -g focus-events on"),
        Check("tmux set-clipboard", not held, clipboard or "?", "tmux set -s set-clipboard on" if held else ""),
        _on("tmux allow-passthrough", "on" if asked.tmux.passthrough else "off", "for sharp pictures", PASSTHROUGH_FIX),
        _on(
            "tmux terminal-features",
            "on" if asked.tmux.colours else "off",
            "true colours (RGB)",
            "tmux set -as terminal-features ',*:RGB'",
        ),
        Check("mouse", True, f"tmux passes it through: {mouse or '?'}; never needed"),
    ]


def picture_check(asked: Asked, environment: Mapping[str, str], wanted: str) -> Check:
    """How pictures are drawn, and why."""
    colours = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    choice = choose(asked.answers, asked.tmux, environment, wanted, colours)
    return Check("pictures", choice.protocol is not Protocol.HALF_BLOCKS or not choice.fix, _told(choice), choice.fix)


def _told(choice: object) -> str:
    protocol, why = getattr(choice, "protocol", ""), getattr(choice, "why", "")
    return f"{protocol}: {why}"


def _on(name: str, value: str, what: str, fix: str) -> Check:
    right = value in ("on", "1", "all")
    return Check(name, right, f"{what}: {'on' if right else 'off'}", "" if right else fix)


def _terminal(asked: Asked, environment: Mapping[str, str]) -> Check:
    term = environment.get("TERM", "")
    if term in ("", "dumb"):
        return Check("terminal", False, f"TERM is {term or 'not set'}: the app can't run", "export TERM=xterm-256color")
    over = " over SSH" if environment.get("SSH_CONNECTION") else ""
    return Check(
        "terminal", True, f"{asked.answers.name or environment.get('TERM_PROGRAM') or term} (TERM={term}){over}"
    )


def _size() -> Check:
    columns, rows = shutil.get_terminal_size()
    right = columns >= COLUMNS and rows >= ROWS
    fix = "" if right else f"printf '\\e[8;{ROWS};{COLUMNS}t'"
    return Check("size", right, f"{columns} × {rows}; from {COLUMNS} × {ROWS} on everything fits", fix)


def _tmux_options(environment: Mapping[str, str]) -> list[str]:
    pane = environment.get("TMUX_PANE", "")
    command = ["tmux", "display-message", "-p", *(("-t", pane) if pane else ()), _OPTIONS]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return [""] * 4
    return (told.stdout.rstrip("\n").split("\t") + [""] * 4)[:4]
