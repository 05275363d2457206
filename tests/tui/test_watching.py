"""Watching runs on the Training screen by its keys: curves, comparison, logs, requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

import tests.support.story
from engine import events
from engine.jobs.folder import JobFolder, Request
from engine.project import Project
from tests.support.story import RUN, alive, with_dataset, with_run
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp
from tui.screens.shared.full_size import LargeScreen
from tui.widgets.loss_chart import LossChart
from tui.widgets.rows import Rows

OTHER = "20261120-0911-jx265"


@pytest.fixture
def watched(story: Project) -> Project:
    """A project with a run that lives."""
    with_run(with_dataset(story))
    return story


@pytest.fixture
def older(watched: Project, monkeypatch: pytest.MonkeyPatch) -> JobFolder:
    """A finished run besides."""
    monkeypatch.setattr(tests.support.story, "RUN", OTHER)
    return with_run(watched, 420, done=True)


def app_on(project: Project) -> LimnerApp:
    return LimnerApp(project.root, project)


def tell(job: JobFolder, *happened: events.Event) -> None:
    with job.events_path.open("a") as log:
        for event in happened:
            log.write(events.to_line(event, 1_795_000_060))


async def opened(pilot: Pilot[None]) -> None:
    await press(pilot, "4")
    await until(pilot, lambda: "180 of 630" in shown(pilot))


async def test_time_money_and_their_uncertainty_and_the_card_are_told(watched: Project) -> None:
    with alive(JobFolder(watched.runs / RUN)):
        async with app_on(watched).run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            for words in ("1:24 ± 0:03 left", "11.7 s ± 0.2 each", "cost 0.03 of 0.11", "97 %  61 °C", "612 W"):
                assert words in shown(pilot)
            assert "val 0.0870" in shown(pilot)


@pytest.mark.long
async def test_the_chart_is_turned_by_keys(watched: Project) -> None:
    with alive(JobFolder(watched.runs / RUN)):
        async with app_on(watched).run_test(size=(120, 40)) as pilot:
            await opened(pilot)
            chart = pilot.app.screen.query_one(LossChart)
            seen = []
            for key, title in (("y", "· log ·"), ("t", "log · by time"), ("c", "learning rate"), ("c", "images/s")):
                await press(pilot, key)
                assert title in shown(pilot)
                seen.append("\n".join(drawn(chart)))
            assert len(set(seen)) == 4


@pytest.mark.parametrize("over", ["q", "question_mark", "colon"])
@pytest.mark.long
async def test_the_curve_and_what_was_measured_stay_under_a_dialog_and_go_on(watched: Project, over: str) -> None:
    job = JobFolder(watched.runs / RUN)
    with alive(job):
        async with app_on(watched).run_test(size=(120, 40)) as pilot:
            await opened(pilot)
            await until(pilot, lambda: "likeness 51" in shown(pilot))
            app, training = pilot.app, pilot.app.screen
            assert isinstance(app, LimnerApp)
            chart, checkpoints = training.query_one(LossChart), training.query_one("#checkpoints", Rows)
            before = drawn(chart)
            await press(pilot, over)
            assert app.screen is not training
            tell(job, events.Step(181, 3, 0.01, 8e-5, 21.3, 61.2))
            await until(pilot, lambda: app.seen.shown is not None and app.seen.shown.step == 181)
            await until(pilot, lambda: drawn(chart) != before)
            assert inked(drawn(chart)) >= inked(before)
            assert all(kept.likeness for kept in checkpoints.items)


def drawn(chart: LossChart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


def inked(lines: list[str]) -> int:
    return sum(bool(line.strip()) for line in lines)


@pytest.mark.long
async def test_two_runs_are_compared_on_one_chart_and_told_apart_without_colour(
    watched: Project, older: JobFolder
) -> None:
    with alive(JobFolder(watched.runs / RUN)):
        async with app_on(watched).run_test(size=(120, 40)) as pilot:
            await opened(pilot)
            await press(pilot, "space", "tab")
            await until(pilot, lambda: "loss of 2 runs" in shown(pilot))
            legend = next(line for line in shown(pilot).splitlines() if RUN in line and OTHER in line)
            assert "A " in legend
            assert "B " in legend
            await press(pilot, "shift+tab")
            await until(pilot, lambda: f"· {RUN}" in shown(pilot) or "180 of 630" in shown(pilot))
            await press(pilot, "space")
            await until(pilot, lambda: "loss of 2 runs" not in shown(pilot))


@pytest.mark.long
async def test_what_happened_and_what_was_printed_are_a_key_away(watched: Project) -> None:
    job = JobFolder(watched.runs / RUN)
    job.log_path.write_text("loading the base\n 10%\r 50%\r100%\nlast words\n")
    tell(job, events.Fit("batch 2 in 2 passes", "out of memory at step 180"), events.Warning("the disk is nearly full"))
    with alive(job):
        async with app_on(watched).run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            await until(pilot, lambda: "! the disk is nearly full" in shown(pilot))
            await press(pilot, "L")
            await until(pilot, lambda: "! fit  batch 2 in 2 passes: out of memory" in shown(pilot))
            await press(pilot, "L")
            await until(pilot, lambda: "last words" in shown(pilot))
            assert "100%" in shown(pilot)
            assert "50%" not in shown(pilot)
            await press(pilot, "L")
            assert "jx265-000002" in shown(pilot)


async def test_a_run_is_paused_sampled_and_let_go_on_by_keys(watched: Project) -> None:
    job = JobFolder(watched.runs / RUN)
    with alive(job):
        async with app_on(watched).run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            await press(pilot, "n", "P")
            assert {Request.SAMPLE, Request.PAUSE} <= job.asked()
            tell(job, events.Job(events.JobState.PAUSED, 1, "at step 180"))
            await until(pilot, lambda: "paused" in shown(pilot))
            await press(pilot, "P")
            assert Request.RESUME in job.asked()


async def test_a_run_that_was_stopped_goes_on_by_the_same_key(
    watched: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[str] = []

    def resume(_: Project, run: str) -> JobFolder:
        resumed.append(run)
        return JobFolder(watched.runs / run)

    monkeypatch.setattr("engine.training.runs.start.resume_training", resume)
    job = JobFolder(watched.runs / RUN)
    tell(job, events.Job(events.JobState.DONE, reason="stopped on request"))
    async with app_on(watched).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "tab")
        await until(pilot, lambda: "P resume" in shown(pilot))
        await press(pilot, "P")
        await until(pilot, lambda: resumed == [RUN])
    tell(job, events.Job(events.JobState.DONE))
    async with app_on(watched).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: "run done" in shown(pilot))
        assert "P pause" not in shown(pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_of_a_run_that_died_all_is_read_that_is_to_be_done(watched: Project, size: tuple[int, int]) -> None:
    async with app_on(watched).run_test(size=size) as pilot:
        await press(pilot, "4", "tab")
        await until(pilot, lambda: "process ended without a message" in shown(pilot))
        words = " ".join(line.strip(" │") for line in shown(pilot).splitlines())
        assert f"limner resume {RUN}" in words


async def test_samples_are_seen_large_one_after_the_other(watched: Project) -> None:
    with alive(JobFolder(watched.runs / RUN)):
        async with app_on(watched).run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            await press(pilot, "v")
            assert isinstance(pilot.app.screen, LargeScreen)
            await until(pilot, lambda: "epoch 2 · seed 1 · likeness 51" in shown(pilot))
            await press(pilot, "k")
            await until(pilot, lambda: "epoch 1 · seed 1 · likeness 41" in shown(pilot))
            await press(pilot, "G")
            await until(pilot, lambda: "epoch 2 · seed 1 · likeness 51" in shown(pilot))
            await press(pilot, "g")
            await until(pilot, lambda: "epoch 1 · seed 1 · likeness 41" in shown(pilot))


@pytest.mark.long
async def test_a_run_of_another_machine_that_fell_silent_is_not_said_to_run(watched: Project, tmp_path: Path) -> None:
    job = JobFolder(watched.runs / RUN)
    lines = job.events_path.read_text().splitlines()
    moved = [events.from_line(line) for line in lines]
    with job.events_path.open("w") as log:
        for entry in moved:
            assert entry is not None
            event = entry.event
            log.write(events.to_line(replace(event, host="a-box") if isinstance(event, events.Job) else event, entry.t))
    import os

    os.utime(job.events_path, (1_795_000_100, 1_795_000_100))
    async with app_on(watched).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "tab")
        await until(pilot, lambda: "silent" in shown(pilot))
        assert "judged by its log's age" in shown(pilot)
        assert "e stop after epoch" not in shown(pilot)
