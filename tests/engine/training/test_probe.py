"""A probe takes real steps, and the run after it takes the time that was said; a budget ends it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events
from engine.errors import TrainingError
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import follow
from engine.project import Project
from engine.training.estimate import RunEstimate, estimate_run
from engine.training.measured import machine_record, of_run
from engine.training.start import start_probe, start_training
from tests.small_project import small_project

PAIRS = 3
"""A neighbour's load may change between a probe and its run: the estimate may try so often, and must be right once."""

CHANGES = {"training.budget_hours": 1 / 3600}
"""A second: less than an epoch takes, so that the run ends after its first."""


@pytest.fixture
def one_core() -> Iterator[None]:
    """This process and those it starts on one core, so that all compute alike."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "james", images=6, training__repeats=20, training__epochs=3)


def finished(job: JobFolder) -> JobFolder:
    for entry in follow(job):
        assert not isinstance(entry.event, events.Error), entry.event
    return job


def of_kind(job: JobFolder, kind: type[events.Event]) -> list[events.Event]:
    return [entry.event for entry in job.entries() if isinstance(entry.event, kind)]


def off(said: RunEstimate, probe: JobFolder, run: JobFolder) -> float:
    """How far the real epoch was from the one that was said: by the clock, or by CPU time, which load disturbs less."""
    before, after = of_run(probe.path), of_run(run.path)
    assert before is not None
    assert after is not None
    epoch = of_kind(run, events.Epoch)[0]
    steps = len(of_kind(run, events.Step))
    assert said.seconds_per_epoch is not None
    by_clock = abs(epoch.seconds / said.seconds_per_epoch - 1)
    by_cpu = abs(after.cpu_seconds_per_step * steps / (before.cpu_seconds_per_step * said.steps_per_epoch) - 1)
    return min(by_clock, by_cpu)


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_after_a_probe_the_real_epoch_takes_what_was_said_within_a_tenth_and_a_budget_ends_the_run(
    project: Project,
) -> None:
    told = []
    for _ in range(PAIRS):
        probe = finished(start_probe(project, seconds=4))
        said = estimate_run(project, CHANGES)
        assert (said.source, said.steps_per_epoch) == ("probe", 60)
        assert (said.budget.passes, said.budget.epochs) == (True, 1)
        assert said.fixed_seconds.loading > 0.5
        assert said.fixed_seconds.caching > 0
        assert said.fixed_seconds.saving > 0
        assert said.seconds_total == pytest.approx(
            3 * said.seconds_per_epoch + said.fixed_seconds.loading + said.fixed_seconds.caching
        )
        run = finished(start_training(project, CHANGES))
        assert [each.epoch for each in of_kind(run, events.Epoch)] == [1]
        assert any("the budget is" in each.message for each in of_kind(run, events.Warning))
        told.append(off(said, probe, run))
        if told[-1] <= 0.1:
            break
    assert min(told) <= 0.1, told
    assert estimate_run(project).source == "run"
    assert left_over(project) == set()
    assert "jx265" not in machine_record().read_text()


def left_over(project: Project) -> set[str]:
    """What probes left besides their log and what they measured."""
    probes = [each for each in project.jobs.iterdir() if JobFolder(each).read_order().kind is JobKind.PROBE]
    kept = {"job.json", "events.jsonl", "worker.log", "lock", "measured.json"}
    return {path.name for probe in probes for path in probe.iterdir()} - kept


def test_a_budget_of_money_without_a_price_is_refused_before_anything_starts(project: Project) -> None:
    with pytest.raises(TrainingError, match="price_per_hour"):
        start_training(project, {"training.budget": 1.0})
    assert project.run_folders() == []
