"""``limner queue``, and what ``limner paint`` puts into it, as a user types them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.pictures.orders.picture import Hires, Upscaler
from engine.pictures.orders.queue import PictureState, Queue
from engine.project import Project
from engine.settings.samplers import NoiseSchedule, Sampler
from tests.commands.conftest import Run
from tests.support.story import idle_painter


@pytest.fixture(autouse=True)
def nobody_paints(project: Project) -> Iterator[None]:
    project.change({"base.model": "demo"})
    with idle_painter(project):
        yield


def queued(run: Run, *words: str) -> int:
    done = run("paint", "a man", "--lora", "none", "--no-wait", *words)
    assert done.code == 0, done.err
    return int(done.out.split()[0])


def listed(run: Run) -> list[int]:
    return [each["id"] for each in run("queue", "--json").record["pictures"]]


def test_the_queue_is_listed_moved_cancelled_and_tried_again(run: Run, project: Project) -> None:
    first, second, third = (queued(run, "--seed", str(seed)) for seed in (1, 2, 3))
    urgent = queued(run, "--seed", "4", "--priority", "5")
    assert listed(run) == [urgent, first, second, third]
    assert run("queue", "move", third, "top").code == 0
    assert run("queue", "move", first, "down").code == 0
    assert listed(run) == [third, urgent, second, first]
    assert run("queue", "cancel", second, urgent).code == 0
    assert listed(run) == [third, first]
    assert run("queue", "retry", urgent).code == 0
    assert listed(run) == [third, urgent, first]
    shown = run("queue", "--all").out
    assert "cancelled" in shown
    assert "a man" in shown
    assert run("queue", "cancel", "--all").err.strip() == "Cancelled 3."
    assert run("queue").out == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("queue", "cancel", "99"), "there is no picture 99: list them with: limner queue --all"),
        (("queue", "move", "99", "up"), "there is no picture 99"),
        (("queue", "retry", "99"), "there is no picture 99"),
        (("queue", "retry", "1"), "picture 1 is queued: only failed or cancelled pictures"),
        (("paint", "a", "--sampler", "DDIM", "--schedule", "Karras"), "DDIM has no Karras schedule"),
        (("paint", "a", "--from", "nowhere.png"), "there is no picture at nowhere.png"),
        (("paint", "a", "--hires", "9"), "a second pass at 9 is invalid"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(run: Run, words: tuple[str, ...], says: str) -> None:
    queued(run)
    assert says in run(*words).failure


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("queue", "cancel"), "give the numbers of pictures, or --all"),
        (("queue", "move", "1", "sideways"), "sideways"),
        (("paint", "a", "--sampler", "DPM++ 2N"), "the nearest is DPM++ 2M"),
        (("paint", "a", "--schedule", "karas"), "the nearest is Karras"),
        (("paint", "a", "--hires", "big"), "write it as 1.5, 1.5:0.35 or 2:0.6:latent"),
        (("paint", "a", "--denoise", "0"), "--denoise"),
    ],
)
def test_what_is_typed_wrongly_is_told_with_what_is_right(run: Run, words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_cancelled_picture_is_not_cancelled_twice(run: Run) -> None:
    number = queued(run)
    run("queue", "cancel", number)
    assert (
        f"picture {number} is cancelled: only queued pictures can be cancelled"
        in run("queue", "cancel", number).failure
    )


def test_all_that_paint_is_told_lies_in_the_order(run: Run, project: Project, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    words = ("--sampler", "dpm++ 2m sde karras", "--from", tmp_path / "a.png", "--denoise", "0.4")
    done = run("paint", "a man", "--no-wait", "--count", "3", "--seed", 7, "--hires", "2:0.6:latent", *words)
    numbers = [int(each) for each in done.out.split()]
    with project.store() as store:
        pictures = [Queue(store).picture(number) for number in numbers]
    assert [picture.seed for picture in pictures] == [7, 8, 9]
    assert len({picture.path for picture in pictures}) == 3
    for picture in pictures:
        assert picture.state is PictureState.QUEUED
        assert (picture.sampler, picture.schedule) == (Sampler.DPMPP_2M_SDE, NoiseSchedule.KARRAS)
        assert (picture.source, picture.denoise) == (tmp_path / "a.png", 0.4)
        assert picture.hires == Hires(2.0, 0.6, None, Upscaler.LATENT)
        assert picture.base == "demo"
