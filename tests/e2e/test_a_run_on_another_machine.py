"""A run on another machine over a real sshd: lines cut, processes killed, everything comes home and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from engine import events
from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import JobFolder, JobKind, Request
from engine.jobs.follow import wait
from engine.jobs.start import _environment
from engine.project import Project
from engine.remote.boxes import Box, RemoteError, boxes, keep_box
from engine.remote.check import check_box
from engine.remote.follower import SPARE_BYTES
from engine.remote.limner_there import LimnerThere, RunThere
from engine.remote.mirror import taken_in
from engine.remote.ssh import Ssh
from engine.remote.start import follow_again, start_training_on
from engine.training.runs.run_status import run_status
from engine.training.runs.start import live_run, resume_training
from tests.chaos.disk import small_disk
from tests.e2e.ssh import SshServer
from tests.support.kill_processes import kill_job, kill_processes
from tests.support.patience import wait_until
from tests.support.small_project import random_lora, small_project
from tests.support.ssh_box import REPOSITORY, ssh_box
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp
from tui.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def there(tmp_path: Path, own_home: Path) -> Iterator[tuple[Box, SshServer]]:
    with ssh_box(tmp_path / "there") as (box, server):
        keep_box(box)
        yield box, server


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = small_project(
        tmp_path / "james", training__sample_prompts=["jx265 man"], training__sample_inference_steps=2
    )
    yield project
    for job in project.run_folders():
        if job.alive():
            kill_job(job)


def kill_there(box: Box) -> None:
    """The run's process on the machine there."""
    kill_processes(
        lambda words: "engine.jobs.worker" in words and any(each.startswith(box.directory) for each in words)
    )


def is_whole(job: JobFolder, epochs: int, samples: bool = True, again: bool = False) -> None:
    """Every checkpoint is here and whole, each told once, and the log has no line twice."""
    status = run_status(job)
    assert status.state is JobState.DONE, status.reason
    assert len(status.checkpoints) == epochs
    for path in status.checkpoints:
        assert load_file(path)
    told = [entry.event for entry in job.entries()]
    steps = [event.step for event in told if isinstance(event, events.Step)]
    # Steps after the last state that was kept are done again, and told again, as after any kill.
    assert again or steps == sorted(set(steps))
    paths = [event.path for event in told if isinstance(event, (events.Checkpoint, events.Sample))]
    assert len(paths) == len(set(paths)) == epochs * (2 if samples else 1)
    assert all((job.path / path).is_file() for path in paths)
    ats = [json.loads(line)["at"] for line in job.events_path.read_text().splitlines() if '"at":' in line]
    assert len(ats) == len(set(ats)) == len(taken_in(job.events_path))


def left(box: Box) -> list[Path]:
    folder = Path(box.directory)
    return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.mark.long
