"""The painter's queue: what is painted next, by whom, and what a kill leaves."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import DiskFull, PictureError
from engine.pictures.orders import commit as landing
from engine.pictures.orders.commit import Beside, commit_picture, commit_what_was_staged
from engine.pictures.orders.orders import order_for, ready_to_queue
from engine.pictures.orders.picture import Hires, LoraWeight, Picture, PictureOrder, Upscaler, order_from_record
from engine.pictures.orders.png_parameters import Parameters
from engine.pictures.orders.queue import MOST_TRIES, Move, PictureState, Queue
from engine.project import Project
from engine.settings.samplers import NoiseSchedule, Sampler

GREY = Image.new("RGB", (8, 8), "grey")


def orders(project: Project, *seeds: int, **changes: object) -> list[PictureOrder]:
    return [replace(order_for(project, "a man", seed=seed), **changes) for seed in seeds]  # type: ignore[arg-type]


def seeds_in_order(queue: Queue) -> list[int]:
    return [picture.seed for picture in queue.waiting_pictures()]


def test_an_order_comes_back_from_the_queue_as_it_was(project: Project) -> None:
    order = PictureOrder(
        prompt="a man, 'ü'",
        path=project.pictures / "a.png",
        seed=2**32 - 1,
        steps=7,
        guidance=2.5,
        sampler=Sampler.DPMPP_2M_SDE,
        schedule=NoiseSchedule.KARRAS,
        negative="blurry",
        lora=Path("/a.safetensors"),
        strength=-0.5,
        others=(LoraWeight(Path("/b.safetensors"), 0.3, 0.0),),
        width=832,
        height=1216,
        base="demo",
        source=Path("/s.png"),
        denoise=0.4,
        hires=Hires(2.0, 0.6, 9, Upscaler.LATENT),
        priority=3,
    )
    with project.store() as store:
        picture = Queue(store).add([order])[0]
    assert picture.order() == order
    assert order_from_record(order.to_record()) == order
    assert [str(each.file) for each in picture.loras()] == ["/a.safetensors", "/b.safetensors"]


def test_an_older_queue_s_samplers_are_read_with_their_schedule(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        number = queue.add(orders(project, 1))[0].id
        store.connection.execute("UPDATE pictures SET details = NULL, sampler = 'DPM++ 2M Karras'")
        assert queue.picture(number).sampler is Sampler.DPMPP_2M
        assert queue.picture(number).schedule is NoiseSchedule.KARRAS


def test_urgent_pictures_come_first_and_any_can_be_moved(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        first, _, third, _ = queue.add(orders(project, 1, 2, 3, 4))
        urgent = queue.add(orders(project, 9, priority=5))[0]
        assert seeds_in_order(queue) == [9, 1, 2, 3, 4]
        assert queue.move(third.id, Move.UP)
        assert seeds_in_order(queue) == [9, 1, 3, 2, 4]
        assert queue.move(third.id, Move.TOP)
        assert seeds_in_order(queue) == [3, 9, 1, 2, 4]
        assert not queue.move(third.id, Move.UP)
        assert queue.move(third.id, Move.DOWN)
        assert queue.move(first.id, Move.BOTTOM)
        assert seeds_in_order(queue) == [9, 3, 2, 4, 1]
        assert queue.take().id == urgent.id  # type: ignore[union-attr]
        assert not queue.move(urgent.id, Move.DOWN)
        assert seeds_in_order(queue) == [9, 3, 2, 4, 1]
        queue.put_back()
        queue.add(orders(project, 5))
        assert seeds_in_order(queue) == [9, 3, 2, 4, 1, 5]


def test_two_painters_never_hold_one_picture(project: Project) -> None:
    with project.store() as store:
        Queue(store).add(orders(project, *range(40)))
    taken: dict[str, list[int]] = {"a": [], "b": [], "c": []}

    def paint(claim: str) -> None:
        with project.store() as own:
            while picture := Queue(own).take(claim):
                taken[claim].append(picture.id)

    painters = [threading.Thread(target=paint, args=(claim,)) for claim in taken]
    for painter in painters:
        painter.start()
    for painter in painters:
        painter.join()
    assert sorted(number for numbers in taken.values() for number in numbers) == list(range(1, 41))


def test_only_the_painter_that_holds_a_picture_ends_it(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        number = queue.add(orders(project, 1))[0].id
        queue.take("old")
        queue.put_back_after_death()
        queue.take("new")
        assert not queue.finish(number, project.pictures / "x.png", 1.0, "old")
        queue.fail(number, "no", "old")
        assert queue.state(number) is PictureState.PAINTING
        assert queue.finish(number, project.pictures / "x.png", 1.0, "new")


def test_pictures_that_fit_are_taken_together_in_the_queue_s_order(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        queue.add([*orders(project, 1, 2, 3, 4, 5), *orders(project, 6, steps=9), *orders(project, 7)])

        def together() -> list[int]:
            found = queue.take_together("p", lambda _first: 4, lambda one, other: one.steps == other.steps)
            return [picture.seed for picture in found]

        assert [together() for _ in range(5)] == [[1, 2, 3, 4], [5], [6], [7], []]


def test_a_failed_or_cancelled_picture_is_tried_again(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        one, two, three = queue.add(orders(project, 1, 2, 3))
        queue.take()
        queue.fail(one.id, "no memory")
        assert queue.cancel(two.id)
        assert not queue.cancel(two.id)
        assert queue.retry(one.id)
        assert queue.retry(two.id)
        assert not queue.retry(three.id)
        assert seeds_in_order(queue) == [3, 1, 2]
        assert queue.picture(one.id).reason is None


def test_what_kills_painter_after_painter_is_given_up(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        number = queue.add(orders(project, 1))[0].id
        for _ in range(MOST_TRIES - 1):
            assert queue.take()
            assert queue.put_back_after_death() == []
        for _ in range(5):
            queue.take()
            queue.put_back([number])
        assert queue.take()
        assert [picture.id for picture in queue.put_back_after_death()] == [number]
        assert "painters died" in (queue.picture(number).reason or "")
        assert queue.retry(number)


class Killed(BaseException):
    """Stands for the kill: nothing after it runs, not even ``finally``, since the hidden file is put back."""


@pytest.mark.parametrize("after", ["written", "staged", "linked", "done"])
def test_a_picture_whose_painter_was_killed_is_kept_once(
    project: Project, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise Killed

    before = Beside("before-face-fix", GREY.point(lambda level: 255 - level))
    with project.store() as store:
        queue = Queue(store)
        queue.add(orders(project, 1))
        picture = queue.take("dead")
        assert picture is not None
        picture.path.parent.mkdir()
        picture.path.write_text("somebody's")
        with monkeypatch.context() as patch:
            # A killed process cleans nothing up.
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            if after in ("written", "linked"):
                patch.setattr(queue, {"written": "stage", "linked": "finish"}[after], kill)
            if after == "staged":
                patch.setattr(landing, "give_name", kill)
            if after == "done":
                commit_picture(queue, picture, GREY, Parameters("a man"), "dead", 1.0, before)
            else:
                with pytest.raises(Killed):
                    commit_picture(queue, picture, GREY, Parameters("a man"), "dead", 1.0, before)
        commit_what_was_staged(queue)
        queue.put_back_after_death()
        found = queue.picture(picture.id)
        if after == "written":
            assert found.state is PictureState.QUEUED
            again = queue.take("next")
            assert again is not None
            assert commit_picture(queue, again, GREY, Parameters("a man"), "next", 1.0, before)
            found = queue.picture(picture.id)
        assert found.state is PictureState.DONE
        assert found.path.name.endswith("-2.png")
        assert picture.path.read_text() == "somebody's"
        assert len(list(project.pictures.glob("[!.]*"))) == 3
        beside = found.path.with_name(f"{found.path.stem}-before-face-fix.png")
        with Image.open(beside) as image:
            assert np.array_equal(np.asarray(image), np.asarray(before.image)), "named after the picture it belongs to"
        with Image.open(found.path) as image:
            assert np.array_equal(np.asarray(image), np.asarray(GREY))


@pytest.mark.parametrize("at", ["give_name", "finish"])
def test_a_picture_painted_when_the_disk_got_full_is_not_painted_twice(
    project: Project, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def full(*_: object, **__: object) -> None:
        if at == "finish":
            raise DiskFull("there is no room to write limner.db")
        raise OSError(errno.ENOSPC, "No space left on device")

    with project.store() as store:
        queue = Queue(store)
        queue.add(orders(project, 1, 2))
        picture, waiting = queue.take_together("p", lambda _: 2, lambda *_: True)
        with monkeypatch.context() as patch:
            patch.setattr(landing if at == "give_name" else queue, at, full)
            with pytest.raises(DiskFull):
                commit_picture(queue, picture, GREY, Parameters("a man"), "p", 1.0, Beside("before-face-fix", GREY))
        # What the painter does on its way out.
        assert queue.put_back([picture.id, waiting.id]) == 1
        assert [each.id for each in commit_what_was_staged(queue)] == [picture.id]
        assert queue.state(picture.id) is PictureState.DONE
        assert queue.state(waiting.id) is PictureState.QUEUED
        assert sorted(each.name for each in project.pictures.iterdir()) == [
            f"{picture.path.stem}-before-face-fix.png",
            picture.path.name,
        ]


def test_a_picture_cancelled_while_it_was_painted_leaves_nothing(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        queue.add(orders(project, 1))
        picture = queue.take("p")
        assert picture is not None
        queue.cancel(picture.id)
        assert (
            commit_picture(queue, picture, GREY, Parameters("a man"), "p", 1.0, Beside("before-face-fix", GREY)) is None
        )
        assert queue.state(picture.id) is PictureState.CANCELLED
        assert list(project.pictures.iterdir()) == []


def test_what_was_painted_before_is_not_painted_again(project: Project) -> None:
    with project.store() as store:
        queue = Queue(store)
        before = queue.add(orders(project, 1, 2, 3))
        project.pictures.mkdir()
        for picture in before[:2]:
            queue.take("p")
            queue.finish(picture.id, picture.path, 1.0)
        before[0].path.touch()
        wanted = queue.add_missing([*orders(project, 1, 2, 3, 4, 4)])
        # The first is there, the second was deleted, the third waits, the fourth is new and asked for twice.
        assert [each.id for each in wanted] == [1, 4, 3, 5, 5]


def _changed(order: PictureOrder, **changes: object) -> bool:
    return replace(order, **changes).key() != order.key()  # type: ignore[arg-type]


def test_the_key_changes_with_what_makes_a_picture_and_nothing_else(project: Project, tmp_path: Path) -> None:
    lora, copy, other = (tmp_path / f"{name}.safetensors" for name in "abc")
    lora.write_bytes(b"1")
    copy.write_bytes(b"1")
    other.write_bytes(b"2")
    order = replace(order_for(project, "a man", seed=1), lora=lora, strength=0.8, base="demo", guidance=3.0)
    for changes in (
        {"prompt": "a woman"}, {"seed": 2}, {"steps": 3}, {"guidance": 4.0}, {"sampler": Sampler.EULER},
        {"schedule": NoiseSchedule.EXPONENTIAL}, {"negative": "blurry"}, {"lora": other}, {"strength": 0.7},
        {"others": (LoraWeight(other, 0.1, 0.1),)}, {"width": 64}, {"height": 64}, {"base": "else"},
        {"source": other}, {"hires": Hires()},
    ):  # fmt: skip
        assert _changed(order, **changes), changes
    for changes in (
        {"path": tmp_path / "x.png"}, {"priority": 9}, {"prompt_id": 4}, {"lora": copy}, {"denoise": 0.1},
        {"schedule": NoiseSchedule.KARRAS}, {"others": (LoraWeight(other, 0.0, 0.0),)},
    ):  # fmt: skip
        assert not _changed(order, **changes), changes
    assert not _changed(replace(order, guidance=1.0), negative="unseen")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"denoise": 0.0}, "denoise 0 is invalid"),
        ({"source": Path("/nowhere.png")}, "there is no picture at /nowhere.png"),
        ({"hires": Hires(scale=1.0)}, "second pass at 1 is invalid"),
        ({"hires": Hires(denoise=1.5)}, "second pass's denoise 1.5"),
        ({"sampler": Sampler.DDIM, "schedule": NoiseSchedule.KARRAS}, "DDIM has no Karras schedule"),
    ],
)
def test_an_order_that_nobody_could_paint_is_refused_before_it_is_queued(
    project: Project, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(PictureError, match=says):
        ready_to_queue(project, orders(project, 1, **changes)[0])


def test_a_queued_order_names_its_base_model_and_whole_paths(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    project.change({"base.model": "demo"})
    found = ready_to_queue(project, orders(project, 1, path=Path("a.png"), lora=Path("x.safetensors"))[0])
    assert (found.base, found.path, found.lora) == (
        "demo",
        project.root.resolve() / "a.png",
        project.root.resolve() / "x.safetensors",
    )


def test_another_like_it_is_ordered_from_a_picture(project: Project) -> None:
    picture = Picture(**vars(orders(project, 1)[0]), id=7, rating=5)
    assert picture.order(seed=2) == replace(orders(project, 1)[0], seed=2, path=picture.path)


def test_a_folder_called_demo_is_not_taken_for_the_base_model(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.change({"base.model": "demo"})
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert ready_to_queue(project, order_for(project, "a man", seed=1)).base == "demo"
