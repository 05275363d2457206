"""What a training run stands at, folded from its event log: the same for the command line and the screens."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from engine import events
from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import EventTail, JobFolder, this_machine
from engine.jobs.follow import died
from engine.training.runs.curves import Curves

HAPPENED = 200
"""How many of the latest noteworthy events are kept."""

QUIET_SECONDS = 120.0
"""After how long without a word a run on another machine is taken to have ended …"""

QUIET_TIMES = 20.0
"""… or after so many times as long as its log takes from one entry to the next, where that is longer."""


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
    loading: bool = False
    """Whether it was started or resumed and has taken no step since: what it is to do is loaded and encoded."""
    step: int = 0
    epoch: int = 0
    """The epoch under way, counted from 1."""
    loss: float | None = None
    average_loss: float | None = None
    validation_loss: float | None = None
    learning_rate: float | None = None
    images_per_s: float | None = None
    memory_gb: float | None = None
    gpu: events.Step | None = None
    """The latest step that told of the card's load, power, heat and memory."""
    epoch_seconds: float | None = None
    epoch_spread_seconds: float | None = None
    epoch_remaining_seconds: float | None = None
    remaining_seconds: float | None = None
    spread_seconds: float | None = None
    """How far ``remaining_seconds`` may be off, either way."""
    cost: float | None = None
    """Of the whole run: what was spent and what is to come."""
    spent: float | None = None
    checkpoints: tuple[Path, ...] = ()
    """Absolute paths, oldest first."""
    kept: tuple[events.Checkpoint, ...] = ()
    """What the log says of each of them."""
    samples: tuple[events.Sample, ...] = ()
    warnings: tuple[str, ...] = ()
    fits: tuple[events.Fit, ...] = ()
    """What was given up so that the run fits into memory."""
    happened: tuple[events.Entry, ...] = ()
    """The latest events that a person may want to read of: all kinds but steps, estimates and plans."""
    error: events.Error | None = None
    started_at: float | None = None
    ended_at: float | None = None
    seconds: float = 0.0
    """How long the run has gone on, the time in which it was paused, stopped or dead not counted."""
    host: str | None = None
    """The machine that it runs on."""
    sent_to: str | None = None
    """The machine of the user's own list that it was sent to; None: it was begun here."""
    elsewhere: bool = False
    """Whether that is another machine than this one: then its life is judged by its log's age."""
    silent_seconds: float | None = None
    """How long the log of a run elsewhere has said nothing; None: not long enough to matter."""

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
        """Whether the run's process is at it, or seems to be."""
        return not self.state.ended and self.state is not JobState.QUEUED and self.silent_seconds is None

    @property
    def stopped(self) -> bool:
        """Whether it ended before it was through, as it was asked to: one that did all has no reason to end."""
        return self.state is JobState.DONE and self.reason is not None

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


