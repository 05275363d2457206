"""Starting a run on a machine that is rented for it. No torch."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from engine.jobs.folder import JobFolder, JobKind
from engine.project import Project
from engine.remote.start import begin_elsewhere
from engine.rent.lease import Lease
from engine.rent.offers import Choice
from engine.rent.order import DIRECTORY, READY_SECONDS, SETTLE_SECONDS, RentOrder
from engine.rent.provider import LABEL_PREFIX
from engine.rent.registry import provider_named


def start_rented(
    project: Project,
    choice: Choice,
    changes: Mapping[str, Any],
    budget: float | None = None,
    most_per_hour: float | None = None,
    lease: Lease | None = None,
    settle: float = SETTLE_SECONDS,
    ready: float = READY_SECONDS,
) -> JobFolder:
    """Starts the job that rents a machine, trains on it, and ends it. Returns at once.

    Args:
        project: the project.
        choice: the offer that is tried first.
        changes: dotted settings for this run alone.
        budget: dollars for the whole rental; None: ``training.budget``, or twice the estimate and an hour.
        most_per_hour: what another offer of the same card may cost where this one is gone; None: as much as this one.
        lease: when the machine ends by itself; None: as the budget says.
        settle: seconds for which a machine is looked for whose creation nobody answered.
        ready: seconds that a machine may take until ssh answers.

    Raises:
        RentError: there is neither a budget nor an estimate.
        KeyMissing: the provider's API key is not there.
        RemoteError, DatasetError, TrainingError, ProjectError, PromptError, JobError: as for a run elsewhere.
    """
    offer = choice.offer
    provider_named(offer.provider)
    lease = lease or Lease(choice.lives_at_most(budget or project.settings.training.budget))
    label = f"{LABEL_PREFIX}{secrets.token_hex(4)}"
    order = RentOrder(label, offer, max(most_per_hour or 0.0, offer.price), lease, settle, ready)
    on = {"box": f"{offer.card} ({offer.provider})", "rent": order.record()}
    priced = {**changes, "training.price_per_hour": offer.price}
    return begin_elsewhere(project, JobKind.TRAIN_RENTED, DIRECTORY, on, priced)
