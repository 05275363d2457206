"""Following a run by its files alone: as they grow, are copied, cut off, or begun anew, on this machine or another."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pynvml
import pytest

from engine import events
from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import EventLog, EventTail, JobFolder, this_machine
from engine.settings import TrainingSettings
from engine.training.planning.eta import Pace
from engine.training.planning.plan import plan_for
from engine.training.runs import gpu_stats as vitals
from engine.training.runs.run_status import QUIET_SECONDS, RunFollower, run_at, run_status
from tests.support.story import alive

PLAN = events.Plan(4, 5, 1, 20, 3, 60, 60)


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "20261121-1403-jx265")


def write(job: JobFolder, *happened: events.Event, at: float | None = None, pace: float = 1.0) -> None:
    """Writes events, each ``pace`` seconds after the one before it; the last of them now, unless told otherwise."""
    job.path.mkdir(parents=True, exist_ok=True)
    begin = time.time() - pace * len(happened) if at is None else at
    with job.events_path.open("a") as log:
        for number, event in enumerate(happened, start=1):
            log.write(events.to_line(event, begin + number * pace))


def step(number: int, loss: float = 0.1, **seen: Any) -> events.Step:
    return events.Step(number, (number - 1) // 20 + 1, loss, 1e-4, 2.0, 1.5, **seen)


def beginning(host: str | None = None) -> list[events.Event]:
    return [events.Job(JobState.STARTING), events.Job(JobState.RUNNING, 1, host=host), PLAN]


class TestTheLog:
    def test_a_torn_line_waits_for_its_end(self, job: JobFolder) -> None:
        write(job, *beginning(), step(1))
        follower = RunFollower(job, elsewhere=True)
        follower.poll()
        line = events.to_line(step(2, 0.7), time.time())
        with job.events_path.open("a") as log:
            log.write(line[:30])
            log.flush()
            assert follower.poll().step == 1
            log.write(line[30:])
        assert (follower.poll().step, follower.status.loss) == (2, 0.7)

    def test_a_log_cut_off_or_begun_anew_is_read_from_its_beginning(self, job: JobFolder) -> None:
        write(job, *beginning(), *(step(number, 0.9) for number in range(1, 31)))
        follower = RunFollower(job, elsewhere=True)
        assert follower.poll().step == 30
        job.events_path.unlink()
        assert follower.poll().step == 30
        write(job, *beginning(), *(step(number, 0.2) for number in range(1, 3)))
        assert follower.poll().step == 2
        assert list(follower.curves.losses) == [0.2, 0.2]
        write(job, *beginning(), *(step(number, 0.4) for number in range(1, 60)))
        assert follower.poll().step == 59

    def test_a_log_that_a_copying_program_replaces_is_followed_on(self, job: JobFolder) -> None:
        write(job, *beginning(), step(1))
        tail = EventTail(job.events_path)
        list(tail.read())
        write(job, step(2))
        beside = job.events_path.with_suffix(".part")
        shutil.copy(job.events_path, beside)
        os.replace(beside, job.events_path)
        assert [entry.event.step for entry in tail.read() if isinstance(entry.event, events.Step)] == [2]
        assert tail.begun_anew == 0


class TestAnotherMachinesRun:
    def test_is_taken_to_live_while_its_log_is_young_and_to_be_silent_later(self, job: JobFolder) -> None:
        write(job, *beginning(host="a-rented-box"), step(1))
        young = run_status(job)
        assert (young.state, young.live, young.elsewhere, young.host) == (JobState.RUNNING, True, True, "a-rented-box")
        old = time.time() - QUIET_SECONDS - 100
        aged = JobFolder(job.path.with_name("aged"))
        write(aged, *beginning(host="a-rented-box"), step(1), at=old - 10)
        os.utime(aged.events_path, (old, old))
        silent = run_status(aged)
        assert (silent.state, silent.live) == (JobState.RUNNING, False)
        assert silent.silent_seconds is not None
        assert silent.silent_seconds >= QUIET_SECONDS

    def test_that_takes_minutes_a_step_is_given_more_time(self, job: JobFolder) -> None:
        write(job, *beginning(host="a-slow-box"), *map(step, range(1, 9)), at=time.time() - 1700, pace=100)
        os.utime(job.events_path, (time.time() - 600, time.time() - 600))
        assert run_status(job).live

    def test_that_has_ended_is_no_less_done_for_being_elsewhere(self, job: JobFolder) -> None:
        write(job, *beginning(host="a-rented-box"), step(1), events.Job(JobState.DONE), at=1_700_000_000)
        assert run_status(job).state is JobState.DONE

    def test_a_run_of_this_machine_whose_process_is_gone_has_failed(self, job: JobFolder) -> None:
        write(job, *beginning(host=this_machine()), step(1))
        assert run_status(job).state is JobState.FAILED
        with alive(job):
            assert run_status(job).live

    def test_a_folder_without_a_log_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(JobError, match="holds no run"):
            run_at(tmp_path)


class TestWhatIsKept:
    def test_the_runs_clock_stands_still_while_it_is_paused_or_dead(self, job: JobFolder) -> None:
        write(job, *beginning(), step(1), events.Job(JobState.PAUSED), at=1000)
        write(job, events.Job(JobState.RUNNING), step(2), at=5000)
        write(job, events.Job(JobState.STARTING), events.Job(JobState.RUNNING), step(3), at=90_000)
        follower = RunFollower(job, elsewhere=True)
        follower.poll()
        assert list(follower.curves.seconds) == [3, 5, 7]

    def test_a_clock_that_is_set_back_does_not_turn_the_curve_around(self, job: JobFolder) -> None:
        write(job, *beginning(), step(1), step(2), at=9000)
        write(job, step(3), step(4), at=500)
        follower = RunFollower(job, elsewhere=True)
        follower.poll()
        assert list(follower.curves.seconds) == sorted(follower.curves.seconds)

    def test_validation_likeness_and_the_card_s_figures_have_their_steps(self, job: JobFolder) -> None:
        card = {"gpu_percent": 97.0, "gpu_celsius": 61.0, "gpu_watts": 612.5}
        samples = [events.Sample(f"samples/{each}.png", "x", each, 1, like) for each, like in ((1, 0.4), (2, 0.6))]
        write(job, *beginning(), *map(step, range(1, 20)), step(20, **card), events.Epoch(1, 0.1, 0.08, 9.0), *samples)
        write(job, step(21), events.Fit("batch 1 in 2 passes", "out of memory"))
        follower = RunFollower(job, elsewhere=True)
        status = follower.poll()
        assert [(each.step, each.value) for each in follower.curves.validations] == [(20, 0.08)]
        assert [(each.step, each.value) for each in follower.curves.likenesses] == [(20, 0.5)]
        assert status.gpu is not None
        assert (status.gpu.gpu_percent, status.gpu.gpu_watts) == (97.0, 612.5)
        assert status.fits[0].changed == "batch 1 in 2 passes"
        assert [type(each.event) for each in status.happened][-2:] == [events.Sample, events.Fit]

    def test_a_step_says_nothing_of_a_card_that_is_not_there(self, job: JobFolder) -> None:
        EventLog(job.events_path).emit(step(1))
        assert "gpu" not in job.events_path.read_text()


class TestThePace:
    def test_leaves_the_first_steps_out_and_tells_how_far_it_may_be_off(self) -> None:
        pace = Pace(plan_for(TrainingSettings(repeats=5, epochs=3, batch=2), images=4), price_per_hour=3.6)
        for seconds in (30, 20, 10, 1.0, 1.2, 0.8, 1.0, 1.2, 0.8, 1.0):
            pace.add_steps(1, seconds)
        estimate = pace.estimate(10)
        assert estimate is not None
        assert estimate.remaining_seconds == pytest.approx(20)
        assert estimate.spread_seconds == pytest.approx(20 * 0.2, rel=0.3)
        assert estimate.spent == pytest.approx(67 / 1000)


class TestTheCard:
    def test_what_its_driver_keeps_to_itself_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Load:
            gpu = 93

        def refuse(_: object) -> None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

        monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda _: Load)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetTemperature", lambda *_: 61)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", refuse)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", refuse)
        found = vitals.vitals_of(object())
        assert found == {"gpu_percent": 93.0, "gpu_celsius": 61.0}
        assert step(1, **found).gpu_percent == 93.0

    def test_a_machine_without_one_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vitals, "first_visible", lambda: None)
        assert vitals.VitalsReader().look() == {}
