"""``limner estimate``, ``train``, ``runs``, ``watch``, ``stop`` and ``lora show``, as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from engine.events import JobState
from engine.project import Project
from engine.training.runs.run_status import run_status
from engine.training.runs.start import live_run
from tests.support.patience import PATIENCE, Patience
from tests.support.small_project import random_lora, run_with, small_project
from tui.cli.main import main


def limner(capsys: pytest.CaptureFixture[str], project: Project, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def told(capsys: pytest.CaptureFixture[str], project: Project, *arguments: str) -> dict[str, Any]:
    status, out, err = limner(capsys, project, *arguments, "--json")
    assert status == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("commands") / "james")


@pytest.fixture(scope="module")
def trained(project: Project) -> subprocess.CompletedProcess[str]:
    """What ``limner train --wait`` said and returned."""
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "train", "--wait", "--epochs", "1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])


def test_estimate_tells_the_formula_and_that_nothing_was_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    project = small_project(tmp_path / "new", training__price_per_hour=2.0)
    found = told(capsys, project, "estimate", "--epochs", "3", "--set", "repeats=4")
    wanted = {"images": 3, "repeats": 4, "epochs": 3, "image_steps": 36, "steps": 18, "source": "none"}
    assert {key: found[key] for key in wanted} == wanted
    assert {found[key] for key in ("seconds_per_epoch", "seconds_total", "cost", "memory_gb")} == {None}
    status, out, _ = limner(capsys, project, "estimate")
    assert status == 0
    assert "3 images × 2 repeats × 2 epochs = 12 image-steps" in out
    assert "not measured yet" in out


@pytest.mark.usefixtures("trained")
@pytest.mark.long
def test_what_an_hour_costs_is_told_as_an_option_and_makes_the_cost(
    capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    found = told(capsys, project, "estimate", "--price", "36")
    assert found["cost"] == pytest.approx(found["seconds_total"] / 100, abs=0.01)
    assert told(capsys, project, "estimate")["cost"] is None


def test_train_prints_the_runs_name_and_tells_loss_pace_and_time_left(
    project: Project, trained: subprocess.CompletedProcess[str]
) -> None:
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.strip() == project.run().id
    assert "3 images × 2 repeats × 1 epoch = 6 image-steps" in trained.stderr
    assert "epoch 1 of 1 · step 3 of 3 · loss " in trained.stderr
    assert "images/s" in trained.stderr
    assert "\x1b" not in trained.stderr


@pytest.mark.usefixtures("trained")
def test_runs_lists_what_was_trained(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    run = told(capsys, project, "runs")["runs"][0]
    assert (run["id"], run["state"], run["epoch"], run["epochs"]) == (project.run().id, "done", 1, 1)
    assert (run["step"], run["steps"]) == (3, 3)
    assert run["loss"] > 0
    assert [Path(path).is_file() for path in run["checkpoints"]] == [True]


@pytest.mark.usefixtures("trained")
def test_watching_a_finished_run_tells_its_end_and_its_checkpoints(
    capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    status, out, err = limner(capsys, project, "watch")
    assert status == 0
    assert out.strip() == str(run_status(project.run()).checkpoints[-1])
    assert "done" in err


@pytest.mark.usefixtures("trained")
def test_the_next_estimate_is_measured(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    found = told(capsys, project, "estimate")
    assert found["source"] == "run"
    fixed = found["fixed_seconds"]
    assert found["seconds_total"] == pytest.approx(
        2 * found["seconds_per_epoch"] + fixed["loading"] + fixed["caching"], rel=1e-6
    )
    assert found["uncertainty"] > 0


def test_lora_show_tells_what_is_in_a_file_of_the_demo(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    path = random_lora(tmp_path / "jx265.safetensors")
    found = told(capsys, project, "lora", "show", str(path))
    assert found["modules"]["unet"] > 50
    assert (found["modules"]["te1"], found["modules"]["te2"], found["modules"]["unknown"]) == (0, 0, 0)
    assert (found["rank"], found["alpha"], found["base"]) == (4, 2.0, "sdxl_base_v1-0")
    assert set(found["clients"]) == {"A1111", "Forge", "ComfyUI", "InvokeAI", "diffusers", "SwarmUI", "sd-scripts"}
    assert "does not fit SDXL" in found["clients"]["A1111"]
    status, out, _ = limner(capsys, project, "lora", "show", str(path))
    assert status == 0
    assert "jx265" in out


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("train", "--resume", "nope"), 1, "no run"),
        (("train", "--set", "rank"), 2, "KEY=VALUE"),
        (("train", "--set", "rank=0"), 1, "training.rank = 0 is invalid"),
        (("train", "--set", "ranc=4"), 1, "did you mean training.rank"),
        (("train", "--epochs", "many"), 2, "not a valid integer"),
        (("train", "--resume", "x", "--epochs", "3"), 2, "keeps its settings"),
        (("estimate", "--set", "base.model=/nowhere.ckpt", "--batch", "0"), 1, "training.batch_size"),
        (("watch", "nope"), 1, "no run"),
        (("stop", "nope"), 1, "no run"),
        (("lora", "show", "/nowhere.safetensors"), 1, "there is no /nowhere.safetensors"),
    ],
)
def test_wrong_use_is_one_clear_line_and_the_right_status(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    code, out, err = limner(capsys, small_project(tmp_path / "james"), *arguments)
    assert (code, out) == (status, "")
    assert says in err
    if status == 1:
        assert len(err.strip().splitlines()) == 1


def test_a_whole_model_is_not_taken_for_a_lora(
    capsys: pytest.CaptureFixture[str], project: Project, tmp_path: Path
) -> None:
    import torch

    save_file({"model.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    status, _, err = limner(capsys, project, "lora", "show", str(tmp_path / "model.safetensors"))
    assert status == 1
    assert "holds no LoRA" in err


def test_a_run_that_is_not_running_cannot_be_stopped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    run_with(project, random_lora(tmp_path / "a.safetensors"))
    status, _, err = limner(capsys, project, "stop")
    assert status == 1
    assert "is not running" in err


def test_runs_of_a_new_project_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    assert told(capsys, project, "runs") == {"runs": []}
    assert limner(capsys, project, "runs")[2].startswith("No runs yet")


@pytest.mark.usefixtures("trained")
def test_ctrl_c_leaves_a_run_running_stop_ends_it_and_resume_continues(
    capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "train", "--wait", "--epochs", "900"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as watcher:
        patience = Patience()
        while (live := live_run(project)) is None or run_status(live).step < 1:
            assert patience.wait()
        os.kill(watcher.pid, signal.SIGINT)
        out, err = watcher.communicate(timeout=PATIENCE)
    assert watcher.returncode == 130
    assert f"{live.id} continues" in err
    assert "interrupted" not in err, "leaving is how a watch ends"
    assert out.strip() == live.id
    assert live.alive()
    assert limner(capsys, project, "stop", "--after-epoch")[0] == 0
    status, out, err = limner(capsys, project, "watch", live.id)
    assert status == 0, err
    assert "stopped on request" in err
    assert out.strip()
    assert run_status(live).state is JobState.DONE
    assert " stopped " in limner(capsys, project, "runs")[1]
    assert told(capsys, project, "train", "--resume", live.id)["run"] == live.id
    assert limner(capsys, project, "stop")[0] == 0
    assert limner(capsys, project, "watch", live.id)[0] == 0


def test_a_demo_without_a_terminal_makes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = limner(capsys, Project(tmp_path), "demo", str(tmp_path / "demo"))
    assert status == 1
    assert "needs a terminal" in err
    assert not (tmp_path / "demo").exists()
