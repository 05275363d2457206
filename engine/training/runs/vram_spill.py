"""Notices a driver that moves a card's memory into the computer's without saying so, as Windows' does. No torch.

Nothing fails then; a step just takes 10 to 100 times longer, and people wait for days.
"""

from __future__ import annotations

from collections import deque
from statistics import median

FULL = 0.95
"""A card with this share of its memory taken is full."""

COLLAPSE = 4.0
"""A step that takes this many times longer than it did is no hiccup."""

LATEST = 5
"""How many readings must agree."""


class Spill:
    """Looks at the memory taken and the pace.

    Args:
        total_gb: the card's memory; None on a CPU, where nothing can spill.
        usual_seconds: what such a step takes on such a card, so that a run that spills from its first step on is
            noticed too; None: not known.
    """

    def __init__(self, total_gb: float | None, usual_seconds: float | None = None) -> None:
        self._total_gb = total_gb
        self._usual = usual_seconds
        self._best: float | None = None
        self._latest: deque[float] = deque(maxlen=LATEST)
        self._told = False

    def look(self, taken_gb: float, step_seconds: float) -> str | None:
        """Takes in one reading. Returns what is wrong, the first time that something is."""
        if self._total_gb is None or self._told:
            return None
        self._latest.append(step_seconds)
        wrong = self._wrong(taken_gb)
        self._told = wrong is not None
        return wrong

    def _wrong(self, taken_gb: float) -> str | None:
        total = self._total_gb or 0.0
        fix = "the driver moves it to the computer's, which is many times slower: lower the batch or the resolution"
        if taken_gb > total:
            return f"{taken_gb:.1f} GB are taken, more than the card's {total:.1f} GB; {fix}"
        if len(self._latest) < LATEST:
            return None
        now, full = median(self._latest), taken_gb > FULL * total
        if self._best is not None and now > COLLAPSE * self._best and full:
            return f"steps are {now / self._best:.0f} times slower than before, and the card's memory is full; {fix}"
        if self._usual is not None and now > COLLAPSE * self._usual and full:
            slower = f"{now / self._usual:.0f} times slower than such a card takes them"
            return f"steps are {slower}, and its memory is full; {fix}"
        self._best = min(now, self._best or now)
        return None
