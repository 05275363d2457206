"""Painting by the painter's own process: the same order gives the same picture, whatever happens in between."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.errors import BaseModelError
from engine.jobs.folder import Request
from engine.jobs.follow import state
from engine.lora.header import lora_hash
from engine.pictures.orders.orders import free_path, new_picture_path, newest_lora, order_for
from engine.pictures.orders.queue import Picture, PictureOrder, PictureState, Queue
from engine.pictures.orders.start import order_pictures, painter_folder, wait_for
from engine.project import Project
from engine.settings import Sampler
from tests.support.patience import wait_until
from tests.support.png import read_parameters
from tests.support.small_project import random_lora, small_project

SOME = (Sampler.EULER, Sampler.EULER_A, Sampler.DDIM)


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def state_of(project: Project, number: int) -> PictureState:
    with project.store() as store:
        return Queue(store).picture(number).state


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("painting") / "james", images=0)


@pytest.fixture(scope="module")
def lora(project: Project) -> Path:
    return random_lora(project.root / "made" / "jx265.safetensors")


def paint(project: Project, orders: dict[str, PictureOrder]) -> dict[str, Picture]:
    queued = order_pictures(project, list(orders.values()))
    return dict(zip(orders, wait_for(project, [picture.id for picture in queued]), strict=True))


@pytest.fixture(scope="module")
def painted(project: Project, lora: Path) -> dict[str, Picture]:
    """One painter's work: with and without the LoRA, twice, with every sampler, and what can't be painted."""
    taken = project.pictures / "taken.png"
    taken.parent.mkdir(exist_ok=True)
    taken.write_text("somebody's")
    bare = order_for(project, "photo of {trigger} {class}", seed=7)
    loaded = order_for(project, "photo of {trigger} {class}", seed=7, lora=lora, strength=1.0)
    orders = {
        "bare": bare,
        "lora": loaded,
        "no such lora": replace(loaded, lora=lora.with_name("none.safetensors")),
        "no lora of that name": replace(bare, prompt="a man <lora:nobody:1>"),
        "no weight": replace(bare, prompt="a man <lora:jx265:much>"),
        "no lora at all": replace(loaded, lora=project.settings_path),
        "odd size": replace(loaded, width=66),
        "wide": replace(loaded, width=96, height=64, negative="blurry"),
        "half": replace(loaded, strength=0.5),
        "strength 0": replace(loaded, strength=0.0),
        "other seed": replace(loaded, seed=8),
        "taken": replace(bare, path=taken),
        "no folder": replace(bare, path=project.settings_path / "a.png"),
        **{sampler.value: replace(loaded, sampler=sampler) for sampler in SOME},
        "lora again": loaded,
        "bare again": bare,
    }
    return paint(project, orders)


def test_the_same_order_gives_the_same_picture_whatever_came_between(painted: dict[str, Picture]) -> None:
    for name in ("bare", "lora"):
        first, again = painted[name], painted[f"{name} again"]
        assert first.path != again.path
        assert np.array_equal(pixels(first.path), pixels(again.path)), name


def test_lora_strength_seed_and_sampler_each_make_another_picture(painted: dict[str, Picture]) -> None:
    names = (
        "bare",
        "lora",
        "half",
        "other seed",
        *(each.value for each in SOME),
    )
    assert len({pixels(painted[name].path).tobytes() for name in names}) == len(names)


def test_a_lora_at_strength_0_is_no_lora(painted: dict[str, Picture]) -> None:
    assert np.array_equal(pixels(painted["strength 0"].path), pixels(painted["bare"].path))


def test_pictures_have_the_base_models_size_or_the_one_asked_for(painted: dict[str, Picture]) -> None:
    assert pixels(painted["bare"].path).shape == (64, 64, 3)
    assert pixels(painted["wide"].path).shape == (64, 96, 3)


def test_a_picture_says_all_that_made_it(painted: dict[str, Picture], lora: Path) -> None:
    about = read_parameters(painted["wide"].path)
    assert about is not None
    assert about.to_text().startswith(
        "photo of jx265 man <lora:jx265:1>\nNegative prompt: blurry\n"
        "Steps: 3, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3, Seed: 7, Size: 96x64, Model: "
    )
    assert about.lora_hashes == {"jx265": lora_hash(lora)}
    assert read_parameters(painted["Euler a"].path).sampler == "Euler a"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no such lora", "there is no LoRA"),
        ("no lora of that name", "no LoRA of this project is called nobody: no run has a checkpoint yet"),
        ("no weight", "'much' is not a valid LoRA weight"),
        ("no lora at all", "not a safetensors file"),
        ("odd size", "66x64 is invalid"),
        ("no folder", "can't be written"),
    ],
)
def test_a_picture_that_can_t_be_painted_says_why_and_others_continue(
    painted: dict[str, Picture], name: str, reason: str
) -> None:
    assert painted[name].state is PictureState.FAILED
    assert reason in (painted[name].reason or "")
    assert painted["bare again"].state is PictureState.DONE


def test_nothing_is_overwritten_and_nothing_half_written_is_left(project: Project, painted: dict[str, Picture]) -> None:
    assert (project.pictures / "taken.png").read_text() == "somebody's"
    assert painted["taken"].path.name == "taken-2.png"
    assert not [path for path in project.pictures.iterdir() if path.suffix != ".png"]


def test_a_killed_painter_is_followed_by_another_that_paints_what_was_left(project: Project, lora: Path) -> None:
    order = order_for(project, "photo of jx265 man", seed=1, lora=lora)
    queued = order_pictures(project, [order, replace(order, steps=400), replace(order, seed=2)])
    wait_until(lambda: state_of(project, queued[1].id) is PictureState.PAINTING)
    pid = state(painter_folder(project)).pid
    assert pid is not None
    with project.store() as store:
        # What is left shall be quick.
        store.connection.execute("UPDATE pictures SET steps = 2 WHERE id = ?", (queued[1].id,))
    os.kill(pid, signal.SIGKILL)
    done = wait_for(project, [picture.id for picture in queued])
    assert [picture.state for picture in done] == [PictureState.DONE] * 3
    assert all(pixels(picture.path).shape == (64, 64, 3) for picture in done)


def test_a_painter_told_to_stop_stops_within_a_picture_and_keeps_the_queue(project: Project, lora: Path) -> None:
    order = replace(order_for(project, "photo of jx265 man", seed=1, lora=lora), steps=500)
    number = order_pictures(project, [order])[0].id
    wait_until(lambda: state_of(project, number) is PictureState.PAINTING)
    painter_folder(project).ask(Request.STOP)
    wait_until(lambda: not painter_folder(project).alive())
    assert state_of(project, number) is PictureState.QUEUED
    with project.store() as store:
        Queue(store).cancel(number)
    assert state_of(project, number) is PictureState.CANCELLED


def test_a_base_that_can_t_be_loaded_fails_the_pictures_with_the_reason(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "model_index.json").write_text("{}")
    project = small_project(tmp_path / "james", images=0, base__model=str(base))
    picture = paint(project, {"a": order_for(project, "a man", seed=1)})["a"]
    assert picture.state is PictureState.FAILED
    assert str(base) in (picture.reason or "")


def test_a_base_model_that_is_not_there_is_told_before_anything_is_queued(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=0, base__model="/nowhere/base.safetensors")
    with pytest.raises(BaseModelError):
        order_pictures(project, [order_for(project, "a man", seed=1)])
    with project.store() as store:
        assert Queue(store).pictures() == []


def test_an_order_is_what_the_settings_say_with_choices_made_by_the_seed(project: Project, tmp_path: Path) -> None:
    order = order_for(project, "{a|b|c} {trigger}", seed=5)
    assert order == replace(order_for(project, "{a|b|c} {trigger}", seed=5), path=order.path)
    assert order.prompt in {"a jx265", "b jx265", "c jx265"}
    assert (order.steps, order.guidance, order.lora, order.strength) == (3, 3.0, None, None)
    assert len({order_for(project, "{a|b|c} x", seed=seed).prompt for seed in range(20)}) == 3
    assert order_for(project, "a").seed != order_for(project, "a").seed


def test_new_pictures_are_named_by_time_and_seed_and_never_alike(project: Project, tmp_path: Path) -> None:
    path = new_picture_path(project, 7, "nice / one")
    assert path.parent == project.pictures
    assert path.name.endswith("-7-nice_one.png")
    (tmp_path / "a.png").touch()
    (tmp_path / "a-2.png").touch()
    assert free_path(tmp_path / "a.png") == tmp_path / "a-3.png"


def test_a_project_without_runs_has_no_lora(project: Project) -> None:
    assert newest_lora(project) is None
