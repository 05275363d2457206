"""What a stretch of chaos did, and what was lost by it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MOST_LETTERS = 6000
"""Of a loss; a whole screen may be part of it."""


@dataclass
class Tally:
    """Counts by name, and every loss in words."""

    kills: Counter[str] = field(default_factory=Counter)
    """SIGKILLs, by what was killed."""
    faults: Counter[str] = field(default_factory=Counter)
    """Other faults: writes that found no room, servers that went away."""
    held: Counter[str] = field(default_factory=Counter)
    """Things that were looked at afterwards and were whole."""
    losses: list[str] = field(default_factory=list)

    def expect(self, held: bool, what: str, loss: str) -> None:
        """Counts ``what`` as held, or notes the loss."""
        if held:
            self.held[what] += 1
        else:
            self.losses.append(loss)

    def add(self, other: Tally) -> None:
        """Takes in another's counts."""
        self.kills += other.kills
        self.faults += other.faults
        self.held += other.held
        self.losses += other.losses

    def record(self) -> dict[str, object]:
        """As plain JSON."""
        return {
            "kills": dict(self.kills),
            "faults": dict(self.faults),
            "held": dict(self.held),
            "losses": self.losses,
        }

    @classmethod
    def of(cls, record: dict[str, object]) -> Tally:
        """Reads ``record`` back."""
        counts = [Counter(record[name]) for name in ("kills", "faults", "held")]  # type: ignore[call-overload]
        return cls(*counts, list(record["losses"]))  # type: ignore[call-overload]


@contextmanager
def loss_if_it_fails(tally: Tally, what: str) -> Iterator[None]:
    """What raises inside is a loss, with its words; the chaos goes on."""
    try:
        yield
    except Exception as error:
        tally.losses.append(f"{what}: {type(error).__name__}: {error}"[:MOST_LETTERS])


def left(until: float) -> float:
    """Seconds until that moment of the monotonic clock."""
    return max(0.0, until - time.monotonic())
