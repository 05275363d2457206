"""How near the time that a probe says is to what a run then takes: an epoch, and the whole run with its pictures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import events
from engine.jobs.folder import JobFolder
from engine.jobs.follow import follow
from engine.project import Project
from engine.training.planning.benchmark_store import of_run
from engine.training.planning.estimate import RunEstimate, estimate_run
from engine.training.runs.start import start_probe, start_training
from tests.bench.result import Result
from tests.support.small_project import small_project

PAIRS = 3
"""A neighbour's load may change between a probe and its run: so many pairs are tried, and all are told."""

SETTINGS = {
    "training__repeats": 20,
    "training__epochs": 3,
    "training__validation_split": 1,
    "training__sample_prompts": ["photo of jx265 man", "jx265 man, red shirt"],
    "training__sample_inference_steps": 10,
}


@dataclass(frozen=True)
class Pair:
    """How far a run was from what its probe said, as shares: 0.1 is a tenth."""

    epoch: float
    """Its epochs, by the clock."""
    epoch_by_cpu: float
    """Their steps by the process's CPU time, which other programs disturb less."""
    whole: float
    """The whole run, from the start of its process to its end, by the clock."""


def results() -> Iterator[Result]:
    """Yields what each pair was off."""
    with tempfile.TemporaryDirectory() as folder, one_core():
        os.environ["XDG_STATE_HOME"] = folder
        project = small_project(Path(folder) / "james", images=7, **SETTINGS)
        for number in range(1, PAIRS + 1):
            pair = probe_and_run(project)
            note = f"its steps by CPU time {pair.epoch_by_cpu:.1%}; one core, the tiny base"
            yield Result(f"estimate: pair {number}, an epoch off by", 100 * pair.epoch, "%", note=note)
            yield Result(f"estimate: pair {number}, the whole run off by", 100 * pair.whole, "%")


def probe_and_run(project: Project) -> Pair:
    """Probes, estimates by that, trains, and compares."""
    probe = finished(start_probe(project, seconds=4))
    said = estimate_run(project)
    assert said.source == "probe"
    return compared(said, probe, finished(start_training(project)))


def compared(said: RunEstimate, probe: JobFolder, run: JobFolder) -> Pair:
    """What was said against what was."""
    before, after = of_run(probe.path), of_run(run.path)
    assert before is not None
    assert after is not None
    assert said.seconds_per_epoch
    assert said.seconds_total
    entries = list(run.entries())
    epochs = [each.event.seconds for each in entries if isinstance(each.event, events.Epoch)]
    took = entries[-1].t - entries[0].t
    # Encoded by the probe already.
    cached = (said.fixed_seconds.caching or 0.0) if said.fixed_seconds else 0.0
    return Pair(
        abs(sum(epochs) / len(epochs) / said.seconds_per_epoch - 1),
        abs(after.cpu_seconds_per_step / before.cpu_seconds_per_step - 1),
        abs(took / (said.seconds_total - cached) - 1),
    )


@contextmanager
def one_core() -> Iterator[None]:
    """This process and those it starts on one core, so that all compute alike."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def finished(job: JobFolder) -> JobFolder:
    """Waits for a job's end. Raises AssertionError where it failed."""
    for entry in follow(job):
        assert not isinstance(entry.event, events.Error), entry.event
    return job
