"""``limner pause``, ``resume`` and ``stop`` on a run that really trains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.project import Project
from engine.training.runs.run_status import run_status
from engine.training.runs.start import start_training
from tests.support.patience import wait_until
from tests.support.small_project import small_project
from tui.cli.main import main


def limner(capsys: pytest.CaptureFixture[str], project: Project, *arguments: str) -> tuple[int, str]:
    """Exit status and what was said on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), *arguments])
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("pause") / "james")


@pytest.fixture
def run(project: Project) -> Iterator[JobFolder]:
    job = start_training(project, {"training.epochs": 900})
    yield job
    job.ask(Request.STOP)
    wait_until(lambda: not job.alive())


@pytest.mark.long
def test_a_run_is_paused_goes_on_is_stopped_and_goes_on_again(
    capsys: pytest.CaptureFixture[str], project: Project, run: JobFolder
) -> None:
    wait_until(lambda: run_status(run).step > 0)
    status, said = limner(capsys, project, "resume")
    assert status == 1
    assert "is being trained already" in said

    assert limner(capsys, project, "pause")[0] == 0
    wait_until(lambda: run_status(run).state is JobState.PAUSED)
    paused_at = run_status(run).step

    assert limner(capsys, project, "resume")[0] == 0
    wait_until(lambda: run_status(run).state is JobState.RUNNING and run_status(run).step > paused_at)

    assert limner(capsys, project, "stop")[0] == 0
    wait_until(lambda: not run.alive())
    stopped_at = run_status(run).step
    status, said = limner(capsys, project, "pause")
    assert status == 1
    assert "is not running" in said

    assert limner(capsys, project, "resume")[0] == 0
    wait_until(lambda: run_status(run).step > stopped_at)
    assert len(project.run_folders()) == 1


def test_without_any_run_resume_says_how_to_start_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, said = limner(capsys, small_project(tmp_path / "new"), "resume")
    assert status == 1
    assert "limner train" in said
