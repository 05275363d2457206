"""Pictures painted while a run trains."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file

from engine import events
from engine.errors import PromptError
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.models.device import Device
from engine.models.loading import load_base
from engine.models.locate import find_base
from engine.project import Project
from engine.settings import Settings
from engine.training.planning.sample_prompts import sample_prompts
from engine.training.runs.start import start_training
from engine.training.samples import SampleRenderer
from tests.support.drawn_people import drawn_project
from tests.support.png import read_parameters
from tests.support.run_here import losses, of_kind, ordered, run_here
from tests.support.small_project import small_project
from tui.cli.main import main

PROMPTS = ["photo of jx265 man, red shirt", "photo of jx265 man, blue shirt"]
SAMPLES = {"training__sample_prompts": PROMPTS, "training__sample_inference_steps": 2}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("samples") / "james")


@pytest.fixture(scope="module")
def plain(project: Project) -> JobFolder:
    return done(ordered(project, "plain", training__dropout=0.2))


@pytest.fixture(scope="module")
def painted(project: Project) -> JobFolder:
    job = ordered(project, "painted", training__sample_every_n_steps=2, training__dropout=0.2, **SAMPLES)
    return done(job)


def done(job: JobFolder) -> JobFolder:
    status = run_here(job)
    assert status.state is JobState.DONE, status.error
    return job


def test_samples_are_painted_each_epoch_and_step_count_with_same_seeds(painted: JobFolder) -> None:
    samples = of_kind(painted, events.Sample)
    # 6 steps, 3 an epoch: after 2, 3 (the epoch), 4 and 6.
    assert [(each.prompt, each.seed, each.epoch) for each in samples] == [
        (prompt, seed, epoch) for epoch in (1, 1, 2, 2) for prompt, seed in zip(PROMPTS, (1, 2), strict=True)
    ]
    assert [each.path for each in samples][:2] == [
        "samples/jx265-000001-00000002-01.png",
        "samples/jx265-000001-00000002-02.png",
    ]
    pictures = [np.asarray(Image.open(painted.path / each.path).convert("RGB"), dtype=float) for each in samples]
    assert all(picture.shape == (64, 64, 3) and picture.std() > 5 for picture in pictures)
    assert np.abs(pictures[0] - pictures[-2]).mean() > 0.1, "the LoRA that was learnt changes nothing"
    with Image.open(painted.path / samples[1].path) as image:
        told = "Steps: 2, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3, Seed: 2, Size: 64x64"
        assert image.info["parameters"].startswith(f"{PROMPTS[1]}\n{told}")


def painted_again(project: Project, sample: Path, out: Path) -> tuple[np.ndarray, np.ndarray]:
    """A sample, and what ``limner paint`` makes of its parameters alone."""
    about = read_parameters(sample)
    assert about is not None
    assert about.sampler is not None
    told = {
        "negative": about.negative,
        "seed": about.seed,
        "steps": about.steps,
        "guidance": about.guidance,
        "sampler": about.sampler,
        "schedule": about.schedule or "Uniform",
    }
    options = [word for name, value in told.items() for word in (f"--{name}", str(value))]
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), "paint", about.prompt, *options, "-o", str(out)])
    assert not ended.value.code
    return np.asarray(Image.open(sample)).astype(int), np.asarray(Image.open(out)).astype(int)


def test_a_sample_is_painted_again_from_its_parameters(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", painting__negative="(blurry:1.4), [green:red:2]")
    prompts = [
        "# a comment\nphoto of {trigger} {class}, (red shirt:1.5), [smiling:frowning:2] # and one more",
        ", ".join(["photo of {trigger} {class}", *["a red shirt and a blue background"] * 16]),
    ]
    samples = {"training__sample_prompts": prompts, "training__sample_inference_steps": 4}
    job = done(ordered(project, "20261130-0900-jx265", **samples))
    found = of_kind(job, events.Sample)
    for number, sample in enumerate((found[0], found[-2], found[-1])):
        was, again = painted_again(project, job.path / sample.path, tmp_path / f"{number}.png")
        assert np.abs(was - again).max() <= 6, sample.path
        assert np.abs(was - again).mean() < 0.5
    about = read_parameters(job.path / found[0].path)
    assert about is not None
    assert "<lora:jx265-000001:1>" in about.prompt


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("a man AND a dog", "AND joins prompts"),
        ("a man <lora:jx265:0.8>", "its own LoRA and no other"),
        ("a man <lora:nobody>", "its own LoRA and no other"),
        ("a man <hypernet:x:1>", "is not supported"),
        ("a {man", "never closed"),
    ],
)
def test_a_prompt_that_can_not_be_painted_ends_before_the_run_begins(prompt: str, says: str, project: Project) -> None:
    before = list(project.run_folders())
    with pytest.raises(PromptError, match=says):
        start_training(project, {"training.sample_prompts": [PROMPTS[0], prompt]})
    assert list(project.run_folders()) == before


@pytest.mark.long
def test_what_is_odd_about_a_prompt_to_paint_is_told_in_the_run(project: Project) -> None:
    odd = ["photo of {triger}, (red shirt:1.5"]
    job = done(ordered(project, "odd", **{**SAMPLES, "training__sample_prompts": odd}, training__epochs=1))
    told = [each.message for each in of_kind(job, events.Warning)]
    assert any("did you mean {trigger}?" in each for each in told), told
    assert any("never closed" in each for each in told), told


@pytest.mark.long
def test_the_likeness_of_samples_is_told_where_the_photos_can_be_compared(tmp_path: Path) -> None:
    samples = {"training__sample_prompts": PROMPTS[:1], "training__sample_inference_steps": 8}
    job = done(ordered(drawn_project(tmp_path / "james"), "judged", **samples))
    likenesses = [each.likeness for each in of_kind(job, events.Sample)]
    assert len(likenesses) == 2
    assert all(each is not None and 0 <= each <= 100 for each in likenesses)

    project = small_project(tmp_path / "nobody")
    for image in project.dataset.glob("*/*.png"):
        Image.new("RGB", (96, 96), "teal").save(image)
    job = done(ordered(project, "unjudged", **samples))
    assert [each.likeness for each in of_kind(job, events.Sample)] == [None, None]
    assert any("likeness was not measured" in each.message for each in of_kind(job, events.Warning))


def test_painting_changes_nothing_of_what_is_learnt(plain: JobFolder, painted: JobFolder) -> None:
    assert losses(painted) == losses(plain)
    one, other = (load_file(job.path / "checkpoints" / "jx265.safetensors") for job in (plain, painted))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.long
def test_painting_with_the_moving_average_gives_the_weights_back(project: Project) -> None:
    average = {"training__ema_decay": 0.9}
    without = done(ordered(project, "average", **average))
    with_samples = done(ordered(project, "average-painted", **average, **SAMPLES))
    assert losses(with_samples) == losses(without)


@pytest.mark.long
def test_a_picture_can_be_asked_for_at_any_time(project: Project) -> None:
    job = ordered(project, "asked", **SAMPLES)
    job.ask(Request.SAMPLE)
    done(job)
    assert of_kind(job, events.Sample)[0].path == "samples/jx265-000001-00000001-01.png"
    assert len(of_kind(job, events.Sample)) == 6
    assert job.asked() == frozenset()


@pytest.mark.long
def test_memory_that_does_not_suffice_for_samples_does_not_end_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("engine.training.samples.SampleRenderer._decode", none_left)
    job = done(ordered(project, "no-room", **SAMPLES))
    assert not of_kind(job, events.Sample)
    assert [each.message for each in of_kind(job, events.Warning)] == [
        "not enough memory to paint samples: the run continues without them"
    ]
    assert not list(Path(job.path).rglob("*.png"))


@pytest.mark.long
def test_pictures_are_decoded_in_tiles_where_memory_does_not_suffice(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tiled = AutoencoderKL.decode, []

    def decode(self: AutoencoderKL, *args: Any, **more: Any) -> Any:
        if not self.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory")
        tiled.append(self)
        return real(self, *args, **more)

    monkeypatch.setattr(AutoencoderKL, "decode", decode)
    job = done(ordered(project, "tiles", **SAMPLES))
    assert len(of_kind(job, events.Sample)) == len(tiled) == 4
    assert not of_kind(job, events.Warning)


def test_what_paints_holds_on_to_no_text_encoder() -> None:
    settings = Settings.model_validate(
        {
            "person": {"trigger": "jx265", "class_word": "man"},
            "base": {"model": "demo"},
            "training": {"sample_prompts": PROMPTS, "sample_inference_steps": 1},
        }
    )
    base = load_base(find_base(settings.base))
    encoders = [weakref.ref(each) for each in base.text_encoders]
    renderer = SampleRenderer(base, settings, Device("cpu", torch.float32))
    base.release(text_encoders=True)
    gc.collect()
    assert [each() for each in encoders] == [None, None], "gigabytes stay on the card"
    assert len(list(renderer.paint(base.denoiser))) == len(PROMPTS)


def test_without_prompts_of_ones_own_the_projects_style_is_painted() -> None:
    settings = Settings.model_validate({"person": {"trigger": "jx265", "class_word": "man"}})
    assert sample_prompts(settings) == ["photo of jx265 man"]
