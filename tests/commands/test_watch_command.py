"""``limner watch`` in a terminal as wide as a phone, in a pipe, and on a folder that another machine wrote."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import events
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.project import Project
from engine.training.runs.run_status import RunFollower
from tests.support.patience import PATIENCE
from tests.support.story import alive, with_run
from tests.tui.pseudo_terminal import PseudoTerminal
from tui.cli.run_panel import panel_lines
from tui.text.charts.view import View
from tui.text.lines import text_of, width_of

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def watch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=Path(__file__).parents[2])


@pytest.fixture
def run(project: Project) -> JobFolder:
    return with_run(project, done=True)


def test_in_a_pipe_it_is_plain_lines_and_the_checkpoints(project: Project, run: JobFolder) -> None:
    done = watch("-C", str(project.root), "watch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(run.path / f"checkpoints/jx265-00000{each}.safetensors") for each in (1, 2)]
    assert "epoch 3 of 10 · step 180 of 630 · loss 0." in done.stderr
    assert "\x1b" not in done.stderr


def test_a_copied_folder_of_another_machine_is_followed_by_its_path(
    project: Project, run: JobFolder, tmp_path: Path
) -> None:
    copy = tmp_path / "from the box"
    shutil.copytree(run.path, copy)
    lines = (copy / "events.jsonl").read_text().splitlines(keepends=True)
    (copy / "events.jsonl").write_text("".join(lines[:-1]))
    os.utime(copy / "events.jsonl", (1_795_000_100, 1_795_000_100))
    done = watch("-C", str(tmp_path), "watch", str(copy))
    assert done.returncode == 0, done.stderr
    assert "judged by its log's age" in done.stderr
    assert "may have ended" in done.stderr or "step 180 of 630" in done.stderr
    assert str(copy / "checkpoints/jx265-000002.safetensors") in done.stdout


@pytest.mark.parametrize("wrong", ["no-such-run", "/nowhere/at/all"])
def test_a_run_that_is_not_there_is_one_clear_line(project: Project, run: JobFolder, wrong: str) -> None:
    done = watch("-C", str(project.root), "watch", wrong)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_is_no_run_says_so(project: Project, run: JobFolder) -> None:
    done = watch("-C", str(project.root), "watch", str(project.root))
    assert done.returncode == 1
    assert "holds no run" in done.stderr


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (24, 10), (80, 24), (200, 60)])
def test_it_fits_a_terminal_of_any_size(project: Project, run: JobFolder, columns: int, rows: int) -> None:
    follower = RunFollower(run)
    status = follower.poll()
    for view in (View(), View(by_time=True), View(logarithmic=True)):
        lines = panel_lines(status, follower.curves, view, columns, rows)
        assert len(lines) < rows
        assert all(width_of(line) < columns for line in lines)
    text = "\n".join(map(text_of, lines))
    assert "29%" in text
    if columns >= 40:
        assert "average" in text
        assert any("⠀" < letter <= "⣿" for letter in text)


def test_on_a_phone_it_redraws_in_place_and_ctrl_c_leaves_the_run(project: Project) -> None:
    job = with_run(project)
    with alive(job), PseudoTerminal("-C", str(project.root), "watch", columns=40, rows=24) as terminal:
        terminal.wait_for("180 of 630")
        with job.events_path.open("a") as log:
            log.write(events.to_line(events.Step(181, 3, 0.05, 1e-4, 21.0, 61.0), time.time()))
        terminal.wait_for("181 of 630")
        shown = CODES.sub("", terminal.output.decode())
        assert max(len(line.rstrip("\r")) for line in shown.split("\n")) < 40
        terminal.write(b"\x03")
        terminal.wait_for("continues. Follow it with")
    assert RunFollower(job).poll().state is not JobState.DONE