class RunFollower:
    """Follows one run: each ``poll`` reads what is new in its log.

    Args:
        job: its folder.
        elsewhere: whether the folder is known to be a copy, or another machine's. Left out: the log says on which
            machine the run was made.
    """

    curves: Curves
    status: RunStatus

    def __init__(self, job: JobFolder, elsewhere: bool = False) -> None:
        self.job = job
        self._elsewhere = elsewhere
        self._tail = EventTail(job.events_path)
        self._begun_anew = 0
        self._begin()

    def poll(self) -> RunStatus:
        """Reads the log's new entries and returns where the run stands now. Raises OSError where it can't be read."""
        lived = self.job.alive()
        more = False
        for entry in self._tail.read():
            self._begin_where_it_did()
            self._take(entry)
            more = True
        self._begin_where_it_did()
        self._settle()
        if more:
            self.status = replace(self.status, happened=tuple(self._happened))
        self._judge(lived)
        return self.status

    def _begin_where_it_did(self) -> None:
        """Forgets all where the log turned out to be another one."""
        if self._tail.begun_anew != self._begun_anew:
            self._begun_anew = self._tail.begun_anew
            self._begin()

    def _begin(self) -> None:
        self.curves = Curves()
        self.status = RunStatus(self.job.id, self.job.path, sent_to=self.job.sent_to())
        self._happened: deque[events.Entry] = deque(maxlen=HAPPENED)
        self._latest: events.Step | None = None
        self._gpu: events.Step | None = None
        self._last_t: float | None = None
        self._gaps: deque[float] = deque(maxlen=100)
        self._skipped = 0.0

    def _take(self, entry: events.Entry) -> None:
        """Takes in one entry. Steps, nearly all there is of a long log, are taken together."""
        event, before = entry.event, self._last_t
        self._last_t = entry.t
        if before is None:
            self._skipped = entry.t
        elif entry.t < before:
            # The machine's clock was set back; the run's own goes on.
            self._skipped += entry.t - before
        else:
            self._gaps.append(entry.t - before)
        if isinstance(event, events.Step):
            self.curves.add(event, entry.t - self._skipped)
            self._latest = event
            if event.gpu_percent is not None or event.gpu_memory_gb is not None:
                self._gpu = event
            return
        self._settle()
        if isinstance(event, events.Job):
            self._take_job(event, entry.t, before)
        else:
            self._take_other(event, entry.t)
        if not isinstance(event, (events.Plan, events.Estimate)):
            self._remember(entry)

    def _settle(self) -> None:
        step = self._latest
        if step is None:
            if self._last_t is not None:
                self.status = replace(self.status, seconds=self._last_t - self._skipped)
            return
        self._latest = None
        self.status = replace(
            self.status,
            loading=False,
            step=step.step,
            epoch=step.epoch,
            loss=step.loss,
            average_loss=self.curves.averages[-1] if self.curves.averages else None,
            learning_rate=step.lr,
            images_per_s=step.images_per_s,
            memory_gb=step.memory_gb,
            gpu=self._gpu,
            seconds=(self._last_t or 0.0) - self._skipped,
        )

    def _take_job(self, event: events.Job, t: float, before: float | None) -> None:
        status = self.status
        goes_on = event.state is JobState.RUNNING and status.state is JobState.PAUSED
        if before is not None and (event.state is JobState.STARTING or goes_on):
            # The run's own clock stood still until now.
            self._skipped += t - before
        changed = replace(
            status,
            state=event.state,
            reason=event.reason,
            pid=event.pid or status.pid,
            host=event.host or status.host,
        )
        if event.state is JobState.STARTING:
            changed = replace(changed, error=None, ended_at=None, started_at=status.started_at or t, loading=True)
            # What was left when it ended tells nothing of now; the first steps will.
            changed = replace(changed, remaining_seconds=None, epoch_remaining_seconds=None, spread_seconds=None)
        if event.state.ended:
            changed = replace(changed, ended_at=t, remaining_seconds=0.0, epoch_remaining_seconds=0.0, loading=False)
        self.status = changed

    def _take_other(self, event: events.Event, t: float) -> None:
        status = self.status
        match event:
            case events.Plan():
                status = replace(status, plan=event)
            case events.Phase():
                status = replace(status, phase=event)
            case events.Epoch():
                self.curves.end_epoch(event, t - self._skipped)
                status = replace(status, epoch_seconds=event.seconds, validation_loss=event.validation_loss)
            case events.Estimate():
                status = replace(
                    status,
                    epoch_seconds=event.epoch_seconds,
                    epoch_spread_seconds=event.epoch_spread_seconds,
                    epoch_remaining_seconds=event.epoch_remaining_seconds,
                    remaining_seconds=event.remaining_seconds,
                    spread_seconds=event.spread_seconds,
                    cost=event.cost,
                    spent=event.spent,
                )
            case events.Checkpoint():
                path = self.job.path / event.path
                gone = {path, *(self.job.path / each for each in event.removed)}
                kept = tuple(each for each in status.checkpoints if each not in gone)
                told = tuple(each for each in status.kept if self.job.path / each.path not in gone)
                status = replace(status, checkpoints=(*kept, path), kept=(*told, event))
            case events.Sample():
                others = tuple(each for each in status.samples if each.path != event.path)
                status = replace(status, samples=(*others, event))
                of_epoch = [each.likeness for each in status.samples if each.epoch == event.epoch]
                self.curves.add_sample(event, [each for each in of_epoch if each is not None], t - self._skipped)
            case events.Warning():
                status = replace(status, warnings=(*status.warnings, event.message))
            case events.Fit():
                status = replace(status, fits=(*status.fits, event))
            case events.Error():
                status = replace(status, error=event)
        self.status = status

    def _remember(self, entry: events.Entry) -> None:
        """Keeps it to be read; of a stretch of work only how far it has come."""
        event, last = entry.event, self._happened[-1].event if self._happened else None
        if isinstance(event, events.Phase) and isinstance(last, events.Phase) and last.name == event.name:
            self._happened.pop()
        self._happened.append(entry)

    def _judge(self, lived: bool) -> None:
        """Whether a run that names no end goes on: by the lock of its process, or elsewhere by its log's age."""
        status = self.status
        host = status.host
        elsewhere = not lived and (self._elsewhere or (host is not None and host != this_machine()))
        silent = None
        if not status.state.ended and status.state is not JobState.QUEUED and not lived:
            if not elsewhere:
                gone = died(self.job)
                status = replace(status, state=gone.state, reason=gone.reason)
            elif (age := self._age()) > max(QUIET_SECONDS, QUIET_TIMES * self._usual_gap()):
                # Whole minutes: what did not change is not drawn anew.
                silent = age // 60 * 60
        if (elsewhere, silent) != (status.elsewhere, status.silent_seconds):
            status = replace(status, elsewhere=elsewhere, silent_seconds=silent)
        self.status = status

    def _age(self) -> float:
        """Seconds since the log last said something; two machines' clocks may differ, so the least is believed."""
        ages = [time.time() - (self._last_t or 0.0)]
        # Where it is gone for now, what was read tells its age.
        with contextlib.suppress(OSError):
            ages.append(time.time() - self.job.events_path.stat().st_mtime)
        return max(0.0, min(ages))

    def _usual_gap(self) -> float:
        # The median, without a module that takes as long to import as all of this.
        gaps = sorted(self._gaps)
        return gaps[len(gaps) // 2] if gaps else 0.0


def run_status(job: JobFolder) -> RunStatus:
    """Where a run stands, read once."""
    return RunFollower(job).poll()


def run_at(path: Path) -> JobFolder:
    """The run in a folder that may be another machine's, copied or mounted.

    Raises:
        JobError: it holds no event log.
    """
    job = JobFolder(path.resolve())
    if not job.events_path.is_file():
        raise JobError(f"{path} holds no run: there is no events.jsonl in it", "give a run's folder, as in runs/")
    return job
