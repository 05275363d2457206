"""What a training run stands at, folded from its event log: the same for the command line and the screens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from engine import events
from engine.events import JobState
from engine.jobs.folder import EventTail, JobFolder
from engine.jobs.follow import died

AVERAGE_DECAY = 0.95
"""How much of the moving average of the loss stays at each step (bias-corrected)."""


@dataclass(frozen=True)
class RunStatus:
    """One run, as far as its log tells. Times in seconds, memory in GB; None: not known yet."""

    id: str
    folder: Path
    state: JobState = JobState.QUEUED
    reason: str | None = None
    pid: int | None = None
    plan: events.Plan | None = None
    phase: events.Phase | None = None
    step: int = 0
    epoch: int = 0
    """The epoch under way, counted from 1."""
    loss: float | None = None
    average_loss: float | None = None
    images_per_s: float | None = None
    memory_gb: float | None = None
    epoch_seconds: float | None = None
    epoch_remaining_seconds: float | None = None
    remaining_seconds: float | None = None
    cost: float | None = None
    checkpoints: tuple[Path, ...] = ()
    """Absolute paths, oldest first."""
    samples: tuple[events.Sample, ...] = ()
    warnings: tuple[str, ...] = ()
    error: events.Error | None = None
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def epochs(self) -> int:
        """How many epochs the run is to have; 0 while unknown."""
        return self.plan.epochs if self.plan else 0

    @property
    def steps(self) -> int:
        """How many steps the run is to have; 0 while unknown."""
        return self.plan.steps if self.plan else 0

    @property
    def live(self) -> bool:
        """Whether the run's process is at it."""
        return not self.state.ended and self.state is not JobState.QUEUED

    @property
    def epoch_share(self) -> float:
        """How much of the epoch under way is done, 0 to 1."""
        if self.plan is None or not self.step:
            return 0.0
        return (self.step - (self.epoch - 1) * self.plan.steps_per_epoch) / self.plan.steps_per_epoch

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        return self.step / self.steps if self.steps else 0.0


@dataclass
class Losses:
    """The loss curve: parallel lists of step, loss, and bias-corrected moving average."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    averages: list[float] = field(default_factory=list)
    epoch_ends: list[int] = field(default_factory=list)
    """The steps at which epochs ended."""
    _running: float = 0.0

    def add(self, step: int, loss: float) -> None:
        """Takes in one step. A step already seen (a run that was resumed) replaces what followed it."""
        while self.steps and self.steps[-1] >= step:
            for series in (self.steps, self.losses, self.averages):
                series.pop()
        # The raw running value is recovered from the last corrected average, so that a rewind stays true.
        count = len(self.steps)
        self._running = self.averages[-1] * (1 - AVERAGE_DECAY**count) if count else 0.0
        self._running = AVERAGE_DECAY * self._running + (1 - AVERAGE_DECAY) * loss
        self.steps.append(step)
        self.losses.append(loss)
        self.averages.append(self._running / (1 - AVERAGE_DECAY ** (count + 1)))


class RunFollower:
    """Follows one run: each ``poll`` reads what is new in its log."""

    def __init__(self, job: JobFolder) -> None:
        self.job = job
        self.losses = Losses()
        self.status = RunStatus(job.id, job.path)
        self._tail = EventTail(job.events_path)

    def poll(self) -> RunStatus:
        """Reads the log's new entries and returns where the run stands now."""
        lived = self.job.alive()
        for entry in self._tail.read():
            self._take(entry)
        if self.status.live and not lived:
            gone = died(self.job)
            self.status = replace(self.status, state=gone.state, reason=gone.reason)
        return self.status

    def _take(self, entry: events.Entry) -> None:
        status, event = self.status, entry.event
        match event:
            case events.Job():
                status = replace(status, state=event.state, reason=event.reason, pid=event.pid or status.pid)
                if event.state is JobState.STARTING:
                    status = replace(status, error=None, ended_at=None)
                    status = replace(status, started_at=status.started_at or entry.t)
                if event.state.ended:
                    status = replace(status, ended_at=entry.t, remaining_seconds=0.0)
            case events.Plan():
                status = replace(status, plan=event)
            case events.Phase():
                status = replace(status, phase=event)
            case events.Step():
                if event.loss is not None:
                    self.losses.add(event.step, event.loss)
                status = replace(
                    status,
                    step=event.step,
                    epoch=event.epoch,
                    loss=event.loss,
                    average_loss=self.losses.averages[-1] if self.losses.averages else None,
                    images_per_s=event.images_per_s,
                    memory_gb=event.memory_gb,
                )
            case events.Epoch():
                if status.step not in self.losses.epoch_ends:
                    self.losses.epoch_ends.append(status.step)
                status = replace(status, epoch_seconds=event.seconds)
            case events.Estimate():
                status = replace(
                    status,
                    epoch_seconds=event.epoch_seconds,
                    epoch_remaining_seconds=event.epoch_remaining_seconds,
                    remaining_seconds=event.remaining_seconds,
                    cost=event.cost,
                )
            case events.Checkpoint():
                path = self.job.path / event.path
                gone = {path, *(self.job.path / each for each in event.removed)}
                kept = tuple(each for each in status.checkpoints if each not in gone)
                status = replace(status, checkpoints=(*kept, path))
            case events.Sample():
                status = replace(status, samples=(*status.samples, event))
            case events.Warning():
                status = replace(status, warnings=(*status.warnings, event.message))
            case events.Error():
                status = replace(status, error=event)
        self.status = status


def run_status(job: JobFolder) -> RunStatus:
    """Where a run stands, read once."""
    return RunFollower(job).poll()
