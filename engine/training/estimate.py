"""What a run will take, before it is started: steps by arithmetic, time and memory from runs that were measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from engine import events
from engine.errors import LimnerError
from engine.jobs.folder import JobFolder
from engine.project import Project
from engine.settings import Settings, with_changes
from engine.training.examples import read_examples
from engine.training.plan import formula, plan_for
from engine.training.start import run_settings

NOT_MEASURED = "not measured yet"


@dataclass(frozen=True)
class RunEstimate:
    """A plan and what it will take. None: not measured yet."""

    images: int
    repeats: int
    epochs: int
    batch: int
    image_steps: int
    steps: int
    formula: str
    seconds_per_epoch: float | None
    seconds_total: float | None
    cost: float | None
    """In the user's currency; None also where no price is set."""
    memory_gb: float | None
    source: str
    """``run``: measured by a run of this project with like settings; ``none``."""
    detail: str
    """Where the figures come from, in words."""

    def record(self) -> dict[str, Any]:
        """As ``limner estimate --json`` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class _Measured:
    run: str
    seconds_per_step: float
    memory_gb: float


def estimate_run(project: Project, changes: dict[str, Any] | None = None) -> RunEstimate:
    """Estimates a run of this project.

    Args:
        project: the project.
        changes: dotted settings for this estimate alone.

    Raises:
        DatasetError: there are no images, or one has no caption.
        ProjectError: a setting won't do.
    """
    settings = with_changes(project.settings, changes or {})
    plan = plan_for(settings.training, len(read_examples(project)))
    measured = _measured(project, settings)
    per_epoch = measured.seconds_per_step * plan.steps_per_epoch if measured else None
    total = per_epoch * plan.epochs if per_epoch is not None else None
    price = settings.training.price_per_hour
    return RunEstimate(
        images=plan.images,
        repeats=plan.repeats,
        epochs=plan.epochs,
        batch=plan.batch,
        image_steps=plan.image_steps,
        steps=plan.steps,
        formula=formula(plan),
        seconds_per_epoch=per_epoch,
        seconds_total=total,
        cost=price * total / 3600 if price and total is not None else None,
        memory_gb=measured.memory_gb if measured else None,
        source="run" if measured else "none",
        detail=f"measured by {measured.run}" if measured else NOT_MEASURED,
    )


def _measured(project: Project, settings: Settings) -> _Measured | None:
    """The newest run with like settings that finished an epoch."""
    for job in reversed(project.run_folders()):
        try:
            like = _like(run_settings(job)) == _like(settings)
        except (LimnerError, KeyError, ValueError):
            # A folder that some other version or hand left there measures nothing.
            continue
        if like and (found := _from_log(job)):
            return found
    return None


def _like(settings: Settings) -> tuple[object, ...]:
    """What the pace and memory of a step depend on."""
    training = settings.training
    return (
        *(settings.base.model, training.batch, training.resolution, training.rank),
        *(training.gradient_checkpointing, training.precision),
    )


def _from_log(job: JobFolder) -> _Measured | None:
    plan: events.Plan | None = None
    seconds: list[float] = []
    memory = 0.0
    for entry in job.entries():
        match entry.event:
            case events.Plan():
                plan = entry.event
            case events.Epoch():
                seconds.append(entry.event.seconds)
            case events.Step():
                memory = max(memory, entry.event.memory_gb)
    if plan is None or not seconds:
        return None
    return _Measured(job.id, median(seconds) / plan.steps_per_epoch, memory)
