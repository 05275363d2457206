"""The machine's clock jumps a day ahead and back, as often as somebody looks at it."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from engine import events
from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.files.layout import DatasetFolder
from engine.faces.records.decisions import Decision, Ledger
from engine.jobs.folder import JobKind, Order
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.orders.start import painter_folder
from tests.support.run_here import of_kind, ordered, run_here
from tests.support.small_project import small_project
from tests.support.story import story_project, with_dataset, with_pictures

DAY = 86_400.0


@pytest.fixture
def jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ahead, back, further ahead, further back."""
    clock, days = time.time, (step * sign for step in itertools.count(1) for sign in (1, -1))
    monkeypatch.setattr(time, "time", lambda: clock() + next(days) * DAY)


def set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, days = time.time, itertools.count(1)
    monkeypatch.setattr(time, "time", lambda: clock() - next(days) * DAY)


@pytest.mark.slow
@pytest.mark.usefixtures("jumps")
def test_a_run_s_pace_and_time_left_come_from_a_clock_that_only_goes_ahead(tmp_path: Path) -> None:
    began = time.monotonic()
    job = ordered(small_project(tmp_path / "james"))
    status = run_here(job)
    took = time.monotonic() - began
    assert status.error is None
    assert len(of_kind(job, events.Step)) == 6
    assert all(0 < step.images_per_s < 1e6 for step in of_kind(job, events.Step))
    assert 0 < sum(epoch.seconds for epoch in of_kind(job, events.Epoch)) < took
    told = of_kind(job, events.Estimate)
    assert all(0 <= each.remaining_seconds < 100 * took and 0 < each.epoch_seconds < 100 * took for each in told)


def test_a_painter_ends_when_idle_for_as_long_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = small_project(tmp_path / "james", images=0, painting__idle_seconds=0.1)
    clock, days = time.time, itertools.count(1)
    # Each look a day later: by this clock it is idle for a day at once.
    monkeypatch.setattr(time, "time", lambda: clock() + next(days) * DAY)
    painter = painter_folder(project)
    painter.write_order(Order(JobKind.PAINT, project.root, {}))
    # Once for what it imports, which takes longer than it is to wait.
    run_here(painter)
    project.change({"painting.idle_seconds": 1.5})
    began = time.monotonic()
    run_here(painter)
    assert time.monotonic() - began >= 1.5


def test_the_last_action_is_undone_first_though_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = with_pictures(with_dataset(story_project(tmp_path / "james", faces=9)))
    set_back(monkeypatch)
    with project.store() as store:
        ledger, verdicts, journal = Ledger(store), Ratings(store), CaptionJournal(store, DatasetFolder(project))
        for number in (1, 6):
            ledger.decide([number], Decision.REJECT)
        for number in (4, 3):
            verdicts.reject([number])
        for word in ("red scarf", "blue scarf"):
            journal.write({"0001.png": f"jx265 man, {word}"}, word)
        for undo, redo, done in (
            (ledger.undo, ledger.redo, ("reject 6", "reject 1")),
            (verdicts.undo, verdicts.redo, ("reject 3", "reject 4")),
            (journal.undo, journal.redo, ("blue scarf", "red scarf")),
        ):
            labels = [action.label for action in (undo(), undo(), redo(), redo()) if action is not None]
            assert labels == [*done, *done[::-1]]
