"""What a run does when, and how long it says that it will take."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.settings import Schedule, TrainingSettings
from engine.training.data.epoch_order import epoch_batches, learning_rate, step_seed
from engine.training.data.training_set import TrainingItem
from engine.training.planning.eta import Pace
from engine.training.planning.plan import plan_for

counts = st.integers(1, 30)


@given(counts, st.integers(1, 8), st.integers(1, 9), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_an_epoch_shows_every_image_as_often_as_it_should(
    images: int, repeats: int, batch: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches([TrainingItem(repeats=repeats)] * images, batch, seed, epoch)
    assert Counter(index for each in batches for index in each) == dict.fromkeys(range(images), repeats)
    assert all(len(each) == batch for each in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch
    settings = TrainingSettings(repeats=repeats, batch=batch)
    assert len(batches) == plan_for(settings, images).steps_per_epoch


def test_epochs_differ_in_order_and_the_same_epoch_does_not() -> None:
    seen = [TrainingItem(repeats=2)] * 20
    assert epoch_batches(seen, 4, seed=1, epoch=1) == epoch_batches(seen, 4, seed=1, epoch=1)
    assert epoch_batches(seen, 4, seed=1, epoch=1) != epoch_batches(seen, 4, seed=1, epoch=2)
    assert epoch_batches(seen, 4, seed=1, epoch=1) != epoch_batches(seen, 4, seed=2, epoch=1)


def test_every_step_has_chance_of_its_own() -> None:
    assert len({step_seed(seed, step) for seed in range(20) for step in range(200)}) == 4000


@given(st.integers(2, 500), st.floats(0, 0.5), st.sampled_from(Schedule))
def test_the_learning_rate_rises_over_the_warm_up_and_never_above_its_top(
    steps: int, warmup: float, schedule: Schedule
) -> None:
    settings = TrainingSettings(learning_rate=1e-3, warmup=warmup, schedule=schedule)
    rates = [learning_rate(settings, step, steps) for step in range(1, steps + 1)]
    rising = round(warmup * steps)
    assert all(0 < rate <= 1e-3 * (1 + 1e-9) for rate in rates)
    assert rates[:rising] == sorted(rates[:rising])
    assert rates[rising:] == sorted(rates[rising:], reverse=True)
    assert rates[min(rising, steps - 1)] == pytest.approx(1e-3)


def test_the_learning_rate_follows_its_schedule() -> None:
    def rates(schedule: Schedule) -> list[float]:
        settings = TrainingSettings(learning_rate=1e-3, warmup=0.1, schedule=schedule)
        return [learning_rate(settings, step, 100) for step in (1, 10, 11, 56, 100)]

    assert rates(Schedule.CONSTANT) == pytest.approx([1e-4, 1e-3, 1e-3, 1e-3, 1e-3])
    assert rates(Schedule.LINEAR) == pytest.approx([1e-4, 1e-3, 1e-3, 5e-4, 1e-3 / 90])
    assert rates(Schedule.COSINE) == pytest.approx([1e-4, 1e-3, 1e-3, 5e-4, 3.046e-7], rel=1e-3)


PLAN = plan_for(TrainingSettings(repeats=5, epochs=3, batch=2), images=4)
"""Ten steps an epoch, thirty in all."""


def test_nothing_is_estimated_before_something_was_measured() -> None:
    assert Pace(PLAN).estimate(0) is None


def test_the_time_left_counts_steps_and_checkpoints_to_come() -> None:
    pace = Pace(PLAN, price_per_hour=3.6, spent_seconds=100)
    pace.add_steps(4, seconds=8)
    pace.add_checkpoint(5)
    estimate = pace.estimate(14)
    assert estimate is not None
    assert estimate.epoch_seconds == pytest.approx(10 * 2 + 5)
    assert estimate.epoch_remaining_seconds == pytest.approx(6 * 2 + 5)
    assert estimate.remaining_seconds == pytest.approx(16 * 2 + 2 * 5)
    assert estimate.cost == pytest.approx((100 + 8 + 5 + 42) * 3.6 / 3600)


def test_nothing_is_left_at_the_end() -> None:
    pace = Pace(PLAN)
    pace.add_steps(30, 60)
    estimate = pace.estimate(30)
    assert estimate is not None
    assert (estimate.remaining_seconds, estimate.epoch_remaining_seconds) == (0, 0)
    assert estimate.cost is None


def test_one_hiccup_does_not_change_the_estimate() -> None:
    pace = Pace(PLAN)
    for seconds in (1, 1, 90, 1, 1):
        pace.add_steps(1, seconds)
    assert pace.step_seconds == 1
    assert pace.spent_seconds == 94
