"""What the painter does when LoRAs change, memory runs out, pictures are cancelled, or training wants the card."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine import events
from engine.errors import LoraFileError, PictureError
from engine.jobs.folder import JobKind, Order, Request
from engine.jobs.gpu_in_use import Card
from engine.jobs.worker import Context
from engine.lora.header import read_metadata
from engine.models.locate import find_base
from engine.pictures.orders.orders import order_for, ready_to_queue
from engine.pictures.orders.picture import LoraWeight, PictureState
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import painter_folder, preview_path
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import Callbacks, GenerationParams, PromptSeed
from engine.pictures.painting.vae import Vae
from engine.pictures.painting.worker import Painter
from engine.project import Project
from engine.settings import BaseSettings
from engine.settings.samplers import Sampler
from tests.support.patience import PATIENCE, wait_until
from tests.support.small_project import random_lora, small_project

PROMPT = "photo of a man, ginger hair"


def far(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


@pytest.fixture(scope="module")
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def painting(told: list[tuple[str, str]]) -> Painting:
    return Painting(find_base(BaseSettings(model="demo")), tell=lambda *change: told.append(change))


@pytest.fixture
def fresh() -> tuple[Painting, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    return Painting(find_base(BaseSettings(model="demo")), tell=lambda *change: told.append(change)), told


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A LoRA, and one that does the very opposite."""
    folder = tmp_path_factory.mktemp("loras")
    weak = random_lora(folder / "weak.safetensors")
    for name, factor in (("one", 8), ("opposite", -8)):
        tensors = {key: each * factor if "lora_up" in key else each for key, each in load_file(str(weak)).items()}
        save_file(tensors, str(folder / f"{name}.safetensors"), read_metadata(weak))
    return folder / "one.safetensors", folder / "opposite.safetensors"


BARE = GenerationParams(3, 3.0, Sampler.EULER)


