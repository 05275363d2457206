"""Quitting while a run is going, and how its end is told to somebody who looks elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from engine import events
from engine.jobs.folder import EventLog, JobFolder, Request
from engine.project import Project
from engine.security.trust import confirm
from tests.hostile.endless_server import endless
from tests.support.story import RUN, alive, story_project, with_run
from tests.tui.pseudo_terminal import PseudoTerminal
from tests.tui.test_journeys import press, shown, until
from tests.tui.test_keymap import configured
from tui.app.app import LimnerApp

PUSHED, POPPED = b"\x1b[22;2t", b"\x1b[23;2t"
LOOKED_AWAY = b"\x1b[O"

LONGEST = 10.0
"""Seconds until the app is left, on a machine that does much else; a silent server has a minute."""


@pytest.fixture
def run(project: Project) -> Iterator[JobFolder]:
    job = with_run(project)
    with alive(job):
        yield job


class TestQuittingWithALiveRun:
    @pytest.mark.parametrize(
        ("keys", "asked", "exit_message"),
        [
            (("enter",), set(), f"The run {RUN} continues. Follow it with: limner watch"),
            (("r",), set(), f"The run {RUN} continues. Follow it with: limner watch"),
            (("e",), {Request.STOP_AFTER_EPOCH}, f"The run {RUN} stops after this epoch. Follow it with: limner watch"),
            (("j", "enter"), {Request.STOP_AFTER_EPOCH}, f"The run {RUN} stops after this epoch."),
            (("s",), {Request.STOP}, f"The run {RUN} stops now. Resume it with: limner resume"),
        ],
    )
    async def test_offers_to_leave_it_running_or_to_stop_it(
        self, project: Project, run: JobFolder, keys: tuple[str, ...], asked: set[Request], exit_message: str
    ) -> None:
        app = LimnerApp(project.root, project)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.seen.newest is not None)
            await press(pilot, "q")
            assert "leave it running" in shown(pilot)
            await press(pilot, *keys)
            assert app.exit_message.startswith(exit_message)
            assert not app.is_running or app._exit
        assert run.asked() == asked

    @pytest.mark.parametrize("key", ["q", "escape"])
    async def test_can_be_thought_better_of(self, project: Project, run: JobFolder, key: str) -> None:
        app = LimnerApp(project.root, project)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.seen.newest is not None)
            await press(pilot, "q", key)
            assert "leave it running" not in shown(pilot)
            assert app.exit_message == ""
            assert not app._exit

    async def test_tells_how_far_the_run_is_while_it_asks(self, project: Project, run: JobFolder) -> None:
        app = LimnerApp(project.root, project)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.seen.newest is not None)
            await press(pilot, "q")
            assert "29%" in shown(pilot)
            tell(run, events.Step(315, 5, 0.1, 1e-4, 21.3, 61.2))
            await until(pilot, lambda: "50%" in shown(pilot))

    async def test_a_run_that_ends_meanwhile_is_not_said_to_be_stopped(self, project: Project, run: JobFolder) -> None:
        app = LimnerApp(project.root, project)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.seen.newest is not None)
            await press(pilot, "q")
            tell(run, events.Job(events.JobState.DONE))
            await until(pilot, lambda: "nothing left to decide" in shown(pilot))
            assert "stop now" not in shown(pilot)
            await press(pilot, "s")
            assert app.exit_message == f"The run {RUN} is done."
        assert run.asked() == set()

    async def test_twice_ctrl_c_leaves_it_running_at_once(self, project: Project, run: JobFolder) -> None:
        app = LimnerApp(project.root, project)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.seen.newest is not None)
            await press(pilot, "ctrl+c", "ctrl+c")
            assert app.exit_message == f"The run {RUN} continues. Follow it with: limner watch"


def tell(job: JobFolder, *told: events.Event) -> None:
    log = EventLog(job.events_path)
    for event in told:
        log.emit(event)
    log.close()


def bells(output: bytes) -> int:
    """How often it rang; a bell also ends a title and a pointer's shape."""
    return re.sub(rb"\x1b\][^\a]*\a", b"", output).count(b"\a")


