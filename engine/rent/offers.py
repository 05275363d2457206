"""What a whole run would cost on each machine that can be rented now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import LimnerError
from engine.project import Project
from engine.rent.provider import Offer, Provider, RentError, Wanted
from engine.training.planning.estimate import RunEstimate, WhatIf, estimate_run
from engine.training.planning.gpus import Card, reported_card

START_SECONDS = 600.0
"""Taken for creating a machine, installing Limner and sending the dataset. Not measured: no provider was asked."""

AT_LEAST_SECONDS = 3600.0
"""That a machine without a budget is rented for, at most twice its estimate besides."""


@dataclass(frozen=True)
class Choice:
    """An offer, and what this run takes there."""

    offer: Offer
    seconds: float | None
    """The whole rental, ``START_SECONDS`` included; None: not known."""
    cost: float | None
    """Dollars for that; None: not known."""
    fits: bool | None
    """Whether the run fits into the card's memory; None: not known."""
    source: str
    """Where the time comes from: ``run``, ``probe``, ``model`` or ``none``."""

    def record(self) -> dict[str, Any]:
        """As ``limner rent --json`` prints it."""
        return {
            "provider": self.offer.provider,
            "id": self.offer.id,
            "card": self.offer.card,
            "memory_gb": self.offer.memory_gb,
            "price": self.offer.price,
            "where": self.offer.where,
            "seconds": self.seconds,
            "cost": self.cost,
            "fits": self.fits,
            "source": self.source,
        }

    def lives_at_most(self, budget: float | None) -> float:
        """Seconds after which the machine ends, however it goes.

        Args:
            budget: dollars for all of it; None: twice the estimate and an hour.

        Raises:
            RentError: there is neither a budget nor an estimate.
        """
        if budget is not None:
            return budget / self.offer.price * 3600
        if self.seconds is None:
            what = f"how long the run takes on a {self.offer.card} is not known"
            raise RentError(what, "say what it may cost in all: limner rent --budget 5")
        return 2 * self.seconds + AT_LEAST_SECONDS


@dataclass(frozen=True)
class Choices:
    """What can be rented, the cheapest whole run first."""

    found: Sequence[Choice]
    problems: Sequence[str] = ()
    """Why a provider's offers are not among them."""


def choices(project: Project, providers: Sequence[Provider], wanted: Wanted, changes: Mapping[str, Any]) -> Choices:
    """Asks the providers and estimates the run for each card. A provider that fails is told of, unless all do.

    Args:
        project: whose dataset and settings the run has.
        providers: who is asked.
        wanted: what is looked for.
        changes: dotted settings for this run alone.

    Raises:
        RentError: no provider has an answer.
        DatasetError, BaseModelError, TrainingError, ProjectError: as ``estimate_run``.
    """
    offers: list[Offer] = []
    errors: list[LimnerError] = []
    for provider in providers:
        try:
            offers += provider.offers(wanted)
        except RentError as error:
            errors.append(error)
    if errors and len(errors) == len(providers):
        raise errors[0]
    estimates: dict[Card, RunEstimate] = {}
    found = []
    for offer in offers:
        card = reported_card(offer.card, round(offer.memory_gb * 1e9))
        if card not in estimates:
            estimates[card] = estimate_run(project, dict(changes), WhatIf(card=card))
        found.append(_choice(offer, estimates[card]))
    return Choices(sorted(found, key=_order), [each.one_line() for each in errors])


def _choice(offer: Offer, estimate: RunEstimate) -> Choice:
    seconds = None if estimate.seconds_total is None else estimate.seconds_total + START_SECONDS
    cost = None if seconds is None else seconds / 3600 * offer.price
    return Choice(offer, seconds, cost, estimate.fits, estimate.source)


def _order(choice: Choice) -> tuple[bool, bool, float, float]:
    """Those that the run does not fit on come last, before them those of which nothing is known."""
    return choice.fits is False, choice.cost is None, choice.cost or 0.0, choice.offer.price
