"""How long tests wait for a state that has to come: one figure for all, far beyond what a slow and busy machine takes.

A test that passes never waits so long; one that fails may.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("LIMNER_TEST_PATIENCE", "240"))
"""Seconds after which a state that never comes fails the test; fewer while what fails is being looked for."""

LONGEST_LOOK = 1.0
"""Seconds that one look counts at most: while a virtual machine stood still, the program could do nothing either."""


class Patience:
    """Waits by looking again and again, and tells in the end how often it did."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._left = seconds
        self._looks = 0
        self._at = time.monotonic()

    def lasts(self) -> bool:
        """Counts a look; False once the time is over."""
        now = time.monotonic()
        self._left -= min(now - self._at, LONGEST_LOOK)
        self._looks += 1
        self._at = now
        return self._left > 0

    def wait(self, seconds: float = 0.05) -> bool:
        """A little; False once that was for long enough."""
        time.sleep(seconds)
        return self.lasts()

    def __str__(self) -> str:
        return f"after {self._looks} looks"


def wait_until(holds: Callable[[], bool], otherwise: Callable[[], str] | str = "") -> None:
    """Waits until something holds; what it fails with says ``otherwise``."""
    patience = Patience()
    while not holds():
        if not patience.wait(0.02):
            said = otherwise if isinstance(otherwise, str) else otherwise()
            raise AssertionError(f"it never came to that {patience}\n{said}".rstrip())
