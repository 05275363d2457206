"""Whole runs in processes of their own: what they write, how they are told things, and how they go on after a kill."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import events
from engine.errors import BaseModelError, DatasetError, JobError, ProjectError
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.jobs.follow import follow, state
from engine.lora.header import read_header
from engine.project import Project
from engine.training.planning.estimate import estimate_run
from engine.training.runs.run_status import run_status
from engine.training.runs.start import live_run, resume_training, start_training
from tests.support.patience import Patience, wait_until
from tests.support.small_project import small_project


def until(job: JobFolder, holds: Callable[[], bool]) -> None:
    patience = Patience()
    while not holds():
        assert patience.wait(0.01), job.log_path.read_text()
        assert job.alive() or holds(), job.log_path.read_text()


def finish(job: JobFolder) -> JobFolder:
    for _ in follow(job):
        pass
    return job


def of_kind(job: JobFolder, kind: type[events.Event]) -> list[events.Event]:
    return [entry.event for entry in job.entries() if isinstance(entry.event, kind)]


def losses(job: JobFolder) -> dict[int, float]:
    """Each step's loss; where a step was done again after a kill, the later one."""
    return {each.step: each.loss for each in of_kind(job, events.Step)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("run") / "james", training__price_per_hour=2.0)


@pytest.fixture(scope="module")
def run(project: Project) -> JobFolder:
    return finish(start_training(project))


def test_a_run_tells_every_step_every_epoch_and_its_checkpoints(run: JobFolder) -> None:
    status = run_status(run)
    assert status.state is JobState.DONE, run.log_path.read_text()
    assert (status.step, status.epoch) == (6, 2)
    assert list(losses(run)) == [1, 2, 3, 4, 5, 6]
    assert of_kind(run, events.Plan) == [events.Plan(3, 2, 2, 3, 2, 6, 12)]
    assert [(each.path, each.epoch, each.step) for each in of_kind(run, events.Checkpoint)] == [
        ("checkpoints/jx265-000001.safetensors", 1, 3),
        ("checkpoints/jx265.safetensors", 2, 6),
    ]
    epochs = of_kind(run, events.Epoch)
    assert [each.epoch for each in epochs] == [1, 2]
    assert epochs[1].loss == pytest.approx(sum(losses(run)[step] for step in (4, 5, 6)) / 3)
    estimate = of_kind(run, events.Estimate)[0]
    assert estimate.remaining_seconds > 0
    assert estimate.cost > 0
    assert {each.name for each in of_kind(run, events.Phase)} >= {"loading the base model", "latents", "captions"}


def test_nothing_half_written_and_nothing_but_safetensors_and_json_is_left(run: JobFolder) -> None:
    left = [path for path in run.path.rglob("*") if path.is_file()]
    assert not [path for path in left if path.name.endswith(".part")]
    assert {path.suffix for path in left} <= {".safetensors", ".json", ".jsonl", ".toml", ".log", ""}


def test_its_lora_learnt_something_on_every_module_and_says_what_it_is(run: JobFolder) -> None:
    path = run_status(run).checkpoints[-1]
    header = read_header(path)
    assert header.part_counts()["unknown"] == 0
    assert (header.rank, header.alpha) == (4, 2.0)
    assert header.metadata["ss_steps"] == "6"
    assert header.metadata["modelspec.trigger_phrase"] == "jx265"
    assert header.metadata["modelspec.resolution"] == "64x64"
    tensors = load_file(path)
    assert all(tensor.abs().max() > 0 for name, tensor in tensors.items() if "lora_up" in name)
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_run_toml_holds_what_is_needed_to_do_it_again(run: JobFolder) -> None:
    record = tomllib.loads((run.path / "run.toml").read_text())
    assert record["training"]["rank"] == 4
    assert record["seed"] == record["training"]["seed"] == 42
    assert record["effective"] == {
        "alpha": 2.0,
        "resolution": 64,
        "images": 3,
        "held_out": 0,
        "regularisation_images": 0,
        "buckets": ["64x64: 3"],
        "captions": 3,
        "device": "cpu",
        "dtype": "float32",
    }
    assert set(record["versions"]) == {"limner", "python", "torch", "diffusers", "transformers", "peft", "safetensors"}


def test_a_finished_run_is_not_resumed(project: Project, run: JobFolder) -> None:
    with pytest.raises(JobError, match="is done"):
        resume_training(project, run.id)


def test_the_next_estimate_is_measured_by_the_run(project: Project, run: JobFolder) -> None:
    found = estimate_run(project, {"training.epochs": 5})
    assert (found.source, found.steps, found.image_steps) == ("run", 15, 30)
    once = found.fixed_seconds.loading + found.fixed_seconds.caching
    assert found.seconds_total == pytest.approx(5 * found.seconds_per_epoch + once)
    assert found.cost == pytest.approx(found.seconds_total * 2.0 / 3600)
    assert 0.1 < found.memory_gb < 20


def test_settings_that_change_the_pace_are_scaled_and_said_to_be(project: Project, run: JobFolder) -> None:
    like, found = estimate_run(project), estimate_run(project, {"training.batch_size": 1})
    assert (found.source, found.steps) == ("run", 12)
    assert found.detail == f"scaled from {run.id}: batch 2 → 1"
    assert found.seconds_per_step == pytest.approx(like.seconds_per_step / 2)
    assert found.uncertainty > like.uncertainty


