"""One measured figure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A figure, and what it stands against; a ratio above 1 is better than that."""

    name: str
    value: float | None
    unit: str
    against: str = ""
    ratio: float | None = None
    note: str = ""
    """Why there is no value, or what limits it."""


def median_seconds(work: Callable[[], object], times: int = 9) -> float:
    """How long something takes, after one time that warms it up."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