def test_a_run_there_comes_home_whole_and_leaves_nothing(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    job = start_training_on(project, box, {"training.epochs": 3})
    assert live_run(project) == job
    assert run_status(job).sent_to == box.name
    wait(job)
    is_whole(job, 3)
    assert left(box) == []


def test_the_line_is_cut_and_the_run_still_comes_home(there: tuple[Box, SshServer], project: Project) -> None:
    box, server = there
    job = start_training_on(project, box, {"training.epochs": 4, "training.repeats": 10})
    wait_until(lambda: (run_status(job).step or 0) >= 3)
    server.cut()
    wait_until(lambda: any("can't be reached" in each for each in run_status(job).warnings))
    server.begin()
    wait(job)
    is_whole(job, 4)
    assert left(box) == []


def test_the_machine_here_is_killed_and_catches_up(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    job = start_training_on(project, box, {"training.epochs": 4, "training.repeats": 10})
    wait_until(lambda: (run_status(job).step or 0) >= 3)
    kill_job(job)
    assert follow_again(project) == [job]
    wait(job)
    is_whole(job, 4)
    assert follow_again(project) == [], "its end is told"
    assert left(box) == []


@pytest.mark.long
def test_a_run_there_is_paused_stopped_and_resumed_from_here(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    job = start_training_on(project, box, {"training.epochs": 6, "training.repeats": 20})
    wait_until(lambda: (run_status(job).step or 0) >= 2)
    job.ask(Request.PAUSE)
    wait_until(lambda: run_status(job).state is JobState.PAUSED)
    job.ask(Request.RESUME)
    wait_until(lambda: run_status(job).state is JobState.RUNNING)
    job.ask(Request.STOP)
    wait_until(lambda: not job.alive())
    status = run_status(job)
    assert status.state is JobState.DONE
    assert status.stopped
    assert left(box), "what it is resumed from stays there"
    resume_training(project, job.id)
    wait(job)
    is_whole(job, 6)
    assert left(box) == []


@pytest.mark.long
def test_the_lora_to_start_from_goes_along(there: tuple[Box, SshServer], project: Project, tmp_path: Path) -> None:
    box, _ = there
    lora = tmp_path / "it's mine.safetensors"
    random_lora(lora)
    changes = {"training.network_weights": str(lora), "training.learning_rate": 1e-12, "training.epochs": 1}
    job = start_training_on(project, box, changes)
    wait(job)
    [checkpoint] = run_status(job).checkpoints
    began, ended = load_file(lora), load_file(checkpoint)
    assert began.keys() == ended.keys()
    assert all(np.allclose(began[name], ended[name], atol=1e-3) for name in began)
    assert left(box) == []


@pytest.mark.long
def test_a_run_that_dies_there_is_told_and_can_be_resumed(there: tuple[Box, SshServer], project: Project) -> None:
    """As where that machine was restarted, or its memory ran out."""
    box, _ = there
    job = start_training_on(project, box, {"training.epochs": 4, "training.repeats": 20, "training.sample_prompts": []})
    wait_until(lambda: (run_status(job).step or 0) >= 3)
    kill_processes(
        lambda words: "engine.jobs.worker" in words and any(each.startswith(box.directory) for each in words)
    )
    wait_until(lambda: not job.alive())
    status = run_status(job)
    assert status.state is JobState.FAILED
    assert status.reason == "box: the run's process there ended without a message"
    resume_training(project, job.id)
    wait_until(lambda: not job.alive())
    is_whole(job, 4, samples=False, again=True)
    assert left(box) == []


def test_a_machine_that_lost_the_run_is_sent_no_other(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    job = start_training_on(project, box, {"training.epochs": 4, "training.repeats": 20})
    wait_until(lambda: (run_status(job).step or 0) >= 2)
    kill_job(job)
    kill_processes(
        lambda words: "engine.jobs.worker" in words and any(each.startswith(box.directory) for each in words)
    )
    shutil.rmtree(box.directory)
    follow_again(project)
    wait_until(lambda: run_status(job).state is JobState.FAILED)
    assert "no longer has the run" in (run_status(job).reason or "")
    assert left(box) == []


@pytest.mark.long
def test_a_run_that_fails_there_says_why_here(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    job = start_training_on(project, box, {"base.model": "/nowhere/there"})
    wait_until(lambda: run_status(job).state is JobState.FAILED)
    assert "/nowhere/there" in (run_status(job).reason or "")


def test_by_commands_a_machine_is_added_and_trained_on(there: tuple[Box, SshServer], project: Project) -> None:
    box, server = there

    def limner(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), *words]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    options = ["--directory", box.directory, "--program", box.program, "--ssh-config", str(box.ssh_config)]
    added = limner("remote", "add", "attic", f"ssh://{box.user}@127.0.0.1:{server.port}", *options)
    assert added.returncode == 0, added.stdout + added.stderr
    assert "ok       ssh" in added.stdout
    assert set(boxes()) == {"box", "attic"}
    refused = limner("train", "--on", "attic")
    assert refused.returncode == 1
    assert "3 training images with their captions" in refused.stderr
    assert "nothing was sent" in refused.stderr
    assert project.run_folders() == []
    done = limner("train", "--on", "attic", "--yes", "--wait", "--json", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["checkpoints"]) == 1
    assert limner("remote", "remove", "attic").returncode == 0
    unknown = limner("train", "--on", "attic")
    assert unknown.stderr.strip() == "limner: no machine is called attic: there are: box"


@pytest.mark.long
def test_a_full_disk_there_is_told_and_gone_on_from(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    Path(box.directory).parent.mkdir(exist_ok=True)
    with small_disk(Path(box.directory), 1_200_000_000) as disk:
        if not disk.mounted:
            pytest.skip("no small disk can be mounted here")
        disk.fill(but=4096)
        job = start_training_on(project, box, {"training.epochs": 2})
        with pytest.raises(JobError, match="No space left"):
            wait(job)
        assert run_status(job).state is JobState.FAILED
        disk.make_room()
        resume_training(project, job.id)
        wait_until(lambda: not job.alive())
        is_whole(job, 2)


@pytest.mark.long
def test_a_full_disk_here_is_told_and_gone_on_from(there: tuple[Box, SshServer], tmp_path: Path) -> None:
    box, _ = there
    with small_disk(tmp_path / "disk", SPARE_BYTES + 200_000_000) as disk:
        if not disk.mounted:
            pytest.skip("no small disk can be mounted here")
        project = small_project(disk.folder / "james")
        disk.fill(but=SPARE_BYTES - 100_000_000)
        job = start_training_on(project, box, {"training.epochs": 2})
        with pytest.raises(JobError, match="there is no room for checkpoints/"):
            wait(job)
        disk.make_room()
        resume_training(project, job.id)
        wait_until(lambda: not job.alive())
        is_whole(job, 2, samples=False)
        assert left(box) == []


@pytest.mark.long
def test_a_probe_there_estimates_and_leaves_nothing(
    there: tuple[Box, SshServer], project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    box, _ = there
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), "estimate", "--on", box.name, "--json"])
    assert ended.value.code == 1
    assert "nothing was sent: if they may go there: limner estimate --on box --yes" in capfd.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), "estimate", "--on", box.name, "--yes", "--epochs", "7", "--json"])
    assert ended.value.code == 0
    found = json.loads(capfd.readouterr().out)
    assert found["source"] == "probe"
    assert found["epochs"] == 7
    assert left(box) == []


