"""Ending a rented machine, and making sure of it; comparing the record with what the providers list."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.rent.access import forget
from engine.rent.ledger import Rental, Stage, change, rentals
from engine.rent.provider import LABEL_PREFIX, Instance, KeyMissing, Provider, RentError

WAITS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between two looks whether it is gone; the last holds from then on."""

CONFIRM_SECONDS = 300.0
"""For so long its end is asked for and looked for."""

UNLISTED_SECONDS = 300.0
"""A machine whose creation nobody answered, and that is not listed so long after, was never made."""


def end_rental(
    rental: Rental, provider: Provider, seconds: float = CONFIRM_SECONDS, unlisted: float = UNLISTED_SECONDS
) -> Rental:
    """Asks for a machine's end until the provider says that it is gone. Returns what the record says then: its stage
    is ``ENDED``, or ``ENDING`` with the problem.

    Args:
        rental: the machine.
        provider: who rents it out.
        seconds: for how long it is tried.
        unlisted: seconds after which one was never made whose creation nobody answered, and that is not listed.
    """
    until = time.monotonic() + seconds
    rental = change(rental.label, stage=Stage.ENDING, problem="")
    tried = 0
    while True:
        problem = _asked(rental, provider, unlisted)
        if problem is None:
            return _gone(rental)
        if time.monotonic() >= until:
            return change(rental.label, problem=problem)
        time.sleep(WAITS[min(tried, len(WAITS) - 1)])
        tried += 1


def end_unrecorded(listed: Listed, provider: Provider, seconds: float = CONFIRM_SECONDS) -> str | None:
    """Ends a machine that no record here has. Returns the problem, or None where the provider says that it is gone."""
    until = time.monotonic() + seconds
    tried = 0
    while True:
        try:
            found = [each.id for each in provider.instances() if each.label == listed.label]
            if not found:
                return None
            for each in found:
                provider.end(each)
            problem = f"{provider.title} still lists it"
        except RentError as error:
            problem = error.what
        if time.monotonic() >= until:
            return problem
        time.sleep(WAITS[min(tried, len(WAITS) - 1)])
        tried += 1


def _asked(rental: Rental, provider: Provider, unlisted: float) -> str | None:
    """Asks once. None: it is gone."""
    try:
        found = _with_its_label(rental, provider)
        if not found and rental.id is None and time.time() - rental.asked < unlisted:
            return "no answer came when it was asked for, and it is not listed"
        if not found:
            return None
        for each in found:
            provider.end(each)
        return f"{provider.title} still lists it"
    except RentError as error:
        return error.what


def _with_its_label(rental: Rental, provider: Provider) -> list[str]:
    """The ids of what there is of it: one that was created twice is two."""
    found = [each.id for each in provider.instances() if each.label == rental.label]
    if rental.id is not None and rental.id not in found and provider.look(rental.id) is not None:
        found.append(rental.id)
    return found


def _gone(rental: Rental) -> Rental:
    forget(rental.label)
    return change(rental.label, stage=Stage.ENDED, ended=rental.ended or time.time(), problem="")


@dataclass(frozen=True)
class Listed:
    """A machine that costs, or may."""

    label: str
    provider: str
    card: str | None
    price: float | None
    since: float | None
    """Seconds since 1970; None: not known here."""
    spent: float | None
    stage: Stage | None
    """None: it is in no record here: another machine of this user rented it."""
    said: str
    """The provider's word for its state."""
    id: str | None
    problem: str = ""


def compare(provider_named: Callable[[str], Provider], names: Sequence[str]) -> tuple[list[Listed], list[str]]:
    """What costs, by the record and by the providers; what is gone is recorded as ended.

    Args:
        provider_named: gives a provider, or raises KeyMissing.
        names: providers that are asked although the record has nothing of theirs.

    Returns:
        the machines, and why a provider could not be asked.
    """
    known = [each for each in rentals() if not each.over]
    problems: list[str] = []
    found: list[Listed] = []
    for name in dict.fromkeys([*(each.provider for each in known), *names]):
        of_it = [each for each in known if each.provider == name]
        try:
            provider = provider_named(name)
            there = [each for each in provider.instances() if each.label.startswith(LABEL_PREFIX)]
        except (KeyMissing, RentError) as error:
            problems.append(error.one_line())
            found += [_listed(each, None, error.what) for each in of_it]
            continue
        found += _of_one(provider, of_it, there)
    return found, problems


def _of_one(provider: Provider, known: Sequence[Rental], there: Sequence[Instance]) -> list[Listed]:
    by_label = {each.label: each for each in there}
    found = []
    for rental in known:
        instance = by_label.pop(rental.label, None)
        if instance is not None:
            if rental.stage is Stage.ASKED:
                rental = change(rental.label, stage=Stage.RENTED, id=instance.id)
            found.append(_listed(rental, instance, instance.said))
        elif rental.id is None and time.time() - rental.asked < UNLISTED_SECONDS:
            found.append(_listed(rental, None, "no answer came, and it is not listed"))
        else:
            _gone(rental)
    for each in by_label.values():
        found.append(Listed(each.label, provider.name, None, each.price, None, None, None, each.said, each.id))
    return found


def _listed(rental: Rental, instance: Instance | None, said: str) -> Listed:
    price = rental.price if instance is None or instance.price is None else instance.price
    return Listed(
        rental.label,
        rental.provider,
        rental.card,
        price,
        rental.asked,
        rental.spent(),
        rental.stage,
        said,
        rental.id if instance is None else instance.id,
        rental.problem,
    )
