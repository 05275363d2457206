"""Samplers by A1111's names, and that a picture is the same alone and among others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.errors import PictureError, ProjectError
from engine.models.locate import find_base
from engine.pictures.orders.picture import Hires
from engine.pictures.orders.png_parameters import Parameters
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import GenerationParams, PromptSeed
from engine.pictures.painting.samplers import scheduler_for
from engine.project import Project
from engine.settings import BaseSettings
from engine.settings.samplers import NoiseSchedule, Sampler, read_sampler, read_schedule
from tests.support.rows import usual
from tests.support.small_project import random_lora

LEVELS = 1
"""Of 255: how far a pixel of a picture painted among others may be from the same picture painted alone. A processor
adds up a batch in another order than one picture, so the last bits differ, and a value may be rounded the other way."""

PROMPT = "photo of a man, ginger hair"

STRAIGHT = (Sampler.DPMPP_2M, Sampler.HEUN, Sampler.EULER, Sampler.DPM2, Sampler.DPMPP_2S_A, Sampler.DDIM,
            Sampler.UNIPC, Sampler.DEIS)  # fmt: skip
"""Samplers that add no noise on the way, and so all come to the same picture."""

EACH_TIME = (Sampler.EULER_A, Sampler.DPM2, Sampler.DPMPP_2M, Sampler.DPMPP_2M_SDE, Sampler.LCM)
"""One of each kind: with noise on the way, looking twice a step, in several steps, both, and one without schedules."""


def levels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def furthest(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(levels(one) - levels(other)).max())


@pytest.fixture(scope="module")
def painting() -> Painting:
    return Painting(find_base(BaseSettings(model="demo")))


@pytest.fixture(scope="module")
def params() -> GenerationParams:
    return GenerationParams(8, 3.0, Sampler.EULER)


@pytest.mark.parametrize("sampler", usual(Sampler, 2))
def test_a_picture_of_a_batch_of_4_is_the_one_painted_alone(
    painting: Painting, params: GenerationParams, sampler: Sampler
) -> None:
    params = replace(params, sampler=sampler, steps=3)
    four = painting.paint(PROMPT, [5, 6, 7, 8], params)
    assert furthest(painting.paint(PROMPT, [8], params)[0], four[3]) <= LEVELS
    # The measure tells another picture apart.
    assert furthest(four[0], four[1]) > 50


@pytest.mark.long
def test_prompts_of_any_length_are_painted_together_and_stay_their_own(
    painting: Painting, params: GenerationParams, tmp_path: Path
) -> None:
    params = replace(params, sampler=Sampler.EULER_A, lora=random_lora(tmp_path / "a.safetensors"), strength=0.5)
    subjects = [
        PromptSeed("photo of a man", 1),
        PromptSeed("photo of a woman, " + "blue shirt, " * 40, 1),
        PromptSeed("photo of a [man:woman:0.5]", 1, "glasses"),
        PromptSeed("photo of a man", 2),
    ]
    together = painting.paint_together(subjects, params)
    for subject, picture in zip(subjects, together, strict=True):
        assert furthest(painting.paint_together([subject], params)[0], picture) <= LEVELS
    assert len({picture.tobytes() for picture in together}) == 4


@pytest.fixture(scope="module")
def straight_on(painting: Painting, params: GenerationParams) -> NDArray[np.int64]:
    """What Euler comes to in many steps."""
    return levels(painting.paint(PROMPT, [5], replace(params, steps=30))[0])


@pytest.mark.parametrize("sampler", usual(STRAIGHT, 1))
def test_a_sampler_without_noise_of_its_own_comes_to_the_same_picture(
    painting: Painting, params: GenerationParams, straight_on: NDArray[np.int64], sampler: Sampler
) -> None:
    other = levels(painting.paint(PROMPT, [6], params)[0])
    found = levels(painting.paint(PROMPT, [5], replace(params, sampler=sampler, steps=12))[0])
    assert np.abs(found - straight_on).mean() < 5 < np.abs(other - straight_on).mean()


@pytest.mark.long
@pytest.mark.parametrize("sampler", usual((Sampler.DPMPP_2M, Sampler.EULER_A, Sampler.DPMPP_3M_SDE), 1))
def test_every_schedule_makes_another_picture(painting: Painting, params: GenerationParams, sampler: Sampler) -> None:
    wanted = [each for each in NoiseSchedule if each is not NoiseSchedule.AUTOMATIC]
    made = {
        painting.paint(PROMPT, [5], replace(params, sampler=sampler, schedule=each))[0].tobytes() for each in wanted
    }
    assert len(made) == len(wanted)
    automatic = painting.paint(PROMPT, [5], replace(params, sampler=sampler))[0].tobytes()
    assert automatic in made


@pytest.mark.parametrize("sampler", usual(Sampler, 2))
def test_every_sampler_begins_from_a_picture_too(
    painting: Painting, params: GenerationParams, sampler: Sampler, tmp_path: Path
) -> None:
    source = tmp_path / "a.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(source)
    little = replace(params, sampler=sampler, steps=8, denoise=0.26)
    subjects = [PromptSeed(PROMPT, 5, source=source), PromptSeed(PROMPT, 6, source=source)]
    two = painting.paint_together(subjects, little)
    assert furthest(painting.paint_together(subjects[1:], little)[0], two[1]) <= LEVELS
    red = np.array((200, 30, 30))
    from_noise = painting.paint(PROMPT, [5], replace(little, denoise=None))[0]
    assert np.abs(levels(two[0]) - red).mean() < 50 < 70 < np.abs(levels(from_noise) - red).mean()


@pytest.mark.parametrize(
    ("text", "sampler", "schedule"),
    [
        ("Euler a", Sampler.EULER_A, None),
        ("euler ancestral", Sampler.EULER_A, None),
        ("k_euler_a", Sampler.EULER_A, None),
        ("DPM++ 2M", Sampler.DPMPP_2M, None),
        ("DPM++ 2M Karras", Sampler.DPMPP_2M, NoiseSchedule.KARRAS),
        ("dpmpp_2m_karras", Sampler.DPMPP_2M, NoiseSchedule.KARRAS),
        ("DPM++ 2M SDE Exponential", Sampler.DPMPP_2M_SDE, NoiseSchedule.EXPONENTIAL),
        ("DPM++ 3M SDE Karras", Sampler.DPMPP_3M_SDE, NoiseSchedule.KARRAS),
        ("unipc", Sampler.UNIPC, None),
    ],
)
def test_samplers_are_known_by_the_names_of_a1111_old_and_new(
    text: str, sampler: Sampler, schedule: NoiseSchedule | None
) -> None:
    assert read_sampler(text) == (sampler, schedule)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no sampler 'DPM\+\+ 2N': the nearest is DPM\+\+ 2M"):
        read_sampler("DPM++ 2N")
    with pytest.raises(ValueError, match="the nearest is Karras; there are Automatic"):
        read_schedule("karas")
    with pytest.raises(PictureError, match="DDIM has no Karras schedule: leave it Automatic"):
        scheduler_for(Sampler.DDIM, NoiseSchedule.KARRAS, {})


def test_settings_take_a_sampler_in_either_form(project: Project) -> None:
    assert project.settings.painting.sampler is Sampler.DPMPP_2M
    painting = project.change({"painting.sampler": "dpm++ 2m sde karras"}).painting
    assert (painting.sampler, painting.schedule) == (Sampler.DPMPP_2M_SDE, NoiseSchedule.KARRAS)
    painting = project.change({"painting.sampler": "Euler", "painting.schedule": "exponential"}).painting
    assert (painting.sampler, painting.schedule) == (Sampler.EULER, NoiseSchedule.EXPONENTIAL)
    with pytest.raises(ProjectError, match=r"painting\.sampler = 'Magic' is invalid: .*there is no sampler"):
        project.change({"painting.sampler": "Magic"})
    with pytest.raises(ProjectError, match="ddim has no exponential schedule"):
        project.change({"painting.sampler": "DDIM"})


@pytest.mark.parametrize(
    ("line", "sampler", "schedule"),
    [
        ("Sampler: DPM++ 2M Karras", "DPM++ 2M", "Karras"),
        ("Sampler: DPM++ 2M, Schedule type: Karras", "DPM++ 2M", "Karras"),
        ("Sampler: Euler a", "Euler a", None),
        ("Sampler: DPM++ 2M SDE, Schedule type: SGM Uniform", "DPM++ 2M SDE", "SGM Uniform"),
    ],
)
def test_parameters_of_old_and_new_a1111_are_read_alike(line: str, sampler: str, schedule: str | None) -> None:
    found = Parameters.from_text(f"a man\nSteps: 20, {line}, CFG scale: 7, Seed: 1")
    assert (found.sampler, found.schedule) == (sampler, schedule)


@pytest.mark.long
def test_a_second_pass_enlarges_the_picture_and_keeps_it(painting: Painting, params: GenerationParams) -> None:
    small = painting.paint(PROMPT, [5], params)[0]
    for upscaler, denoise in (("Lanczos", 0.3), ("Latent", 0.5)):
        hires = Hires(1.5, denoise, 6, upscaler)  # type: ignore[arg-type]
        large = painting.paint(PROMPT, [5, 6], replace(params, hires=hires))
        assert large[0].size == (96, 96)
        assert furthest(painting.paint(PROMPT, [6], replace(params, hires=hires))[0], large[1]) <= LEVELS
        back = levels(large[0].resize((64, 64), Image.Resampling.LANCZOS))
        assert np.abs(back - levels(small)).mean() < 25, upscaler