class TestARunsEnd:
    @pytest.fixture
    def story(self, tmp_path_factory: pytest.TempPathFactory) -> Project:
        return story_project(tmp_path_factory.mktemp("story") / "james", faces=2)

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("told", "title", "on_top"),
        [
            pytest.param(
                (events.Job(events.JobState.DONE),),
                f"\x1b]2;✓ {RUN} is done\a",
                "run done",
                id="done",
                marks=pytest.mark.long,
            ),
            pytest.param(
                (events.Job(events.JobState.DONE, reason="stopped on request"),),
                f"\x1b]2;– {RUN} was stopped\a",
                "run stopped",
                id="stopped",
                marks=pytest.mark.long,
            ),
            pytest.param(
                (events.Error("out of memory", "a smaller batch"), events.Job(events.JobState.FAILED)),
                f"\x1b]2;✗ {RUN} failed\a",
                "run failed",
                id="failed",
            ),
        ],
    )
    def test_rings_and_is_in_the_title_when_the_window_is_not_looked_at(
        self, story: Project, told: tuple[events.Event, ...], title: str, on_top: str
    ) -> None:
        job = with_run(story)
        with alive(job), PseudoTerminal("-C", str(story.root)) as terminal:
            terminal.wait_for("3/10")
            assert terminal.output.count(PUSHED) == 1
            terminal.write(LOOKED_AWAY)
            terminal.wait_until_quiet(0.5)
            tell(job, *told)
            terminal.wait_for(title)
            terminal.wait_for(on_top)
            terminal.wait_until(lambda: b"\a" in terminal.output.rpartition(title.encode())[2])
            terminal.write(b"\x1b[I")
            terminal.wait_until(lambda: terminal.output.rpartition(b"\x1b]2;")[2].startswith(b"limner james\a"))
            terminal.write(b"q")
            assert terminal.wait_until_ended() == 0
            assert POPPED in terminal.output

    @pytest.mark.long
    def test_is_silent_where_the_settings_say_so(self, story: Project) -> None:
        configured("bell = false\ntitle = false\n")
        job = with_run(story)
        with alive(job), PseudoTerminal("-C", str(story.root)) as terminal:
            terminal.wait_for("3/10")
            terminal.write(LOOKED_AWAY)
            tell(job, events.Job(events.JobState.DONE))
            terminal.wait_for("run done")
            terminal.write(b"q")
            assert terminal.wait_until_ended() == 0
            assert b"\a" not in re.sub(rb"\x1b\]22;[^\a]*\a", b"", terminal.output)  # the mouse pointer's shape
            assert PUSHED not in terminal.output
            assert POPPED not in terminal.output

    @pytest.mark.long
    def test_does_not_ring_while_the_window_is_looked_at(self, story: Project) -> None:
        job = with_run(story)
        with alive(job), PseudoTerminal("-C", str(story.root)) as terminal:
            terminal.wait_for("3/10")
            terminal.write(LOOKED_AWAY + b"\x1b[I")
            terminal.wait_until_quiet(0.5)
            before = bells(terminal.output)
            tell(job, events.Job(events.JobState.DONE))
            terminal.wait_for("The run is done")
            terminal.wait_until_quiet(0.5)
            assert bells(terminal.output) == before


def test_leaving_does_not_wait_for_a_server_that_answers_without_end(project: Project) -> None:
    with endless(b" ", first=b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n[") as server:
        project.change({"library.url": f"http://127.0.0.1:{server.port}"})
        confirm(project.root, project.settings.library.url)
        words = {"LIMNER_DB_PASSWORD": "insecure"}
        with PseudoTerminal("-C", str(project.root), environment=words) as terminal:
            terminal.wait_until(lambda: server.sent > 0)
            terminal.write(b"q")
            left = time.monotonic()
            assert terminal.wait_until_ended() == 0
    assert time.monotonic() - left < LONGEST


def test_a_terminal_that_can_not_be_drawn_in_gets_one_clear_line(project: Project) -> None:
    with PseudoTerminal("-C", str(project.root), environment={"TERM": "dumb"}) as terminal:
        assert terminal.wait_until_ended() == 1
        told = terminal.output.decode().strip().splitlines()
        assert told == ["limner: the app can't run in this terminal (TERM=dumb): use the commands: limner --help"]
