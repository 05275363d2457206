"""What a run may cost: after which epoch it stops, before it begins and while it goes on. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import TrainingError
from engine.settings import TrainingSettings


@dataclass(frozen=True)
class Budget:
    """The limits that were set, and what they leave of a plan."""

    money: float | None = None
    hours: float | None = None
    epochs: int | None = None
    """So many epochs fit, of those that were planned; at least one is always trained. None: no limit, or the time of
    an epoch is not known."""
    passes: bool = False
    """Whether the plan is more than the budget."""


def seconds_within(settings: TrainingSettings) -> float | None:
    """How many seconds a run may take by the tighter of its two limits; None: as many as it wants."""
    limits = []
    if settings.budget is not None and settings.price_per_hour:
        limits.append(settings.budget / settings.price_per_hour * 3600)
    if settings.budget_hours is not None:
        limits.append(settings.budget_hours * 3600)
    return min(limits, default=None)


def epochs_within(settings: TrainingSettings, epochs: int, once: float, an_epoch: float | None) -> Budget:
    """What a budget leaves of ``epochs`` epochs.

    Args:
        settings: of the run.
        epochs: how many are planned.
        once: seconds before the first step.
        an_epoch: seconds of an epoch and of the pictures after it; None: not known.
    """
    seconds = seconds_within(settings)
    if seconds is None or not an_epoch:
        return Budget(settings.budget, settings.budget_hours)
    # A hair more, so that a budget of exactly three epochs has room for three.
    room = int((seconds - once) / an_epoch + 1e-9)
    return Budget(settings.budget, settings.budget_hours, max(1, min(epochs, room)), room < epochs)


def why_stop(settings: TrainingSettings, spent: float, next_epoch: float) -> str | None:
    """Why a run ends with the epoch it just finished; None: it goes on.

    Args:
        settings: of the run.
        spent: seconds so far, those before the first step included.
        next_epoch: seconds that the next epoch will take, with the pictures after it.
    """
    seconds = seconds_within(settings)
    if seconds is None or spent + next_epoch <= seconds:
        return None
    if settings.budget is not None and settings.price_per_hour:
        cost = settings.price_per_hour * (spent + next_epoch) / 3600
        if cost > settings.budget:
            return f"another epoch would bring it to {cost:.2f}, and the budget is {settings.budget:.2f}"
    hours = settings.budget_hours or 0.0
    return f"another epoch would bring it to {(spent + next_epoch) / 3600:.2f} hours, and the budget is {hours:.2f}"


def check_budget(settings: TrainingSettings) -> None:
    """Raises TrainingError for a budget that nothing could be held against."""
    if settings.budget is not None and not settings.price_per_hour:
        raise TrainingError(
            f"training.budget is {settings.budget:g}, but the price per hour is not known",
            "set training.price_per_hour, or training.budget_hours instead",
        )
