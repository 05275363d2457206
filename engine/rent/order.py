"""What a run on a rented machine was ordered with: read from and written to the run's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.rent.lease import Lease
from engine.rent.provider import Offer, RentError, Wanted

DISK_GB = 60
"""Room for a base model, its libraries, the dataset and the checkpoints."""

DIRECTORY = "limner"
"""Where projects go on a rented machine, in its home folder."""

SETTLE_SECONDS = 60.0
READY_SECONDS = 1200.0


@dataclass(frozen=True)
class RentOrder:
    """A machine that is to be rented for a run."""

    label: str
    """What the labels of its machines begin with: one that fails is followed by another."""
    offer: Offer
    """The first that is tried."""
    most_per_hour: float
    """Dollars an hour that another offer may cost in its place."""
    lease: Lease
    settle: float = SETTLE_SECONDS
    """Seconds for which a machine is looked for whose creation nobody answered, before another one is asked for."""
    ready: float = READY_SECONDS
    """Seconds that a machine may take until ssh answers."""
    disk_gb: int = DISK_GB

    def wanted(self) -> Wanted:
        """What another offer has to be, in place of the first."""
        return Wanted(self.offer.card, 0.98 * self.offer.memory_gb, self.most_per_hour, self.disk_gb)

    def record(self) -> dict[str, Any]:
        """As the run's order keeps it."""
        return asdict(self)


def read_order(record: Mapping[str, Any]) -> RentOrder:
    """Raises RentError where it can't be one."""
    try:
        fields = {key: value for key, value in record.items() if key not in ("offer", "lease")}
        return RentOrder(**fields, offer=Offer(**record["offer"]), lease=Lease(**record["lease"]))
    except (KeyError, TypeError) as error:
        raise RentError("the run's order names no machine to rent", "begin another: limner rent") from error