def test_settings_that_nothing_like_was_measured_of_are_not_guessed(project: Project, run: JobFolder) -> None:
    found = estimate_run(project, {"training.optimizer": "adafactor"})
    assert (found.source, found.detail) == ("none", "not measured yet")
    assert found.seconds_total is found.seconds_per_epoch is found.cost is found.memory_gb is None


@pytest.mark.long
def test_a_run_killed_stopped_and_resumed_takes_an_unbroken_run_s_steps(project: Project, run: JobFolder) -> None:
    broken = start_training(project)
    with pytest.raises(JobError, match="is being trained"):
        start_training(project)
    assert live_run(project) == broken
    # Killed in the second epoch, after what the first left was kept.
    until(broken, lambda: 4 in losses(broken))
    pid = state(broken).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not broken.alive())
    assert run_status(broken).state is JobState.FAILED
    resumed = finish(resume_training(project, broken.id))
    assert run_status(resumed).state is JobState.DONE, resumed.log_path.read_text()
    assert losses(resumed) == losses(run)
    one, other = (load_file(run_status(each).checkpoints[-1]) for each in (run, resumed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [each.epoch for each in of_kind(resumed, events.Epoch)] == [1, 2]


def test_a_stopped_run_keeps_its_place_and_continues_without_a_dataset(project: Project, run: JobFolder) -> None:
    stopped = start_training(project)
    until(stopped, lambda: 1 in losses(stopped))
    stopped.ask(Request.STOP)
    finish(stopped)
    status = run_status(stopped)
    assert (status.state, status.reason) == (JobState.DONE, "stopped on request")
    assert status.step < 6
    images = sorted(project.dataset.rglob("*.png"))
    hidden = [image.rename(image.with_suffix(".hidden")) for image in images]
    try:
        resumed = finish(resume_training(project, stopped.id))
    finally:
        for here, there in zip(hidden, images, strict=True):
            here.rename(there)
    assert losses(resumed) == losses(run)


@pytest.fixture(scope="module")
def halted(project: Project, run: JobFolder) -> JobFolder:
    """A run that was paused, resumed, and told to stop after its first epoch."""
    job = start_training(project)
    job.ask(Request.PAUSE)
    until(job, lambda: state(job).state is JobState.PAUSED)
    job.ask(Request.RESUME)
    job.ask(Request.STOP_AFTER_EPOCH)
    return finish(job)


def test_a_run_pauses_goes_on_and_stops_after_its_epoch(halted: JobFolder) -> None:
    states = [each.state for each in of_kind(halted, events.Job)]
    assert states == [
        JobState.STARTING,
        JobState.RUNNING,
        JobState.PAUSED,
        JobState.RUNNING,
        JobState.STOPPING,
        JobState.DONE,
    ]
    assert [each.epoch for each in of_kind(halted, events.Checkpoint)] == [1]
    assert list(losses(halted)) == [1, 2, 3]


def test_a_loss_that_is_no_number_ends_the_run_and_what_was_good_stays(project: Project, halted: JobFolder) -> None:
    data = halted.path / "state" / "data.safetensors"
    tensors = load_file(data)
    tensors["latents/0"][:] = float("nan")
    save_file(tensors, data)
    kept = (halted.path / "state" / "latest.safetensors").read_bytes()
    status = run_status(finish(resume_training(project, halted.id)))
    assert status.state is JobState.FAILED
    assert status.error is not None
    assert status.error.message == "the loss is NaN or infinite at step 4"
    assert "learning_rate" in status.error.fix
    assert [path.name for path in status.checkpoints] == ["jx265-000001.safetensors"]
    assert all(torch.isfinite(tensor).all() for tensor in load_file(status.checkpoints[0]).values())
    assert (halted.path / "state" / "latest.safetensors").read_bytes() == kept


def test_a_project_without_images_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="limner dataset build"):
        start_training(small_project(tmp_path / "empty", images=0))


def test_an_image_without_caption_is_named(tmp_path: Path) -> None:
    project = small_project(tmp_path / "bare")
    next(project.dataset.rglob("0002.txt")).unlink()
    with pytest.raises(DatasetError, match=r"0002\.png has no caption"):
        start_training(project)
    assert project.run_folders() == []


def test_a_base_model_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    project = small_project(tmp_path / "nobase", base__model="/nowhere/sdxl.safetensors")
    with pytest.raises(BaseModelError, match="there is no base model"):
        start_training(project)
    assert project.run_folders() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training.rank": 0}, "greater than"),
        ({"training.ranc": 4}, "did you mean training.rank"),
        ({"rank": 4}, "unknown"),
    ],
)
def test_settings_that_will_not_do_are_told_before_anything_starts(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    project = small_project(tmp_path / "wrong")
    with pytest.raises(ProjectError, match=said):
        start_training(project, changes)
    assert project.run_folders() == []


def test_the_order_holds_the_settings_of_the_moment_with_absolute_paths(project: Project, run: JobFolder) -> None:
    order = run.read_order()
    assert order.args["settings"]["training"]["rank"] == 4
    assert order.project == project.root
    assert json.loads((run.path / "job.json").read_text())["kind"] == "train"
