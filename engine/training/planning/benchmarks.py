"""Measuring a run while it goes: its pace, its memory, what it takes besides its steps. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from engine import events
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.models.shape import BaseShape
from engine.settings import TrainingSettings
from engine.training.planning.benchmark_store import Costs, Measured, Setting, remember
from engine.training.planning.eta import Pace
from engine.training.planning.timing import Source
from engine.training.step.memory_fallback import MicrobatchPlan

LATENTS, CAPTIONS = "latents", "captions"
"""The stretches of work that encode, as the log names them."""


def setting_in(
    training: TrainingSettings, fitting: MicrobatchPlan, base: BaseShape, device: str, dtype: str, graphed: bool
) -> Setting:
    """What a step is like.

    Args:
        training: the run's settings.
        fitting: how the step is cut so that it fits into memory.
        base: the size of the base model.
        device: from ``device_name``.
        dtype: what the base is kept in, ``bfloat16`` or ``float32``.
        graphed: whether its passes are replayed.
    """
    return Setting(
        device=device,
        base=base.name,
        dtype=dtype,
        optimizer=fitting.optimizer.value,
        resolution=fitting.resolution,
        batch=fitting.batch,
        accumulation=fitting.accumulation,
        rank=training.rank,
        checkpointing=fitting.checkpointing,
        text_encoders=training.train_text_encoders,
        processes=training.processes,
        compiled=training.compile == "on",
        graphed=graphed,
        dropout=training.dropout > 0,
        ema=training.ema_decay is not None,
        family=base.family,
        factor=training.lokr_factor,
    )


def measure(source: Source, job: JobFolder, setting: Setting, pace: Pace, memory_gb: float) -> Measured | None:
    """What was measured so far; None where there were too few steps to tell."""
    times = pace.measured()
    if times is None:
        return None
    began, costs = fixed_costs(entries_one_by_one(job))
    return Measured(
        kind=source.value,
        t=began,
        setting=setting,
        steps=times.count,
        seconds_per_step=times.seconds,
        spread=round(times.spread, 4),
        cpu_seconds_per_step=times.cpu_seconds,
        memory_gb=memory_gb,
        costs=replace(pace.costs, loading=costs.loading, image=costs.image, caption=costs.caption),
    )


def remember_run(job: JobFolder, setting: Setting, pace: Pace, memory_gb: float) -> None:
    """Keeps what a run measured, for the estimates of the runs after it."""
    found = measure(Source.RUN, job, setting, pace, memory_gb)
    if found is not None:
        remember(found, job.path)


def entries_one_by_one(job: JobFolder) -> Iterator[events.Entry]:
    """The log, line by line, for whom its first lines will do: it grows long."""
    with job.events_path.open(encoding="utf-8", errors="replace") as log:
        for line in log:
            if (entry := events.from_line(line)) is not None:
                yield entry


def fixed_costs(entries: Iterable[events.Entry]) -> tuple[float, Costs]:
    """When a run began, and what it took until its first step, from its log.

    Of a run that was resumed: of its first beginning, when everything was encoded. One that was stopped before it had
    a plan began in several processes: the last of them loaded all, and the time between them is nobody's.
    """
    began = started = ended = 0.0
    seconds = {LATENTS: 0.0, CAPTIONS: 0.0}
    counts = {LATENTS: 0, CAPTIONS: 0}
    before = 0.0
    for entry in entries:
        event = entry.event
        if isinstance(event, events.Job) and event.state is JobState.RUNNING:
            began = began or entry.t
            started = before = entry.t
            seconds = {LATENTS: 0.0, CAPTIONS: 0.0}
        if isinstance(event, events.Phase) and event.name in seconds:
            if event.done:
                seconds[event.name] += entry.t - before
            counts[event.name] = event.total
        if isinstance(event, events.Plan):
            ended = entry.t
            break
        before = entry.t
    if not ended:
        return began, Costs()
    loading = max(0.0, ended - started - sum(seconds.values()))
    image, caption = (seconds[each] / counts[each] if counts[each] else None for each in (LATENTS, CAPTIONS))
    return began, Costs(loading, image, caption)
