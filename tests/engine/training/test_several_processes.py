"""Two processes that train together are one with twice the batch."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine import events
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import follow
from engine.project import Project
from engine.training.planning.benchmark_store import of_run
from engine.training.planning.estimate import estimate_run
from engine.training.runs.run_status import run_status
from engine.training.runs.start import resume_training, start_probe, start_training
from tests.support.patience import Patience, wait_until
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import small_project

TWO = {"training.batch_size": 1, "training.processes": 2}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """3 images twice, 2 a step of one process: the last step of an epoch has fewer images than there are shares."""
    return small_project(tmp_path_factory.mktemp("several") / "james", images=3, training__repeats=3)


@pytest.fixture(scope="module")
def alone(project: Project) -> JobFolder:
    job = ordered(project, "alone", training__batch_size=2)
    assert run_here(job).state is JobState.DONE
    return job


@pytest.fixture(scope="module")
def together(project: Project, alone: JobFolder) -> JobFolder:
    """Two processes, stopped after an epoch by a budget of a second."""
    return ended(start_training(project, {**TWO, "training.budget_hours": 1 / 3600}))


@pytest.fixture(scope="module")
def killed(project: Project) -> JobFolder:
    """Two processes, killed in the first epoch, resumed, and stopped after that epoch on request."""
    job = start_training(project, TWO)
    patience = Patience()
    while not run_status(job).step:
        assert patience.wait(0.02), job.log_path.read_text()
        assert job.alive(), job.log_path.read_text()
    pid = run_status(job).pid
    assert pid is not None
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(_lives(each) for each in children), "a process outlives its job")
    job = resume_training(project, job.id)
    job.ask(Request.STOP_AFTER_EPOCH)
    return ended(job)


def ended(job: JobFolder) -> JobFolder:
    for _ in follow(job):
        pass
    return job


@pytest.mark.long
def test_two_processes_take_the_steps_of_one_with_twice_the_batch(alone: JobFolder, together: JobFolder) -> None:
    assert run_status(together).state is JobState.DONE, together.log_path.read_text()
    assert of_kind(together, events.Plan)[0].steps == of_kind(alone, events.Plan)[0].steps == 10
    first_epoch = {step: loss for step, loss in losses(alone).items() if step <= 5}
    assert losses(together) == pytest.approx(first_epoch, rel=1e-4)
    one, other = (load_file(job.path / "checkpoints" / "jx265-000001.safetensors") for job in (alone, together))
    assert one.keys() == other.keys()
    # As a whole: Adam takes a full step even along a gradient that is nothing but rounding, which differs with the CPU.
    assert apart(one, other, "lora_up") < 2e-3
    assert apart(one, other, "lora_down") < 1e-2


@pytest.mark.long
def test_one_of_two_processes_writes_and_both_stop_by_the_budget(together: JobFolder) -> None:
    reason = run_status(together).reason
    assert reason is not None
    assert reason.startswith("stopped by its budget: another epoch would bring it to")
    assert [each.epoch for each in of_kind(together, events.Epoch)] == [1]
    assert [each.path for each in of_kind(together, events.Checkpoint)] == ["checkpoints/jx265-000001.safetensors"]
    assert [each.name for each in (together.path / "checkpoints").iterdir()] == ["jx265-000001.safetensors"]
    assert not list(together.path.rglob("*.part"))


@pytest.mark.long
def test_of_a_killed_job_no_process_outlives_it_and_both_resume_it(alone: JobFolder, killed: JobFolder) -> None:
    assert run_status(killed).reason == "stopped on request"
    assert [each.epoch for each in of_kind(killed, events.Epoch)] == [1]
    first_epoch = {step: loss for step, loss in losses(alone).items() if step <= 5}
    assert losses(killed) == pytest.approx(first_epoch, rel=1e-4)
    assert not list(killed.path.rglob("*.part"))


@pytest.mark.long
def test_a_probe_takes_its_steps_in_as_many_processes_as_the_run_will_have(project: Project) -> None:
    job = start_probe(project, TWO, seconds=0.5)
    for entry in follow(job):
        assert not isinstance(entry.event, events.Error), entry.event
    found = of_run(job.path)
    assert found is not None
    assert (found.setting.processes, found.setting.batch, found.setting.accumulation) == (2, 1, 1)
    estimate = estimate_run(project, TWO)
    assert (estimate.source, estimate.steps_per_epoch) == ("probe", 5)
    assert estimate.seconds_per_step == found.seconds_per_step
    assert estimate_run(project, {"training.batch_size": 1}).source != "probe"


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], kind: str) -> float:
    """How far the weights of a kind are from each other, as a share of their size."""
    first, second = (
        torch.cat([each[name].float().flatten() for name in sorted(each) if kind in name]) for each in (one, other)
    )
    return float((first - second).norm() / first.norm())


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[-1][0] != "Z"
    except OSError:
        return False
