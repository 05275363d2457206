"""Votes, and the order that they put checkpoints and prompts in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PictureError
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery
from engine.pictures.gallery.votes import Ranking, Votes, wilson
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.queue import Queue
from engine.project import Project


def test_wilson_is_as_the_formula_s_known_values() -> None:
    assert wilson(0, 0) == 0
    assert wilson(1, 1) == pytest.approx(0.2065, abs=1e-4)
    assert wilson(9, 10) == pytest.approx(0.5958, abs=1e-4)
    assert wilson(90, 100) == pytest.approx(0.8256, abs=1e-4)


@given(st.integers(1, 300), st.data())
def test_wilson_stays_below_the_share_and_grows_with_votes(votes: int, data: st.DataObject) -> None:
    positive = data.draw(st.integers(0, votes))
    bound = wilson(positive, votes)
    assert 0 <= bound <= positive / votes + 1e-12
    assert wilson(positive * 4, votes * 4) >= bound - 1e-12
    assert wilson(min(votes, positive + 1), votes) >= bound


@pytest.fixture
def painted(project: Project) -> Project:
    """Ten pictures of checkpoint a, ten of b, two without a LoRA; two prompts."""
    orders = []
    for lora, count in (("a", 10), ("b", 10), (None, 2)):
        for seed in range(count):
            order = order_for(project, "a man" if seed % 2 else "a man, sea", seed=seed)
            orders.append(
                replace(order, lora=Path(f"/r/checkpoints/{lora}.safetensors") if lora else None, strength=0.8)
            )
    with project.store() as store:
        queue = Queue(store)
        for picture in queue.add(orders):
            queue.take()
            queue.finish(picture.id, picture.path, 1.0)
    return project


def test_nine_of_ten_outrank_one_of_one(painted: Project) -> None:
    with painted.store() as store:
        votes = Votes(store)
        for number in range(1, 11):
            votes.cast(number, -1 if number == 3 else 1)
        votes.cast(11, 1)
        ranking = votes.ranking(Ranking.CHECKPOINT)
    assert [(each.label, each.votes, each.share) for each in ranking] == [("a at 0.8", 10, 0.9), ("b at 0.8", 1, 1.0)]


def test_prompts_are_ranked_too_and_stars_count_where_nobody_voted(painted: Project) -> None:
    with painted.store() as store:
        votes, queue = Votes(store), Queue(store)
        queue.rate(1, 5)
        queue.rate(2, 1)
        queue.rate(3, 3)
        votes.cast(2, 1)
        ranking = votes.ranking(Ranking.PROMPT)
    assert {each.label: (each.votes, each.share) for each in ranking} == {"a man": (1, 1.0), "a man, sea": (2, 0.75)}


def test_a_vote_is_changed_and_taken_back(painted: Project) -> None:
    with painted.store() as store:
        votes = Votes(store)
        votes.cast(21, 1)
        votes.cast(21, -1)
        votes.cast(22, 1)
        assert votes.of() == {21: -1, 22: 1}
        assert votes.of([22]) == {22: 1}
        votes.cast(21, 0)
        assert votes.of([21, 22]) == {22: 1}
        assert [each.label for each in votes.ranking(Ranking.CHECKPOINT)] == ["no LoRA"]


def test_a_vote_is_undone_and_done_again_in_its_turn_after_a_restart_too(painted: Project) -> None:
    with painted.store() as store:
        Ratings(store).rate([21], 4)
        Votes(store).cast(21, 1)
        Votes(store).cast(21, -1)
    with painted.store() as store:
        verdicts, votes = Ratings(store), Votes(store)
        undone = verdicts.undo()
        assert undone is not None
        assert (undone.label, undone.pictures) == ("a vote against 21", (21,))
        assert votes.of() == {21: 1}
        verdicts.undo()
        assert votes.of() == {}
        assert Gallery(store).picture(21).rating == 4
        verdicts.redo()
        assert votes.of() == {21: 1}


def test_only_pictures_are_voted_on(painted: Project) -> None:
    with painted.store() as store:
        waiting = Queue(store).add([order_for(painted, "a", seed=1)])[0]
        for number, vote, says in ((waiting.id, 1, "not painted"), (999, 1, "not painted"), (1, 2, "not a valid vote")):
            with pytest.raises(PictureError, match=says):
                Votes(store).cast(number, vote)


def test_one_run_s_pictures_alone(painted: Project) -> None:
    with painted.store() as store:
        votes = Votes(store)
        votes.cast(1, 1)
        assert len(votes.ranking(Ranking.CHECKPOINT, Path("/r"))) == 1
        assert votes.ranking(Ranking.CHECKPOINT, Path("/other")) == []
