"""A run's figures as TensorBoard shows them."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from engine import events
from engine.events import JobState
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import small_project


@pytest.mark.long
def test_tensorboard_shows_every_step_and_epoch_of_a_run(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    job = ordered(small_project(tmp_path / "james"), training__tensorboard=True)
    assert run_here(job).state is JobState.DONE
    board = EventAccumulator(str(job.path / "tensorboard"))
    board.Reload()
    assert set(board.Tags()["scalars"]) == {
        *("loss/step", "loss/epoch", "learning_rate"),
        *("speed/images_per_s", "speed/epoch_seconds", "memory/gb"),
    }
    told = {each.step: each.value for each in board.Scalars("loss/step")}
    assert told == pytest.approx(losses(job))
    epochs = [(each.step, each.value) for each in board.Scalars("loss/epoch")]
    assert epochs == [
        (3, pytest.approx(of_kind(job, events.Epoch)[0].loss)),
        (6, pytest.approx(of_kind(job, events.Epoch)[1].loss)),
    ]


def test_tensorboard_without_its_package_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "tensorboard":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    status = run_here(ordered(small_project(tmp_path / "james"), training__tensorboard=True))
    assert status.error is not None
    assert status.error.fix.startswith("install it with: pip install tensorboard")
