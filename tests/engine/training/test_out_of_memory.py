"""Memory runs out in a run: one thing after the other is given up, and the run goes on from its last good step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from engine import events
from engine.errors import TrainingError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.lora.header import read_header
from engine.models.device import Device
from engine.settings import Optimizer, TrainingSettings
from engine.training import learner, loop
from engine.training.runs.resume_state import read_state
from engine.training.runs.run_status import RunStatus
from engine.training.runs.vram_spill import Spill
from engine.training.step.memory_fallback import MicrobatchPlan, fitting_for, is_out_of_memory, next_fallback
from engine.training.trainer import Trainer
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import small_project

CUDA_SAYS = "CUDA out of memory. Tried to allocate 2.50 GiB"


def train(root: Path) -> tuple[JobFolder, RunStatus]:
    """A run of 4 images, 4 a step, 2 steps an epoch, 4 epochs, in this process."""
    project = small_project(root, images=4, training__batch_size=4, training__epochs=4, training__rank=16)
    job = ordered(project)
    return job, run_here(job)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    job, status = train(tmp_path_factory.mktemp("unbroken") / "james")
    assert status.state is JobState.DONE, job.log_path
    return job


def run_out(monkeypatch: pytest.MonkeyPatch, too_much: Callable[[int, MicrobatchPlan], bool]) -> list[MicrobatchPlan]:
    """Lets a pass run out of memory, as the allocator does, wherever ``too_much`` says so. Returns what was tried."""
    tried: list[MicrobatchPlan] = []
    steps = [0]
    real_step, real_loss = loop.train_step, learner.diffusion_loss

    def step(trained: learner.Learner, *args: Any) -> Any:
        tried.append(trained.fitting)
        found = real_step(trained, *args)
        steps[0] += 1
        return found

    def loss(*args: Any, **named: Any) -> torch.Tensor:
        found = real_loss(*args, **named)
        if too_much(steps[0] + 1, tried[-1]):
            raise torch.OutOfMemoryError(CUDA_SAYS)
        return found

    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(learner, "diffusion_loss", loss)
    return tried


@pytest.mark.long
def test_a_run_that_fails_at_every_rung_walks_the_ladder_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: JobFolder
) -> None:
    def too_much(step: int, now: MicrobatchPlan) -> bool:
        """Each step needs one thing more to be given up than the one before it."""
        needed = [
            now.checkpointing,
            now.batch <= 2,
            now.batch <= 1,
            now.optimizer is Optimizer.ADAMW_8BIT,
            now.resolution <= 48,
            now.resolution <= 32,
        ]
        return not all(needed[: step - 1])

    run_out(monkeypatch, too_much)
    job, status = train(tmp_path / "james")
    assert status.state is JobState.DONE, status.error
    assert [each.changed for each in of_kind(job, events.Fit)] == [
        "gradient checkpointing on",
        "2 images at once instead of 4, 2 passes a step",
        "1 image at once instead of 2, 4 passes a step",
        "8-bit optimizer",
        "resolution 48 instead of 64",
        "resolution 32 instead of 48",
    ]
    assert all(CUDA_SAYS in each.why for each in of_kind(job, events.Fit))
    # No step is lost and none is done twice: each fit is told between the last good step and the one that failed.
    assert [each.step for each in of_kind(job, events.Step)] == list(range(1, 9))
    assert [each.epoch for each in of_kind(job, events.Epoch)] == [1, 2, 3, 4]
    whole, broken = losses(unbroken), losses(job)
    assert broken[1] == whole[1]
    for step in (2, 3, 4):
        assert broken[step] == pytest.approx(whole[step], rel=1e-4)
    # 8-bit memory is coarser, and smaller pictures are another task; both go on learning.
    assert broken[5] == pytest.approx(whole[5], rel=0.02)
    assert all(0 < loss < 2 for loss in broken.values())
    assert len(status.checkpoints) == 4
    assert read_header(status.checkpoints[-1]).metadata["modelspec.resolution"] == "32x32"
    place, memory = read_state(job.path / "state") or (None, None)
    assert place is not None
    assert memory is not None
    assert place.fitting == MicrobatchPlan(True, 1, 4, Optimizer.ADAMW_8BIT, 32)
    assert any(each.dtype is torch.uint8 for each in memory.tensors.values())


@pytest.mark.long
def test_memory_that_never_suffices_ends_the_run_with_its_state_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: JobFolder
) -> None:
    tried = run_out(monkeypatch, lambda step, _now: step == 4)
    job, status = train(tmp_path / "james")
    assert status.state is JobState.FAILED
    assert status.error is not None
    assert "does not fit into memory" in status.error.message
    assert "training.rank" in status.error.fix
    assert len(of_kind(job, events.Fit)) == 6
    assert tried[-1].resolution == 32
    kept = read_state(job.path / "state")
    assert kept is not None
    assert kept[0].step == 3
    assert losses(job) == {step: loss for step, loss in losses(unbroken).items() if step <= 3}


@pytest.mark.long
def test_out_of_memory_while_weights_move_goes_back_to_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: JobFolder
) -> None:
    real, calls = torch.optim.AdamW.step, [0]

    def step(self: torch.optim.AdamW, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:
            with torch.no_grad():
                self.param_groups[0]["params"][0].add_(1.0)
            raise torch.OutOfMemoryError(CUDA_SAYS)
        return real(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    job, status = train(tmp_path / "james")
    assert status.state is JobState.DONE, status.error
    assert [each.changed for each in of_kind(job, events.Fit)] == ["gradient checkpointing on"]
    assert [each.step for each in of_kind(job, events.Step)] == [1, 2, 3, 3, 4, 5, 6, 7, 8]
    assert losses(job) == pytest.approx(losses(unbroken), rel=1e-5)


@pytest.mark.long
def test_a_resumed_run_keeps_what_was_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        run_out(patched, lambda _step, now: now.batch > 2)
        patched.setattr("engine.training.runs.control.Requests.to_stop_after_epoch", lambda _self: True)
        job, _ = train(tmp_path / "james")
    assert losses(job).keys() == {1, 2}
    tried = run_out(monkeypatch, lambda _step, _now: False)
    assert run_here(job).state is JobState.DONE
    assert {(each.batch, each.accumulation, each.checkpointing) for each in tried} == {(2, 2, True)}


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError(CUDA_SAYS), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("FIND was unable to find an engine to execute this computation"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (TrainingError("the loss is not a number"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it


def test_a_real_failure_of_the_allocator_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_the_ladder_of_a_gpu_without_bitsandbytes_leaves_that_rung_out() -> None:
    now, told = fitting_for(TrainingSettings(batch=3, gradient_accumulation=2), 1024, 24.5), []
    assert not now.checkpointing
    for _ in range(4):
        now, changed = next_fallback(now, 1024, 32, lambda _kind: False)
        assert now.batch * now.accumulation == 6
        told.append(changed)
    with pytest.raises(TrainingError, match="does not fit"):
        next_fallback(now, 1024, 32, lambda _kind: False)
    assert told == [
        "gradient checkpointing on",
        "1 image at once instead of 3, 6 passes a step",
        "resolution 768 instead of 1024",
        "resolution 576 instead of 768",
    ]


def test_small_cards_begin_with_checkpointing_unless_told_otherwise() -> None:
    assert fitting_for(TrainingSettings(), 1024, 11.9).checkpointing
    assert not fitting_for(TrainingSettings(gradient_checkpointing=False), 1024, 11.9).checkpointing
    assert not fitting_for(TrainingSettings(), 1024, None).checkpointing


def test_memory_beyond_the_card_is_told_once() -> None:
    spill = Spill(total_gb=24.0)
    assert spill.look(23.0, 1.0) is None
    assert "more than the card's 24.0 GB" in (spill.look(25.1, 1.0) or "")
    assert spill.look(25.1, 1.0) is None


def test_a_pace_that_collapses_on_a_full_card_is_told_a_slow_step_not() -> None:
    spill = Spill(total_gb=24.0)
    paces = [1.0] * 8 + [30.0] + [1.0] * 4
    assert [spill.look(23.5, pace) for pace in paces] == [None] * len(paces)
    told = [spill.look(23.5, 12.0) for _ in range(6)]
    assert len([each for each in told if each]) == 1
    assert "12 times slower" in next(each for each in told if each)


def test_a_run_that_spills_from_its_first_step_is_told() -> None:
    spill, other = Spill(total_gb=24.0, usual_seconds=0.4), Spill(total_gb=24.0, usual_seconds=0.4)
    told = [each for each in (spill.look(23.9, 12.0) for _ in range(8)) if each]
    assert len(told) == 1
    assert "30 times slower than such a card takes them" in told[0]
    assert not any(other.look(23.9, 1.2) for _ in range(8)), "a slow card is not a full one"


def test_where_the_card_has_no_room_to_encode_the_cpu_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def encode(_context: Any, _base: Any, resolution: int, device: Device, images: int) -> str:
        asked.append(f"{resolution}, {device.name}, {images}")
        if device.on_gpu:
            raise torch.OutOfMemoryError(CUDA_SAYS)
        return "the data"

    monkeypatch.setattr("engine.training.trainer.encode_smaller", encode)
    monkeypatch.setattr(Device, "free", lambda _self: None)
    run = SimpleNamespace(context=None, base=None, device=Device("cuda", torch.bfloat16), data=[1, 2, 3])
    assert Trainer._encode_smaller(cast("Trainer", run), 768) == "the data"
    assert asked == ["768, cuda, 3", "768, cpu, 3"]


def test_a_slow_step_on_a_card_with_room_is_no_spilling() -> None:
    spill = Spill(total_gb=24.0)
    assert not any(spill.look(12.0, pace) for pace in [1.0] * 8 + [12.0] * 8)
