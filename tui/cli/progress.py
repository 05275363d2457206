"""Progress that a person can read: a live line in a terminal, a line now and then in a log."""

from __future__ import annotations

import os
import sys
import time

from tui.text.sanitize import sanitize

LOG_SECONDS = 5.0
"""In a log that is no terminal, how many seconds lie between two lines of one stage."""

LIVE_SECONDS = 0.1
"""In a terminal, how many seconds lie between two versions of the live line."""


class Narrator:
    """Tells on standard error how the work stands. A new stage leaves the last line of the one before it."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""
        self._told_at = 0.0

    def stage(self, name: str) -> None:
        """A new stretch of work begins."""
        self._finish_line()
        self._write(f"{sanitize(name)}\n")

    def progress(self, text: str, *, last: bool = False) -> None:
        """How the stage stands now; ``last`` makes sure that this is seen."""
        now = time.monotonic()
        if not last and now - self._told_at < (LIVE_SECONDS if self._live else LOG_SECONDS):
            return
        self._told_at = now
        text = sanitize(text)
        if self._live:
            self._write(f"\r\x1b[K  {text if last else self._fitted(text)}")
            self._shown = text
            if last:
                self._finish_line()
        else:
            self._write(f"  {text}\n")

    def note(self, text: str) -> None:
        """Something that is said once and stays."""
        self._finish_line()
        self._write(f"  {sanitize(text)}\n")

    @staticmethod
    def _fitted(text: str) -> str:
        """As much as fits into the line: what goes on in a second one can't be taken back."""
        from tui.text.lines import Ink, cut, text_of

        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns
        except (OSError, ValueError):
            return text
        return text_of(cut([(text, Ink.PLAIN)], width - 3)) if width > 3 else text

    def _finish_line(self) -> None:
        self._told_at = 0.0
        if self._live and self._shown:
            self._write("\n")
        self._shown = ""

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def clock(seconds: float | None) -> str:
    """Seconds as ``0:07``, ``12:30`` or ``3:05:00``; a dash where they are not known."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
