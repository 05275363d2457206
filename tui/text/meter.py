"""Bars and the words for times and sizes."""

from __future__ import annotations

from tui.text.lines import Ink, Line

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> Line:
    """A bar of ``width`` cells, filled to ``share`` (0 to 1) in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, part = divmod(eighths, 8)
    filled = "█" * whole + (EIGHTHS[part] if part else "")
    return [(filled, Ink.ACTIVE), ("─" * (width - len(filled)), Ink.FAINT)]


def clock(seconds: float | None) -> str:
    """A length of time: ``0:07``, ``1:24``, ``3:05:00``; ``–`` where it is not known."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
