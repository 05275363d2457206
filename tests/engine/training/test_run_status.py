"""What a run is said to stand at, from its log alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import events
from engine.events import JobState
from engine.jobs.folder import EventLog, JobFolder
from engine.settings import TrainingSettings
from engine.training.planning.plan import formula, plan_for
from engine.training.runs.curves import AVERAGE_DECAY, Curves
from engine.training.runs.run_status import RunFollower, run_status


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "20261121-1403-jx265")


def write(job: JobFolder, *happened: events.Event) -> None:
    log = EventLog(job.events_path)
    for event in happened:
        log.emit(event)
    log.close()


def step(number: int, loss: float, epoch: int = 1) -> events.Step:
    return events.Step(number, epoch, loss, 1e-4, 2.0, 1.5)


def test_steps_are_images_times_repeats_times_epochs_over_batch() -> None:
    plan = plan_for(TrainingSettings(repeats=10, epochs=10, batch=4), images=25)
    assert (plan.steps_per_epoch, plan.steps, plan.image_steps) == (63, 630, 2500)
    assert formula(plan) == "25 images × 10 repeats × 10 epochs = 2,500 image-steps"


def test_a_run_tells_its_step_epoch_loss_and_time_left(job: JobFolder) -> None:
    write(
        job,
        events.Job(JobState.STARTING, pid=1),
        events.Plan(images=4, repeats=1, batch=1, steps_per_epoch=4, epochs=2, steps=8, image_steps=8),
        *(step(number, 0.1 * number, 1 + (number - 1) // 4) for number in range(1, 7)),
        events.Estimate(epoch_seconds=4.0, remaining_seconds=2.0, cost=0.1, epoch_remaining_seconds=2.0),
        events.Checkpoint("checkpoints/jx265-000001.safetensors", 1, 4),
    )
    follower = RunFollower(job)
    status = follower.poll()
    assert (status.step, status.steps, status.epoch, status.epochs) == (6, 8, 2, 2)
    assert status.share == 0.75
    assert status.epoch_share == 0.5
    assert status.loss == pytest.approx(0.6)
    assert status.remaining_seconds == 2.0
    assert status.checkpoints == (job.path / "checkpoints/jx265-000001.safetensors",)


def test_a_run_whose_process_is_gone_is_not_said_to_run(job: JobFolder) -> None:
    write(job, events.Job(JobState.RUNNING, pid=1), step(1, 0.5))
    status = run_status(job)
    assert status.state is JobState.FAILED
    assert "the process ended without a message" in (status.reason or "")


def test_each_look_adds_only_what_is_new(job: JobFolder) -> None:
    write(job, step(1, 0.5))
    follower = RunFollower(job)
    follower.poll()
    write(job, step(2, 0.3))
    assert follower.poll().step == 2
    assert list(follower.curves.losses) == [0.5, 0.3]


def test_the_average_is_not_pulled_to_zero_at_the_start() -> None:
    curves = Curves()
    for number in range(1, 4):
        curves.add(step(number, 0.2), 0.0)
    assert list(curves.averages) == pytest.approx([0.2, 0.2, 0.2])


def test_a_resumed_run_replaces_the_steps_that_it_does_again() -> None:
    once, again = Curves(), Curves()
    for number, loss in enumerate((0.5, 0.4, 0.3), 1):
        once.add(step(number, loss), 0.0)
    for number, loss in ((1, 0.5), (2, 0.9), (3, 0.9), (2, 0.4), (3, 0.3)):
        again.add(step(number, loss), 0.0)
    assert again.steps == once.steps
    assert again.losses == once.losses
    assert list(again.averages) == pytest.approx(list(once.averages))
    assert 0 < AVERAGE_DECAY < 1
