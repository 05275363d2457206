"""Several apps on one project at the same moment: everything that each of them said is there, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.dataset.files.layout import DatasetFolder
from engine.faces.records.decisions import Decision, Ledger
from engine.jobs.follow import state
from engine.project import Project
from tests.support.patience import PATIENCE, Patience, wait_until
from tests.support.small_project import small_project
from tests.support.story import story_project
from tests.tui.pseudo_terminal import REPOSITORY

HEAD = """
import sys, time
from pathlib import Path
from engine.project import Project
project, me = Project(Path(sys.argv[1])), int(sys.argv[2])
(project.root / f"ready-{me}").touch()
while not (project.root / "go").exists():
    time.sleep(0.001)
"""


def at_once(project: Project, code: str, count: int = 2) -> list[subprocess.CompletedProcess[str]]:
    """Runs the code in several processes that begin at the same moment."""
    words = [sys.executable, "-c", HEAD + code, str(project.root)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": REPOSITORY}
    started = [subprocess.Popen([*words, str(number)], **options) for number in range(count)]  # type: ignore[call-overload]
    wait_until(lambda: len(list(project.root.glob("ready-*"))) == count, "they never begin")
    (project.root / "go").touch()
    done = []
    for each in started:
        out, err = each.communicate(timeout=PATIENCE)
        done.append(subprocess.CompletedProcess(words, each.returncode, out, err))
    return done


def test_settings_that_two_change_at_once_are_both_there(project: Project) -> None:
    project.settings_path.write_text(project.settings_path.read_text() + "\n# mine\n")
    keys = ("training.epochs", "painting.steps")
    code = f"for number in range(1, 31): project.change({{{keys!r}[me]: number}})"
    assert [each.returncode for each in at_once(project, code)] == [0, 0]
    assert (project.settings.training.epochs, project.settings.painting.steps) == (30, 30)
    text = project.settings_path.read_text()
    assert "# mine" in text
    assert "# the made-up word" in text
    assert not list(project.root.glob(".*.part"))


def test_decisions_of_two_are_one_journal(tmp_path: Path) -> None:
    project = story_project(tmp_path / "james", faces=30)
    code = """
from engine.faces.records.decisions import Decision, Ledger
for number in range(1 + me, 31, 2):
    with project.store() as store:
        Ledger(store).decide([number], Decision.KEEP if me else Decision.REJECT)
"""
    with project.store() as store:
        before = [face.decision for face in Ledger(store).faces()]
    assert [each.returncode for each in at_once(project, code)] == [0, 0]
    with project.store() as store:
        ledger = Ledger(store)
        assert [face.decision for face in ledger.faces()] == [Decision.REJECT, Decision.KEEP] * 15
        changed = sum(was is not now for was, now in zip(before, [Decision.REJECT, Decision.KEEP] * 15, strict=True))
        for _ in range(changed):
            assert ledger.undo()
        assert [face.decision for face in ledger.faces()] == before


@pytest.mark.long
def test_a_dataset_that_two_build_at_once_is_whole(tmp_path: Path) -> None:
    project = story_project(tmp_path / "james", faces=12)
    done = at_once(project, "from engine.dataset.build import build\nprint(build(project).cut)")
    assert [each.returncode for each in done] == [0, 0], done
    images = DatasetFolder(project).images()
    assert len(images) == 6
    assert all(image.caption and image.width == 1024 for image in images)
    assert sum(int(each.stdout) for each in done) == 6, "each image is cut once"
    assert not list(project.dataset.rglob("*.part"))


@pytest.mark.long
@pytest.mark.slow
def test_of_three_that_start_training_at_once_one_does(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", training__epochs=300)
    code = """
from engine.errors import JobError
from engine.training.runs.start import start_training
try:
    print(start_training(project).id)
except JobError as error:
    print("refused:", error.one_line())
"""
    told = [each.stdout.strip() for each in at_once(project, code, 3)]
    try:
        runs = [job.id for job in project.run_folders()]
        assert len(runs) == 1
        assert sorted(told)[0] == runs[0]
        refusal = f"refused: {runs[0]} is being trained: follow it with limner watch, or end it with limner stop"
        assert sorted(told)[1:] == [refusal] * 2
    finally:
        job = project.run()
        patience = Patience()
        while job.alive() and patience.wait():
            if pid := state(job).pid:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.long
def test_of_two_that_measure_at_once_neither_loses_the_others_log(tmp_path: Path) -> None:
    project = story_project(tmp_path / "james", faces=4)
    code = """
from engine.errors import JobError
from engine.faces.start_measuring import start_measure
from engine.jobs.follow import wait
try:
    wait(start_measure(project, again=True))
    print("measured")
except JobError as error:
    print("refused:", error.one_line())
"""
    told = sorted(each.stdout.strip() for each in at_once(project, code))
    assert told[0] == "measured"
    assert told[1] in ("measured", "refused: measure is already running: follow it with: limner watch")
