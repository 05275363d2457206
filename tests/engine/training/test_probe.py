"""A probe takes real steps, and the run after it takes the time that was said; a budget ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import events
from engine.errors import TrainingError
from engine.jobs.folder import JobFolder, JobKind
from engine.project import Project
from engine.training.planning.benchmark_store import machine_record
from engine.training.planning.estimate import estimate_run
from engine.training.runs.run_status import run_status
from engine.training.runs.start import start_probe, start_training
from tests.bench.bench_estimate import PAIRS, SETTINGS, compared, finished, one_core, probe_and_run
from tests.support.small_project import small_project

CHANGES = {"training.budget_hours": 1 / 3600}
"""A second: less than an epoch takes, so that the run ends after its first."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "james", images=6, training__repeats=6, training__epochs=3)


def of_kind(job: JobFolder, kind: type[events.Event]) -> list[events.Event]:
    return [entry.event for entry in job.entries() if isinstance(entry.event, kind)]


@pytest.mark.long
def test_after_a_probe_a_run_takes_what_was_said_within_a_tenth(tmp_path: Path) -> None:
    """It wants a machine that does nothing else; ``make bench`` tells the figures."""
    told = []
    project = small_project(tmp_path / "james", images=7, **SETTINGS)
    with one_core():
        for _ in range(PAIRS):
            told.append(probe_and_run(project))
            if min(told[-1].epoch, told[-1].epoch_by_cpu) <= 0.1:
                break
    assert min(min(each.epoch, each.epoch_by_cpu) for each in told) <= 0.1, told


@pytest.mark.slow
def test_the_next_estimate_goes_by_a_probe_and_a_budget_ends_the_run(project: Project) -> None:
    probe = finished(start_probe(project, seconds=1))
    said = estimate_run(project, CHANGES)
    assert (said.source, said.steps_per_epoch) == ("probe", 18)
    assert (said.budget.passes, said.budget.epochs) == (True, 1)
    assert said.fixed_seconds.loading > 0
    assert said.fixed_seconds.caching > 0
    assert said.fixed_seconds.saving > 0
    assert said.seconds_total == pytest.approx(
        3 * said.seconds_per_epoch + said.fixed_seconds.loading + said.fixed_seconds.caching
    )
    run = finished(start_training(project, CHANGES))
    assert [each.epoch for each in of_kind(run, events.Epoch)] == [1]
    assert any("the budget is" in each.message for each in of_kind(run, events.Warning))
    assert run_status(run).stopped
    assert "the budget is" in (run_status(run).reason or "")
    # Other tests take turns with both on these cores.
    off = compared(said, probe, run)
    assert min(off.epoch, off.epoch_by_cpu) < 3
    assert estimate_run(project).source == "run"
    assert left_over(project) == set()
    assert "jx265" not in machine_record().read_text()


def left_over(project: Project) -> set[str]:
    """What probes left besides their log and what they measured."""
    probes = [each for each in project.jobs.iterdir() if JobFolder(each).read_order().kind is JobKind.PROBE]
    kept = {"job.json", "events.jsonl", "worker.log", "lock", "measured.json"}
    return {path.name for probe in probes for path in probe.iterdir()} - kept


def test_a_budget_without_a_price_is_refused_before_anything_starts(project: Project) -> None:
    with pytest.raises(TrainingError, match="price_per_hour"):
        start_training(project, {"training.budget": 1.0})
    assert project.run_folders() == []
