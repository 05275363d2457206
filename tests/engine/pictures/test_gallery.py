"""The gallery: filtered by a line, judged by a journal, with pictures from elsewhere, exported."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PictureError
from engine.filter_line import FilterError
from engine.pictures.gallery.filter import (
    explain_picture_words,
    filter_pictures,
    picture_completions,
    read_picture_filter,
)
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery, Shown, order_face_fix, order_like
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.queue import Queue
from engine.project import Project
from engine.prompts.store import PromptStore
from engine.storage.database import Store

NOW = time.time()


def shown(number: int, **changes: Any) -> Shown:
    whole = Shown(
        id=number,
        t=NOW - 100_000 + number,
        state="done",
        prompt=f"photo of jx265 man, {('oil painting', 'studio light', 'golden hour')[number % 3]}",
        negative="blurry",
        lora=f"/james/runs/20261121-1403-jx265/checkpoints/jx265-{number % 4 + 6:06}.safetensors",
        strength=0.5 + 0.1 * (number % 3 + 1) + 0.1 * (number % 3),
        seed=number * 7,
        steps=30,
        guidance=6.0,
        sampler="Euler a",
        width=1024,
        height=1024,
        path=f"/james/pictures/20261121-1431{number:02}-{number * 7}.png",
        seconds=4.2,
        reason=None,
        rating=number % 6,
        favourite=int(number % 5 == 0),
        rejected=int(number == 7),
        likeness=None if number == 3 else float(number * 5),
        outside=0,
        gone=0,
    )
    return whole._replace(**changes)


PICTURES = [shown(number) for number in range(12, 0, -1)]


def ids(line: str, pictures: list[Shown] = PICTURES) -> list[int]:
    return [picture.id for picture in read_picture_filter(line)(pictures)]


@pytest.fixture
def store(project: Project) -> Iterator[Store]:
    with project.store() as opened:
        yield opened


def painted(project: Project, store: Store, count: int, **changes: Any) -> list[int]:
    """Queues pictures and says that they are painted; their files are not written."""
    orders = [order_for(project, f"a man, number {number}", seed=number) for number in range(count)]
    pictures = Queue(store).add([replace(order, **changes) for order in orders])
    for each in pictures:
        Queue(store).finish(each.id, each.path.with_name(f"{each.id}.png"), 1.0)
    return [each.id for each in pictures]


class TestTheFilterLine:
    def test_an_empty_line_shows_all_but_what_is_rejected_newest_first(self) -> None:
        assert ids("") == [12, 11, 10, 9, 8, 6, 5, 4, 3, 2, 1]

    @pytest.mark.parametrize(
        ("line", "found"),
        [
            ("rating:>=4", [11, 10, 5, 4]),
            ("rating>=4 rating<5", [10, 4]),
            ("stars:4..5", [11, 10, 5, 4]),
            ("rating:3..", [11, 10, 9, 5, 4, 3]),
            ("lora:jx265-000008", [10, 6, 2]),
            ("checkpoint=jx265-000008", [10, 6, 2]),
            ("lora=jx265", []),
            ("lora:JX265 rating:5", [11, 5]),
            ("run:1403 id<3", [2, 1]),
            ("is:rejected", [7]),
            ("is:anything id:6..8", [8, 7, 6]),
            ("-is:rejected id:6..8", [8, 6]),
            ("is:favourite", [10, 5]),
            ("-is:favourite id>9", [12, 11]),
            ("oil", [12, 9, 6, 3]),
            ("OIL -rating:3", [12, 6]),
            ('"oil painting" id<7', [6, 3]),
            ('prompt:"golden hour" id<9', [8, 5, 2]),
            ("20261121-143104", [4]),
            ("seed:28", [4]),
            ("strength:0.6 id<7", [6, 3]),
            ("strength:0.8 id<7", [4, 1]),
            ("likeness>=50", [12, 11, 10]),
            ("likeness<20", [2, 1]),
            ("cfg:6 width:1024 id:1", [1]),
            ("sampler:euler id:1", [1]),
            ("negative:blurry id:1", [1]),
            ("rating:>=4 lora:jx265-000008 -is:rejected sort:likeness oil", []),
            ("sort:oldest id<4", [1, 2, 3]),
            ("-sort:newest id<4", [1, 2, 3]),
            ("sort:rating id<7", [5, 4, 3, 2, 1, 6]),
            ("sort:likeness id<5", [4, 2, 1, 3]),
            ("-sort:likeness id<5", [1, 2, 4, 3]),
            ("sort:seed id<4", [1, 2, 3]),
            ("sort:lora id<7", [4, 1, 5, 6, 2, 3]),
        ],
    )
    def test_words_select(self, line: str, found: list[int]) -> None:
        assert ids(line) == found

    def test_days(self) -> None:
        today = shown(20, t=NOW)
        assert ids("date:today", [today, *PICTURES]) == [20]
        day = time.strftime("%Y-%m-%d", time.localtime(NOW))
        assert ids(f"date:>={day}", [today, *PICTURES]) == [20]
        assert 20 not in ids(f"date<{day}", [today, *PICTURES])
        assert 20 in ids(f"date:{day[:7]}", [today])

    def test_what_is_gone_or_cancelled_comes_only_when_it_is_named(self) -> None:
        pictures = [shown(1, gone=1), shown(2, state="cancelled"), shown(3, state="failed"), shown(4, lora=None)]
        assert ids("", pictures) == [4, 3]
        assert ids("is:gone", pictures) == [1]
        assert ids("is:cancelled", pictures) == [2]
        assert ids("-is:failed", pictures) == [4]
        assert ids("lora:base", pictures) == [4]

    @pytest.mark.parametrize(
        ("line", "wrong", "fix"),
        [
            ("oil ratng:>=4 sort:seed", "ratng:>=4", "did you mean rating:?"),
            ("rating:>=four", "rating:>=four", "write a number: rating:>=4"),
            ("oil -is:rejectd", "-is:rejectd", "did you mean rejected?"),
            ("sort:beauty oil", "sort:beauty", "it may be newest, oldest"),
            ("date:soon", "date:soon", "date:today"),
            ("lora: oil", "lora:", "lora:oil"),
            ("lora>3", "lora>3", "did you mean lora:?"),
            ("rating:", "rating:", "write a number"),
            ("rating:..", "rating:..", "write a number"),
        ],
    )
    def test_an_error_points_at_the_word(self, line: str, wrong: str, fix: str) -> None:
        with pytest.raises(FilterError) as caught:
            read_picture_filter(line)
        assert line[caught.value.start : caught.value.end] == wrong
        assert fix in caught.value.fix

    @pytest.mark.parametrize(
        ("line", "first"),
        [
            ("rat", "rating:>="),
            ("oil -is:rej", "-is:rejected"),
            ("sort:l", "sort:likeness"),
            ("lora:jx265-000008", None),
            ("lora:jx", "lora:jx265-000006"),
            ("oil ", None),
            ("date:t", "date:today"),
            ("is:rejected", None),
        ],
    )
    def test_a_word_is_completed_as_it_is_typed(self, line: str, first: str | None) -> None:
        found = picture_completions(line, ["jx265-000006", "jx265-000008"])
        assert (found[0] if found else None) == first

    def test_a_word_that_is_only_begun_does_not_count_yet(self) -> None:
        found, hints = filter_pictures("oil ratin", PICTURES)
        assert [picture.id for picture in found] == ids("oil")
        assert hints == ["rating:>="]

    @given(st.text(max_size=60))
    def test_a_line_gives_pictures_or_an_error_that_points_into_it(self, line: str) -> None:
        wrong: FilterError | None = None
        try:
            assert set(read_picture_filter(line)(PICTURES)) <= set(PICTURES)
        except FilterError as error:
            wrong = error
        assert wrong is None or 0 <= wrong.start < wrong.end <= len(line)

    def test_every_word_that_is_explained_is_understood(self) -> None:
        for word, about in explain_picture_words():
            assert about
            read_picture_filter(word.replace(">=…", "1").replace("…", "2026" if word.startswith("date") else "a"))

    def test_ten_thousand_are_filtered_between_two_keys(self) -> None:
        many = [shown(number) for number in range(10_000)]
        began = time.process_time()
        found = read_picture_filter("rating:>=3 lora:jx265-000007 -is:rejected sort:likeness oil")(many)
        assert found
        assert time.process_time() - began < 0.5, "some 20 ms where nothing else works"


class TestVerdicts:
    def test_stars_and_rejects_are_undone_one_by_one_after_a_restart(self, project: Project) -> None:
        with project.store() as store:
            one, two, three = painted(project, store, 3)
            verdicts = Ratings(store)
            assert verdicts.rate([one, two], 4).label == "4 stars for 2 pictures"
            verdicts.favourite([two])
            assert verdicts.reject([three]).label == f"reject {three}"
        with project.store() as store:
            verdicts, gallery = Ratings(store), Gallery(store)

            def now() -> list[tuple[int, int, int]]:
                return [(each.rating, each.favourite, each.rejected) for each in gallery.pictures()[::-1]]

            assert now() == [(4, 0, 0), (4, 1, 0), (0, 0, 1)]
            assert [verdicts.undo().pictures, verdicts.undo().pictures] == [(three,), (two,)]  # type: ignore[union-attr]
            assert now() == [(4, 0, 0), (4, 0, 0), (0, 0, 0)]
            assert verdicts.redo().label == f"favourite {two}"  # type: ignore[union-attr]
            verdicts.rate_by([one, two], 1)
            assert verdicts.redo() is None, "what was undone is dropped by something new"
            verdicts.rate_by([one, two], 1)
            assert now()[:2] == [(5, 0, 0), (5, 1, 0)], "there is no sixth star"
            while verdicts.undo():
                pass
            assert now() == [(0, 0, 0)] * 3
            while verdicts.redo():
                pass
            assert now()[:2] == [(5, 0, 0), (5, 1, 0)]

    def test_saying_what_is_said_already_leaves_nothing_to_undo(self, project: Project, store: Store) -> None:
        one = painted(project, store, 1)
        assert Ratings(store).favourite(one, yes=False).pictures == ()
        assert Ratings(store).undo() is None

    @pytest.mark.parametrize("stars", [-1, 6])
    def test_no_other_number_of_stars_is_taken(self, project: Project, store: Store, stars: int) -> None:
        with pytest.raises(PictureError, match="not a valid rating"):
            Ratings(store).rate(painted(project, store, 1), stars)

    def test_one_that_can_not_be_judged_leaves_the_others_as_they_were(self, project: Project, store: Store) -> None:
        one, two = painted(project, store, 2)
        waiting = Queue(store).add([order_for(project, "a man", seed=9)])[0].id
        failed = Queue(store).add([order_for(project, "a man", seed=10)])[0].id
        Queue(store).fail(failed, "no memory")
        for numbers, says in (([one, 99], "no picture 99"), ([one, waiting], "not painted yet"), ([failed], "was not")):
            with pytest.raises(PictureError, match=says):
                Ratings(store).rate(numbers, 3)
        with pytest.raises(PictureError, match="not painted yet"):
            Ratings(store).reject([two, waiting])
        assert Ratings(store).reject([failed]).pictures == (failed,), "so that it is out of sight"
        assert [each.rating for each in Gallery(store).pictures()] == [0, 0, 0]

    def test_a_prompt_s_stars_follow_those_of_its_pictures(self, project: Project, store: Store) -> None:
        prompt = PromptStore(store).add("photo of jx265 man")
        one, _ = painted(project, store, 2, prompt_id=prompt.id)
        Ratings(store).rate([one], 4)
        assert (PromptStore(store).prompt(prompt.id).stars, PromptStore(store).prompt(prompt.id).pictures) == (4.0, 1)
        Ratings(store).undo()
        assert PromptStore(store).prompt(prompt.id).pictures == 0, "one that nobody rates does not count"


class TestTheGallery:
    def test_waiting_ones_are_the_queue_s_all_others_the_gallery_s(self, project: Project, store: Store) -> None:
        done, failed, cancelled, waiting = (
            each.id for each in Queue(store).add([order_for(project, "a", seed=seed) for seed in range(4)])
        )
        Queue(store).finish(done, project.pictures / "a.png", 1.0)
        Queue(store).fail(failed, "no memory")
        Queue(store).cancel(cancelled)
        assert [each.id for each in Gallery(store).pictures()] == [cancelled, failed, done]
        assert Gallery(store).picture(waiting).state == PictureState.QUEUED
        assert [each.id for each in Gallery(store).some([done, 99])] == [done]
        with pytest.raises(PictureError, match="no picture 99: list them"):
            Gallery(store).picture(99)

    def test_another_like_it_differs_in_seed_and_place_alone(self, project: Project, store: Store) -> None:
        number = painted(project, store, 1, steps=17, negative="blurry", width=96, height=64)[0]
        old, new = Queue(store).picture(number), order_like(project, store, number, 4711)
        assert new == old.order(seed=4711, path=new.path)
        assert new.path != old.path

    def test_a_face_fix_is_its_own_picture_and_more_of_it_are_painted_whole(
        self, project: Project, store: Store
    ) -> None:
        number = painted(project, store, 1)[0]
        file = Gallery(store).picture(number).file
        with pytest.raises(PictureError, match="no file of picture"):
            order_face_fix(project, store, number)
        file.parent.mkdir()
        file.write_bytes(b"")
        order = order_face_fix(project, store, number)
        assert order.face_fix is not None
        assert (order.source, order.face_fix.only, order.seed) == (file, True, 0)
        assert order.path not in (file, Queue(store).picture(number).path)
        fixed = Queue(store).add([order])[0].id
        again = order_like(project, store, fixed, 4711)
        assert again.face_fix is not None
        assert (again.source, again.face_fix.only, again.seed) == (None, False, 4711)

    def test_a_row_tells_the_checkpoint_and_its_run(self) -> None:
        assert (PICTURES[0].lora_name, PICTURES[0].run_name) == ("jx265-000006", "20261121-1403-jx265")
        assert Path(PICTURES[0].path).name == PICTURES[0].name
