"""Renting a machine: asked for, looked for where nobody answered, waited for, ended where it is of no use.

Each step is recorded before and after it is taken. So whatever is killed in between, the next process finds what there
is: by the record, and by the label at the provider's where no answer was recorded.
"""

from __future__ import annotations

import time
from pathlib import Path

from engine.rent.access import public_key, token_for
from engine.rent.ending import CONFIRM_SECONDS, end_rental
from engine.rent.lease import start_script
from engine.rent.ledger import Rental, Stage, change, rentals_for, write_down
from engine.rent.order import DIRECTORY, RentOrder
from engine.rent.provider import (
    Instance,
    InstanceState,
    KeyMissing,
    Offer,
    OfferGone,
    Order,
    Provider,
    RentError,
    Unsure,
)
from engine.rent.telling import Telling

LOOK_SECONDS = 3.0
"""How often a machine that is not ready yet is looked at."""

MOST_TRIES = 6
"""Machines that are asked for, one after another, for a run."""

ROUNDING = 0.005
"""Dollars an hour by which what is paid may differ from what was offered."""

UNLISTED_SECONDS = 60.0
"""A machine may be unknown to its provider for so long after it was made."""


class Renting:
    """The machines of one run, of which one is to be ready.

    Args:
        run: the run's folder.
        order: what was ordered.
        provider: who rents them out.
        telling: hears what is done.
    """

    def __init__(self, run: Path, order: RentOrder, provider: Provider, telling: Telling) -> None:
        self._run, self._order, self._provider, self._telling = run, order, provider, telling

    def last(self) -> Rental | None:
        """The one that was asked for last."""
        found = rentals_for(self._run)
        return found[-1] if found else None

    def ready(self) -> tuple[Rental, Instance]:
        """One that runs and has an address: the one that there is, or another.

        Raises:
            RentError: none can be had.
            JobError: it is to stop.
        """
        while True:
            rental = self.last()
            if rental is None or rental.over or _was_never_listed(rental):
                rental = self._ask_for_one()
            if rental.stage is Stage.ENDING and not self.end(rental):
                raise RentError(f"{rental.title} can't be ended", f"see: limner rented end {rental.label}")
            if rental.stage is Stage.ASKED:
                rental = self._settle(rental)
            if rental.stage is Stage.RENTED and (instance := self._wait(rental)) is not None:
                return rental, instance

    def end(self, rental: Rental) -> bool:
        """Asks for its end, and waits for it. Whether it is confirmed."""
        self._telling.phase(f"ending {rental.title}")
        settle = self._order.settle
        ended = end_rental(rental, self._provider, settle if rental.id is None else CONFIRM_SECONDS, settle)
        if not ended.over:
            how = f"limner rented end {rental.label}"
            self._telling.warn(f"the end of {rental.label} is not confirmed ({ended.problem}): {how}")
        return ended.over

    def _ask_for_one(self) -> Rental:
        """Asks for a machine, recorded before and after. The stage of what returns is ASKED where nobody knows."""
        before = rentals_for(self._run)
        for number in range(len(before) + 1, MOST_TRIES + 1):
            self._telling.check_stop()
            offer = self._order.offer if number == 1 else self._another({each.offer for each in before})
            self._telling.phase(f"renting {offer.card} at {self._provider.title}")
            rental = self._ask(offer, f"{self._order.label}-{number}")
            if not rental.over:
                return rental
            before.append(rental)
        raise RentError(f"no {self._order.offer.card} could be rented in {MOST_TRIES} tries", "try again later")

    def _another(self, tried: set[str]) -> Offer:
        """One that was not tried yet, or else the cheapest once more: it may be a kind of card, not one machine."""
        most = self._order.most_per_hour
        found = [each for each in self._provider.offers(self._order.wanted()) if each.price <= most]
        for offer in sorted(found, key=lambda each: each.id in tried):
            return offer
        what = f"no {self._order.offer.card} is left at {self._order.most_per_hour:.2f} $/h"
        raise RentError(what, "look again: limner rent")

    def _ask(self, offer: Offer, label: str) -> Rental:
        lease = self._order.lease
        now = time.time()
        own_end = self._provider.self_end()
        order = Order(
            label,
            public_key(),
            token_for(label),
            start_script(lease, own_end, DIRECTORY, self._provider.holds_boot),
            self._order.disk_gb,
        )
        write_down(
            Rental(
                label, offer.provider, offer.card, offer.price, now, now + lease.seconds, str(self._run), offer=offer.id
            )
        )
        try:
            made = self._provider.create(offer, order)
        except OfferGone as error:
            self._telling.warn(f"{offer.card} at {offer.price:.2f} $/h: {error.what}; another is tried")
            return change(label, stage=Stage.ENDED, ended=now)
        except Unsure as error:
            self._telling.warn(f"{error.what}: it is looked for by its label")
            return change(label, problem=error.what)
        except RentError:
            change(label, stage=Stage.ENDED, ended=now)
            raise
        return change(label, stage=Stage.RENTED, id=made)

    def _settle(self, rental: Rental) -> Rental:
        """Whether there is a machine whose creation nobody answered. One that is not listed in time stays recorded,
        and is ended at the end if it came after all."""
        until = max(rental.asked + self._order.settle, time.time() + LOOK_SECONDS)
        while True:
            self._telling.phase(f"looking for {rental.label}")
            try:
                found = [each for each in self._provider.instances() if each.label == rental.label]
            except KeyMissing:
                raise
            except RentError:
                found = []
            if found:
                return change(rental.label, stage=Stage.RENTED, id=found[0].id, problem="")
            if time.time() >= until:
                return change(rental.label, stage=Stage.ENDING)
            time.sleep(LOOK_SECONDS)

    def _wait(self, rental: Rental) -> Instance | None:
        """Until it runs and has an address; None where it never will: then its end is asked for."""
        assert rental.id is not None
        until = rental.asked + self._order.ready
        while True:
            self._telling.check_stop()
            self._telling.phase(f"waiting for {rental.title}")
            try:
                instance = self._provider.look(rental.id)
            except KeyMissing:
                raise
            except RentError as error:
                # It is asked again: the machine costs, and waits.
                state, said, instance = InstanceState.STARTING, error.what, None
            else:
                state, said = (instance.state, instance.said) if instance else self._unlisted(rental)
            if instance is not None and (instance.price or 0.0) > self._order.most_per_hour + ROUNDING:
                state, said = InstanceState.BROKEN, f"it costs {instance.price:.2f} $/h, not {rental.price:.2f}"
            if instance is not None and state is InstanceState.READY:
                return instance
            if state is InstanceState.BROKEN or time.time() > until:
                why = said if state is InstanceState.BROKEN else "it was never ready"
                self._telling.warn(f"{rental.label} at {self._provider.title} is of no use ({why}): it is ended")
                self.end(rental)
                return None
            time.sleep(LOOK_SECONDS)

    def _unlisted(self, rental: Rental) -> tuple[InstanceState, str]:
        young = time.time() - rental.asked < UNLISTED_SECONDS
        return (InstanceState.STARTING if young else InstanceState.BROKEN), "it is gone"


def _was_never_listed(rental: Rental) -> bool:
    """Whether its creation was not answered and it was looked for in vain: it is ended with the run, if it came."""
    return rental.stage is Stage.ENDING and rental.id is None
