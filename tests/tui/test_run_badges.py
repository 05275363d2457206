"""What is said of a run that does something else than train: loading, paused, stopping; and of one that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import events
from engine.events import JobState
from engine.jobs.folder import EventLog
from engine.project import Project
from engine.training.runs.run_status import RunFollower
from tests.support.story import alive, story_project, with_dataset, with_run
from tests.tui.test_journeys import shown, until
from tui.app.app import LimnerApp
from tui.cli.run_line import run_line as told_line
from tui.text.run_summary import bar_lines, state_of
from tui.widgets.topbar import run_line


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return with_dataset(story_project(tmp_path / "james"))


def text(line: object) -> str:
    return "".join(part for part, _ in line)  # type: ignore[attr-defined]


def test_a_run_that_loads_after_a_resume_says_so_without_a_figure(project: Project) -> None:
    job = with_run(project)
    with alive(job):
        follower = RunFollower(job)
        before = follower.poll()
        assert state_of(before)[0] == "running"
        assert before.remaining_seconds
        log = EventLog(job.events_path)
        log.emit(events.Job(JobState.DONE, reason="stopped on request"))
        log.emit(events.Job(JobState.STARTING))
        log.emit(events.Job(JobState.RUNNING, pid=1))
        log.emit(events.Phase("the base model", 0, 1))
        status = follower.poll()
        assert state_of(status)[0] == "loading"
        assert status.remaining_seconds is None
        assert "left" not in " ".join(map(text, bar_lines(status, 60)))
        assert text(run_line(status)).endswith("% loading")
        assert told_line(status).endswith("loading")
        log.emit(events.Step(before.step + 1, 3, 0.1, 1e-4, 20.0, 1.0))
        assert state_of(follower.poll())[0] == "running"
        log.close()


@pytest.mark.parametrize(
    ("state", "ends"), [(JobState.PAUSED, "% paused"), (JobState.STOPPING, "% stopping"), (JobState.RUNNING, ":")]
)
def test_the_badge_names_what_a_run_does_instead_of_training(state: JobState, ends: str, project: Project) -> None:
    job = with_run(project)
    with alive(job):
        log = EventLog(job.events_path)
        log.emit(events.Job(state))
        log.close()
        line = run_line(RunFollower(job).poll())
    assert ends in text(line)


def test_each_state_has_a_mark_and_a_colour_of_its_own(project: Project) -> None:
    job = with_run(project)
    marks = []
    with alive(job):
        for state in (JobState.RUNNING, JobState.PAUSED, JobState.STOPPING, JobState.STARTING):
            log = EventLog(job.events_path)
            log.emit(events.Job(state))
            log.close()
            marks.append(run_line(RunFollower(job).poll())[0])
    assert len({mark for mark, _ in marks}) == len({ink for _, ink in marks}) == 4


async def test_a_run_that_failed_takes_back_what_was_promised(project: Project) -> None:
    job = with_run(project)
    with alive(job):
        async with LimnerApp(project.root, project).run_test(size=(100, 30), notifications=True) as pilot:
            await until(pilot, lambda: "/" in text(run_line(getattr(pilot.app, "live_run", None))))
            pilot.app.screen.say("Stopping after this step.")  # type: ignore[attr-defined]
            await until(pilot, lambda: "Stopping after this step." in shown(pilot))
            log = EventLog(job.events_path)
            log.emit(events.Error("the disk is full", "make room"))
            log.emit(events.Job(JobState.FAILED, reason="the disk is full"))
            log.close()
            await until(pilot, lambda: "The run failed" in shown(pilot))
            assert "Stopping after this step." not in shown(pilot)
