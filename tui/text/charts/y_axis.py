"""The axis upwards: round numbers at its ends, linear or logarithmic, and its labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SPIKES = 0.02
"""The share of the highest losses that may stick out of a linear chart, so that one spike does not flatten the rest."""


@dataclass(frozen=True)
class Upwards:
    """From values to rows of dots; ``low`` and ``high`` are the values at the bottom and the top."""

    low: float
    high: float
    logarithmic: bool
    dots: int

    def row(self, value: float) -> int:
        """The row of a value, from the top; what is outside sticks to the edge."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (high - self._scaled(value)) / (high - low)
        return min(self.dots - 1, max(0, round(share * (self.dots - 1))))

    def value(self, share: float) -> float:
        """The value so far up: 0 at the bottom, 1 at the top."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + (self.high - self.low) * share

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, self.low / 10)) if self.logarithmic else value


def span(raw: Sequence[float], smooth: Sequence[float] = (), logarithmic: bool = False) -> tuple[float, float]:
    """The values at the bottom and the top, on round numbers.

    Args:
        raw: what may have spikes, of which the highest do not count on a linear scale.
        smooth: what must lie inside.
        logarithmic: whether the axis is logarithmic; values of 0 or less don't count then.
    """
    if logarithmic and (positive := [each for each in (*raw, *smooth) if each > 0]):
        low, high = min(positive), max(positive)
        unit = 10 ** math.floor(math.log10(low))
        low = math.floor(low / unit * 2 + 1e-9) * unit / 2
        return low, max(_up(high), low * 1.1)
    ranked = sorted(raw) or sorted(smooth) or [0.0]
    low, high = ranked[0], ranked[min(len(ranked) - 1, int(len(ranked) * (1 - SPIKES)))]
    if smooth:
        low, high = min(low, min(smooth)), max(high, max(smooth))
    if high - low < 1e-12 + 1e-6 * abs(high):
        low, high = low - max(1e-9, abs(low) * 0.1), high + max(1e-9, abs(high) * 0.1)
    unit = 10 ** math.floor(math.log10((high - low) / 2))
    return math.floor(low / unit + 1e-9) * unit, math.ceil(high / unit - 1e-9) * unit


def label(value: float, high: float, room: int) -> str:
    """A value for the axis, with as many digits as the size of the highest one asks for; small ones as ``1.0e-4``."""
    if high > 0 and high < 0.01:
        text = f"{value:.1e}".replace("e-0", "e-") if value else "0"
    else:
        digits = max(0, min(5, 2 - math.floor(math.log10(high)))) if high > 0 else 3
        text = f"{value:.{digits}f}"
    return text[:room].rjust(room)


def _up(value: float) -> float:
    unit: float = 10 ** math.floor(math.log10(value))
    return math.ceil(value / unit * 2 - 1e-9) * unit / 2
