"""What a run did before its present process, by its own log. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine import events
from engine.events import JobState


@dataclass(frozen=True)
class Before:
    """What the log tells besides the state."""

    unsaved_seconds: float
    """What was taken after the state was kept: by steps that are to be done again, by pictures. While no process was
    at it, nothing was taken; what the present one takes is not in it."""
    painted: frozenset[str]
    """The pictures that were painted, by their paths in the run's folder."""


def told_before(entries: Iterable[events.Entry], step: int | None) -> Before:
    """Reads a run's log.

    Args:
        entries: the log's, from the beginning.
        step: the step that the state was kept at; None: there is no state.
    """
    unsaved = of_process = 0.0
    painted: set[str] = set()
    last: float | None = None
    for entry in entries:
        event = entry.event
        if isinstance(event, events.Job) and event.state is JobState.STARTING:
            unsaved, of_process = unsaved + of_process, 0.0
        elif last is not None:
            # A clock that is set back takes nothing away.
            of_process += max(0.0, entry.t - last)
        last = entry.t
        if isinstance(event, events.Sample):
            painted.add(event.path)
        if _is_kept_at(event, step):
            unsaved = of_process = 0.0
    return Before(unsaved, frozenset(painted))


def _is_kept_at(event: events.Event, step: int | None) -> bool:
    """Whether the state of that step is kept with the event, or soon after it."""
    if isinstance(event, events.Plan):
        return step == 0
    return isinstance(event, (events.Step, events.Checkpoint)) and event.step == step
