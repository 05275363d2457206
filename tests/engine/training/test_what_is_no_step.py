"""Held-out images, pictures and checkpoints: their time is said before, counted while it goes on, and never the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.errors import JobError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.jobs.follow import follow
from engine.project import Project
from engine.settings import TrainingSettings
from engine.training.data.training_set import TrainingItem
from engine.training.learner import Learner
from engine.training.planning.benchmark_store import Costs, Setting, of_run
from engine.training.planning.benchmarks import fixed_costs
from engine.training.planning.cadence import Cadence, EventCounts, OverheadSeconds, reckoned
from engine.training.planning.estimate import estimate_run
from engine.training.planning.eta import Pace
from engine.training.planning.plan import plan_for
from engine.training.runs.earlier_processes import told_before
from engine.training.runs.run_status import run_status
from engine.training.runs.start import resume_training, start_probe
from engine.training.samples import SampleRenderer
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import small_project

PROMPTS = ["photo of jx265 man, red shirt", "photo of jx265 man, blue shirt"]
ASIDES = {"training__sample_prompts": PROMPTS, "training__sample_inference_steps": 2, "training__validation_split": 1}

every = st.none() | st.integers(1, 12)


class TestTheRhythm:
    @given(
        st.integers(1, 9), every, every, st.integers(0, 3), st.integers(0, 2), st.integers(0, 40), st.integers(0, 40)
    )
    def test_counts_what_comes_as_a_run_that_goes_step_by_step(
        self, epoch: int, keeps: int | None, paints: int | None, prompts: int, held_out: int, after: int, more: int
    ) -> None:
        cadence = Cadence(epoch, held_out, keeps, paints, prompts, 20)
        steps = range(after + 1, after + more + 1)
        ends = sum(cadence.ends_epoch(step) for step in steps)
        counted = EventCounts(
            ends if held_out else 0, sum(map(cadence.keeps, steps)), sum(cadence.paints(step) for step in steps)
        )
        assert cadence.between(after, after + more) == counted
        within = cadence.within_epochs(after, after + more)
        assert within.paintings == counted.paintings - (ends if prompts else 0)

    def test_tells_what_is_not_known_from_what_takes_nothing(self) -> None:
        cadence = Cadence(10, held_out=2, prompts=3, sampling_steps=20)
        twice = cadence.between(0, 20)
        costs = Costs(checkpoint=5, held_out=2, sampling_step=0.1, picture=1)
        assert cadence.seconds(twice, costs) == OverheadSeconds(2 * 2 * 2, 2 * 5, 2 * 3 * (20 * 0.1 + 1))
        assert cadence.seconds(twice, Costs()) == OverheadSeconds(None, None, None)
        assert Cadence(10).seconds(Cadence(10).between(0, 20), Costs(checkpoint=5)) == OverheadSeconds(0, 10, 0)

    def test_reckons_by_the_arithmetic_of_a_step_what_was_not_measured(self) -> None:
        card = Setting("RTX 4090", "SDXL", "bfloat16", "adamw", 1024, 1, 1, 32, False, False)
        found = reckoned(Costs(checkpoint=5, picture=2), card, 0.3)
        # A step of 14.6 TFLOP in 0.3 s: a pass forward is 6.76.
        assert found.held_out == pytest.approx(8 * 0.139, rel=0.01)
        assert found.sampling_step == pytest.approx(2 * 0.139, rel=0.01)
        assert (found.checkpoint, found.picture) == (5, 2)
        assert reckoned(Costs(), card, None) == Costs()


class TestThePace:
    PLAN = plan_for(
        TrainingSettings(repeats=5, epochs=3, batch=2),
        [TrainingItem(repeats=5)] * 4 + [TrainingItem(held_out=True)] * 2,
    )
    """Ten steps an epoch, thirty in all."""
    RHYTHM = Cadence(10, held_out=2, checkpoint_steps=4, prompts=3, sampling_steps=20)
    USUAL = Costs(checkpoint=5, held_out=2, sampling_step=0.1, picture=1)

    def pace(self) -> Pace:
        pace = Pace(self.PLAN, 3.6, 0.0, self.RHYTHM, lambda _step: self.USUAL)
        pace.add_steps(10, 10)
        return pace

    def test_counts_what_was_not_done_yet_as_it_usually_takes(self) -> None:
        estimate = self.pace().estimate(0)
        assert estimate is not None
        # Checkpoints after 4, 8, 10, 12, 16, 20, 24, 28 and 30; three looks at two images; three times three pictures.
        assert estimate.remaining_seconds == pytest.approx(30 + 9 * 5 + 3 * 4 + 3 * 9)
        assert estimate.epoch_seconds == pytest.approx(10 + (9 * 5 + 3 * 4) / 3)
        assert estimate.epoch_remaining_seconds == 0
        assert estimate.cost == pytest.approx((10 + 30 + 45 + 12 + 27) / 1000)

    def test_counts_it_as_it_was_once_it_was_done(self) -> None:
        pace = self.pace()
        pace.add_checkpoint(1)
        pace.add_validation(6, images=2)
        pace.add_painting(30)
        estimate = pace.estimate(25)
        assert estimate is not None
        assert estimate.remaining_seconds == pytest.approx(5 + 2 * 1 + 6 + 30)
        assert estimate.epoch_remaining_seconds == pytest.approx(5 + 2 * 1 + 6)
        assert pace.next_epoch_seconds(10) == pytest.approx(10 + 3 * 1 + 6 + 30)
        assert pace.costs == Costs(checkpoint=1, held_out=3)

    def test_what_is_left_out_for_want_of_memory_takes_nothing_any_more(self) -> None:
        pace = self.pace()
        pace.leave_out(validations=True)
        pace.leave_out(paintings=True)
        estimate = pace.estimate(0)
        assert estimate is not None
        assert estimate.remaining_seconds == pytest.approx(30 + 9 * 5)


def entries(*told: tuple[float, events.Event]) -> Iterator[events.Entry]:
    return (events.Entry(t, event) for t, event in told)


STARTING, RUNNING = events.Job(JobState.STARTING), events.Job(JobState.RUNNING, 1)
PLAN = events.Plan(3, 2, 2, 3, 2, 6, 12)


class TestTheLog:
    def test_a_run_resumed_a_day_later_did_not_load_for_a_day(self) -> None:
        began, costs = fixed_costs(
            entries(
                (100, STARTING),
                (101, RUNNING),
                (111, events.Phase("latents", 1, 3)),
                (112, events.Job(JobState.DONE, reason="stopped on request")),
                (86_500, STARTING),
                (86_501, RUNNING),
                (86_508, events.Phase("latents", 0, 2)),
                (86_510, events.Phase("latents", 2, 2)),
                (86_511, PLAN),
            )
        )
        assert began == 101
        assert costs == Costs(loading=8, image=1)

    def test_time_of_a_killed_process_counts_as_spent_and_a_gap_does_not(self) -> None:
        def step(number: int) -> events.Step:
            return events.Step(number, 1, 0.1, 1e-3, 1.0, 1.0)

        log = [
            (0.0, STARTING),
            (1.0, RUNNING),
            (10.0, PLAN),
            (20.0, step(3)),
            (25.0, events.Checkpoint("checkpoints/jx265-000001.safetensors", 1, 3)),
            (30.0, events.Sample("samples/one.png", "x", 1)),
            (40.0, step(4)),
            (1000.0, STARTING),
            (1030.0, step(4)),
            (1033.0, step(5)),
            (2000.0, STARTING),
            (2001.0, RUNNING),
        ]
        assert told_before(entries(*log), 3).unsaved_seconds == 15 + 33
        assert told_before(entries(*log), 3).painted == {"samples/one.png"}
        assert told_before(entries(*log), 5).unsaved_seconds == 0
        assert told_before(entries(*log), 0).unsaved_seconds == 30 + 33
        assert told_before(entries(*log[:3]), None).unsaved_seconds == 0
        assert told_before(entries(*log[:8]), None).unsaved_seconds == 40


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("asides") / "james", images=4, **ASIDES)


class Killed(BaseException):
    """What no handler of ours takes: the process ends as if it was killed."""


@pytest.fixture(scope="module")
def killed(project: Project) -> JobFolder:
    """Ends without a word after the first of the two last pictures."""
    whole, count = SampleRenderer.paint, 0

    def paint(self: SampleRenderer, *rest: Any, **named: Any) -> Iterator[Any]:
        nonlocal count
        for each in whole(self, *rest, **named):
            count += 1
            if count == 4:
                raise Killed
            yield each

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SampleRenderer, "paint", paint)
        job = ordered(project)
        with pytest.raises(Killed):
            run_here(job)
    return job


@pytest.mark.slow
class TestARun:
    @pytest.mark.long
    def test_killed_at_its_last_samples_it_paints_only_the_missing_ones(
        self, project: Project, killed: JobFolder
    ) -> None:
        assert len(of_kind(killed, events.Sample)) == 3
        steps = len(of_kind(killed, events.Step))
        for _ in follow(resume_training(project, killed.id)):
            pass
        status = run_status(killed)
        assert (status.state, status.reason) == (JobState.DONE, None), killed.log_path.read_text()
        assert len(of_kind(killed, events.Step)) == steps == len(losses(killed))
        paths = [each.path for each in of_kind(killed, events.Sample)]
        assert len(paths) == len(set(paths)) == 4
        assert all((killed.path / path).exists() for path in paths)
        with pytest.raises(JobError, match="is done"):
            resume_training(project, killed.id)

    @pytest.mark.long
    def test_says_before_what_its_pictures_and_its_validation_take(self, project: Project, killed: JobFolder) -> None:
        measured = of_run(killed.path)
        assert measured is not None
        costs = measured.costs
        assert costs.held_out
        assert costs.sampling_step
        assert costs.picture is not None
        found = estimate_run(project, {"training.epochs": 10})
        fixed = found.fixed_seconds
        assert fixed.validating == pytest.approx(10 * costs.held_out)
        assert fixed.painting == pytest.approx(10 * 2 * (2 * costs.sampling_step + costs.picture))
        more = estimate_run(project, {"training.epochs": 10, "training.sample_prompts": [*PROMPTS, "third"]})
        assert more.fixed_seconds.painting == pytest.approx(1.5 * fixed.painting)
        assert more.seconds_per_epoch == found.seconds_per_epoch
        assert more.seconds_total - found.seconds_total == pytest.approx(0.5 * fixed.painting)
        none = estimate_run(project, {"training.sample_prompts": [], "training.validation_split": 0})
        assert (none.fixed_seconds.validating, none.fixed_seconds.painting) == (0, 0)

    @pytest.mark.long
    def test_looks_at_images_one_by_one_where_memory_does_not_suffice_for_more(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Learner.validate

        def validate(self: Learner, data: Any, at_once: int | None = None, images: int | None = None) -> float | None:
            if at_once != 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(self, data, at_once, images)

        monkeypatch.setattr(Learner, "validate", validate)
        job = ordered(project, "one-by-one", training__sample_prompts=[])
        assert run_here(job).state is JobState.DONE
        assert all(each.validation_loss for each in of_kind(job, events.Epoch))
        assert not of_kind(job, events.Warning)

    @pytest.mark.long
    def test_a_run_continues_without_validation_where_memory_lacks(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def validate(*_: object) -> float:
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(Learner, "validate", validate)
        job = ordered(project, "no-room", training__sample_prompts=[])
        assert run_here(job).state is JobState.DONE
        assert [each.validation_loss for each in of_kind(job, events.Epoch)] == [None, None]
        assert [each.message for each in of_kind(job, events.Warning)] == [
            "not enough memory for the held-out images: the run continues without a validation loss"
        ]
        assert len(run_status(job).checkpoints) == 2

    @pytest.mark.long
    def test_is_probed_with_its_pictures_and_its_validation(self, project: Project) -> None:
        job = start_probe(project, {"training.rank": 8}, seconds=0.2)
        for entry in follow(job):
            assert not isinstance(entry.event, events.Error), entry.event
        measured = of_run(job.path)
        assert measured is not None
        assert measured.costs.held_out
        assert measured.costs.sampling_step
        assert not of_kind(job, events.Sample)
        assert not list(Path(job.path).rglob("*.png"))