def test_loras_are_swapped_without_new_layers_and_leave_nothing_behind(
    painting: Painting, loras: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, opposite = loras

    def paint(*loras: LoraWeight) -> Image.Image:
        return painting.paint(PROMPT, [5], replace(BARE, others=loras))[0]

    bare, with_one = paint(), paint(LoraWeight(one, 0.7, 0.7))
    assert far(bare, with_one) > 20
    with monkeypatch.context() as patch:
        patch.setattr(painting._model.pipeline, "load_lora_weights", None)
        with_opposite = paint(LoraWeight(opposite, 0.7, 0.7))
        assert far(with_one, paint(LoraWeight(one, 0.7, 0.7))) == 0
        # A negative strength is a strength.
        assert far(with_opposite, paint(LoraWeight(one, -0.7, -0.7))) <= 1
        assert far(bare, paint(LoraWeight(one, 0.0, 0.0))) == 0
    # Two at once, with strengths of their own: equal ones undo each other.
    assert far(bare, paint(LoraWeight(one, 0.7, 0.7), LoraWeight(opposite, 0.7, 0.7))) <= 1
    assert far(with_one, paint(LoraWeight(one, 1.0, 1.0), LoraWeight(opposite, 0.3, 0.3))) <= 1
    assert far(bare, paint()) == 0


@pytest.mark.long
def test_a_swap_costs_less_than_a_twentieth_of_a_picture(painting: Painting, loras: tuple[Path, Path]) -> None:
    params = replace(BARE, steps=20)
    for lora in (*loras, *loras):
        painting.paint(PROMPT, [5], replace(params, steps=1, lora=lora))
    swaps, pictures = [], []
    for lora in loras * 2:
        began = time.perf_counter()
        painting._lora_cache.set_loras(replace(params, lora=lora).loras())
        swaps.append(time.perf_counter() - began)
        began = time.perf_counter()
        painting.paint(PROMPT, [5], replace(params, lora=lora))
        pictures.append(time.perf_counter() - began)
    assert min(swaps) < statistics.median(pictures) / 20


@pytest.mark.long
def test_a_compiled_model_paints_the_same_with_loras_that_come_and_go(
    painting: Painting, loras: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # inductor wants a C++ compiler and a minute; this one goes through all of it but the last step.
    monkeypatch.setattr("engine.training.step.compile.BACKEND", "aot_eager")
    compiled = Painting(find_base(BaseSettings(model="demo")), compiled=True)
    for on in ((), (LoraWeight(loras[0], 0.7, 0.7),), (LoraWeight(loras[1], 0.4, 0.4),), ()):
        params = replace(BARE, others=on)
        assert far(compiled.paint(PROMPT, [5], params)[0], painting.paint(PROMPT, [5], params)[0]) <= 1
    assert compiled._compiled is not None


@pytest.mark.long
def test_compiling_that_fails_is_told_and_the_picture_painted_without(
    painting: Painting, fresh: tuple[Painting, list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_graph: Any, _inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler here")

    monkeypatch.setattr("engine.training.step.compile.BACKEND", broken)
    compiled, told = fresh
    compiled.compile()
    assert far(compiled.paint(PROMPT, [5], BARE)[0], painting.paint(PROMPT, [5], BARE)[0]) <= 1
    ((what, why),) = told
    assert what == "pictures are painted without compiling"
    assert "no C++ compiler here" in why
    compiled.paint(PROMPT, [6], BARE)
    assert len(told) == 1


def test_a_lora_that_does_not_fit_is_refused_and_the_next_picture_fine(
    painting: Painting, loras: tuple[Path, Path], tmp_path: Path
) -> None:
    wide = tmp_path / "wide.safetensors"
    tensors = {name: each.repeat(1, 2) if "lora_down" in name else each for name, each in load_file(loras[0]).items()}
    save_file(tensors, str(wide), read_metadata(loras[0]))
    wanted = painting.paint(PROMPT, [5], replace(BARE, lora=loras[0]))[0]
    with pytest.raises(LoraFileError, match=r"wide.safetensors does not fit .*: see: limner lora show"):
        painting.paint(PROMPT, [5], replace(BARE, lora=wide))
    with pytest.raises(LoraFileError, match="there is no LoRA at"):
        painting.paint(PROMPT, [5], replace(BARE, lora=tmp_path / "none.safetensors"))
    assert far(wanted, painting.paint(PROMPT, [5], replace(BARE, lora=loras[0]))[0]) == 0


def test_the_picture_is_seen_forming(painting: Painting) -> None:
    seen: list[list[Image.Image]] = []
    steps: list[tuple[int, int]] = []
    subjects = [PromptSeed(PROMPT, 5), PromptSeed(PROMPT, 6)]
    callbacks = Callbacks(step=lambda *how: steps.append(how), show=lambda pictures: seen.append(pictures))
    done = painting.paint_together(subjects, replace(BARE, steps=8), callbacks)
    assert steps == [(step, 8) for step in range(1, 9)]
    assert [picture.size for picture in seen[0]] == [(16, 16)] * 2
    # Of what is seen at the end each is like its own picture, and not like the other.
    latents = torch.stack([painting._vae.encode(picture) for picture in done])
    small = [np.asarray(picture.resize((16, 16), Image.Resampling.BOX)).astype(float) for picture in done]
    with torch.inference_mode():
        looks = [np.asarray(painting._preview.picture(latent)).astype(float) for latent in latents]  # type: ignore[union-attr]
    for own, other in ((0, 1), (1, 0)):
        assert np.abs(looks[own] - small[own]).mean() < 25
        assert np.abs(looks[own] - small[own]).mean() < np.abs(looks[own] - small[other]).mean() / 2


@contextmanager
def failing(module: Any, name: str, when: Callable[..., bool]) -> Iterator[None]:
    """A method that runs out of memory, as a card's allocator says it."""
    real = getattr(module, name)

    def fail(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(*args, **kwargs)

    setattr(module, name, fail)
    try:
        yield
    finally:
        setattr(module, name, real)


def test_too_many_pictures_for_the_memory_are_painted_in_smaller_batches(
    fresh: tuple[Painting, list[tuple[str, str]]],
) -> None:
    painting, told = fresh
    wanted = [painting.paint(PROMPT, [seed], BARE)[0] for seed in range(5)]
    # Guidance looks at each picture twice.
    with failing(painting._model.denoiser, "forward", lambda sample, *_: sample.shape[0] > 4):
        found = painting.paint(PROMPT, list(range(5)), BARE)
    assert all(far(one, other) <= 1 for one, other in zip(wanted, found, strict=True))
    assert told == [("2 pictures together instead of 5", "memory ran out")]


@pytest.mark.long
def test_a_picture_too_large_for_the_vae_is_decoded_in_tiles(fresh: tuple[Painting, list[tuple[str, str]]]) -> None:
    painting, told = fresh
    wanted = painting.paint(PROMPT, [5], replace(BARE, width=128, height=128))[0]
    vae = painting._model.vae
    with failing(vae, "_decode", lambda *_: not vae.use_tiling):
        found = painting.paint(PROMPT, [5], replace(BARE, width=128, height=128))[0]
    assert told == [("pictures are decoded in tiles", "memory ran out in the VAE")]
    assert np.abs(np.asarray(found).astype(int) - np.asarray(wanted).astype(int)).mean() < 12


def test_a_picture_that_does_not_fit_at_all_is_refused_with_what_to_do(
    fresh: tuple[Painting, list[tuple[str, str]]],
) -> None:
    painting, _ = fresh
    with (
        failing(painting._model.denoiser, "forward", lambda *_: True),
        pytest.raises(PictureError, match=r"not enough memory for a picture of 64x64: paint smaller"),
    ):
        painting.paint(PROMPT, [1, 2], BARE)
    assert painting.paint(PROMPT, [1], BARE)[0].size == (64, 64)


@pytest.mark.long
def test_what_overflows_in_half_precision_is_decoded_again_in_float32(painting: Painting) -> None:
    told: list[tuple[str, str]] = []
    model = painting._model.vae
    vae = Vae(model, "cpu", torch.bfloat16, lambda *change: told.append(change))
    latent = vae.encode(Image.new("RGB", (64, 64), "teal"))
    with torch.inference_mode():
        wanted = Vae(model, "cpu").decode(latent)
        quick = vae.decode(latent)
        assert 0 < far(quick, wanted) < 20
        assert told == []
        next(vae._half.decoder.parameters()).fill_(float("inf"))
        assert far(vae.decode(latent), wanted) == 0
        assert far(vae.decode(latent), wanted) == 0
    assert told == [("the VAE decodes in float32", "half precision overflowed")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "james", images=0, painting__idle_seconds=60.0)


@contextmanager
def serving(project: Project, card: Card | None = None) -> Iterator[None]:
    """A painter at work in a thread of its own."""
    folder = painter_folder(project)
    folder.write_order(Order(JobKind.PAINT, project.root, {}))

    def serve() -> None:
        with project.store() as store:
            Painter(Context(folder), project, Queue(store), card).serve()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        folder.ask(Request.STOP)
        thread.join(PATIENCE)
    assert not thread.is_alive()


def queue_up(project: Project, **changes: Any) -> int:
    with project.store() as store:
        return (
            Queue(store).add([ready_to_queue(project, replace(order_for(project, "a man", seed=1), **changes))])[0].id
        )


def state_of(project: Project, number: int) -> PictureState:
    with project.store() as store:
        return Queue(store).state(number)


def quicker(project: Project, number: int) -> None:
    with project.store() as store:
        store.connection.execute("UPDATE pictures SET steps = 2 WHERE id = ?", (number,))


def test_a_picture_is_cancelled_midway_and_the_next_is_painted(project: Project) -> None:
    slow, next_ = queue_up(project, steps=500), queue_up(project, steps=2)
    with serving(project):
        wait_until(lambda: preview_path(project, slow).exists())
        with Image.open(preview_path(project, slow)) as look:
            assert look.size == (16, 16)
        with project.store() as store:
            assert Queue(store).cancel(slow)
        wait_until(lambda: state_of(project, next_) is PictureState.DONE)
    assert state_of(project, slow) is PictureState.CANCELLED
    assert len(list(project.pictures.iterdir())) == 1
    assert not preview_path(project, slow).exists()


def test_the_painter_gives_the_card_to_training_and_continues_after_it(project: Project, tmp_path: Path) -> None:
    card = Card("0", tmp_path / "cards")
    number = queue_up(project, steps=500)
    said: list[str] = []
    with serving(project, card):
        # A picture is taken off the queue a moment before the card is taken for it.
        wait_until(lambda: state_of(project, number) is PictureState.PAINTING and card.painted_on())
        with card.held_for_training(said.append, patience=PATIENCE):
            assert not card.painted_on()
            wait_until(lambda: state_of(project, number) is PictureState.QUEUED)
            wait_until(lambda: _last_job(project).state is events.JobState.PAUSED)
            quicker(project, number)
        wait_until(lambda: state_of(project, number) is PictureState.DONE)
    assert said == ["waiting for the painter to free the GPU"]
    told = [entry.event for entry in painter_folder(project).entries() if isinstance(entry.event, events.Job)]
    assert [each.state for each in told] == [events.JobState.PAUSED, events.JobState.RUNNING]
    assert "a run trains on the card" in (told[0].reason or "")


def test_a_painter_that_shares_the_card_paints_beside_training(project: Project, tmp_path: Path) -> None:
    project.change({"painting.share_card": True})
    card = Card("0", tmp_path / "cards")
    number = queue_up(project, steps=2)
    with card.held_for_training(patience=0.0), serving(project, card):
        wait_until(lambda: state_of(project, number) is PictureState.DONE)


def _last_job(project: Project) -> events.Job:
    found = [entry.event for entry in painter_folder(project).entries() if isinstance(entry.event, events.Job)]
    return found[-1] if found else events.Job(events.JobState.QUEUED)