def test_folders_of_runs_that_wait_there_are_told(there: tuple[Box, SshServer]) -> None:
    box, _ = there
    limner_there = LimnerThere(box, f"{box.directory}/james-1", "token")
    limner_there.make_folder()
    Path(box.directory, "of-somebody-else").mkdir()
    (kept,) = [each for each in check_box(box) if each.name == "kept there"]
    assert kept.ok
    assert "1 folder of runs, 0 MB: james-1; go on with them here: limner resume" in kept.detail.replace("1 MB", "0 MB")
    limner_there.remove()
    assert not [each for each in check_box(box) if each.name == "kept there"]


def test_the_hubs_token_goes_by_standard_input_alone(there: tuple[Box, SshServer], tmp_path: Path) -> None:
    box, _ = there
    program, told = tmp_path / "limner", tmp_path / "told"
    program.write_text(f'#!/bin/sh\necho "$HF_TOKEN:$*" >> {told}\ncat /proc/$PPID/cmdline >> {told}\n')
    program.chmod(0o755)
    limner_there = LimnerThere(replace(box, program=str(program)), "limner/x", "token")
    limner_there.resume(RunThere("r", "/x/r", JobState.FAILED, False), "hf_of_the_user")
    said = told.read_text()
    assert said.startswith("hf_of_the_user:-C limner/x/project resume r\n")
    assert said.count("hf_of_the_user") == 1


def test_a_key_that_only_the_agent_holds_gets_in(
    there: tuple[Box, SshServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, server = there
    assert box.ssh_config is not None
    config = Path(box.ssh_config)
    alone = tmp_path / "config"
    lines = [line for line in config.read_text().splitlines() if "Identit" not in line]
    alone.write_text("\n".join(lines) + "\n  IdentityFile /nonexistent\n")
    box = replace(box, ssh_config=str(alone))
    with pytest.raises(RemoteError, match="Permission denied"):
        Ssh(box).run(["true"])
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    said = dict(line.split(";")[0].split("=", 1) for line in agent.splitlines() if "=" in line.split(";")[0])
    monkeypatch.setenv("SSH_AUTH_SOCK", said["SSH_AUTH_SOCK"])
    try:
        subprocess.run(["ssh-add", "-q", str(server.folder / "user_key")], check=True, capture_output=True)
        given = _environment(JobKind.TRAIN_REMOTE)
        assert given["SSH_AUTH_SOCK"] == said["SSH_AUTH_SOCK"]
        assert Ssh(box).run(["echo", "in"]).text == "in\n"
    finally:
        os.kill(int(said["SSH_AGENT_PID"]), signal.SIGTERM)


@pytest.mark.long
def test_a_follower_that_is_killed_leaves_no_ssh(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    job = start_training_on(project, box, {"training.epochs": 300})
    wait_until(lambda: run_status(job).step > 0)

    def lines() -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if words[0] == "ssh" and box.ssh_config in words:
                    found.append(folder.name)
        return found

    assert lines()
    kill_job(job)
    wait_until(lambda: not lines())
    kill_there(box)


@pytest.mark.long
async def test_by_keys_a_run_is_started_there_and_comes_home(there: tuple[Box, SshServer], project: Project) -> None:
    box, _ = there
    async with LimnerApp(project.root, project).run_test(size=(110, 32)) as pilot:
        await press(pilot, "4", "o")
        await until(pilot, lambda: "Train on which machine?" in shown(pilot))
        assert box.address in shown(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: "Send them to box?" in shown(pilot))
        await until(pilot, lambda: "3 training images" in shown(pilot))
        await press(pilot, "y")
        await until(pilot, lambda: bool(project.run_folders()))
        await until(pilot, lambda: "box" in shown(pilot) and "Progress" in shown(pilot))
        job = project.run()
        await until(pilot, lambda: run_status(job).state is JobState.DONE)
        await until(pilot, lambda: "✓ run done" in shown(pilot))
    is_whole(job, 2)
    assert left(box) == []
