"""``base.paint_with``: another base model of the same family that paints, a distilled one or a finetune."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinPipeline

from engine.doctor.base import base_checks
from engine.errors import BaseModelError, TrainingError
from engine.models.flux2_klein.shape import is_distilled
from engine.models.locate import BaseKind, BaseModel, find_base
from engine.models.registry import family_of
from engine.models.usual_settings import (
    find_painting_base,
    guidance_remarks,
    kind_of,
    painting_of,
    remarks_on_base,
    sample_settings,
)
from engine.pictures.orders.orders import native_side, order_for, ready_to_queue
from engine.pictures.orders.start import order_pictures
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import GenerationParams
from engine.prompts.breakdown import take_apart
from engine.prompts.tokenizer import find_words
from engine.settings import BaseSettings, Sampler, Settings
from engine.training.runs.start import start_training
from tests.support.distilled_klein import distilled_klein
from tests.support.small_project import small_project
from tests.support.tiny_klein import tiny_klein

PROMPT = "jx265 man, red shirt, blue background"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_klein(tmp_path_factory.mktemp("klein") / "base")


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distilled_klein(tmp_path_factory.mktemp("klein") / "distilled")


def settings(**sections: dict[str, Any]) -> Settings:
    return Settings.model_validate(sections)


def test_what_paints_is_the_base_model_unless_another_is_named(base: Path, distilled: Path) -> None:
    alone = BaseSettings(model=str(base), zero_terminal_snr=True)
    assert alone.for_painting is alone
    assert BaseSettings(model="demo", paint_with="demo").for_painting.model == "demo"
    both = BaseSettings(model=str(base), paint_with=str(distilled), vae=Path("/vae"), prediction_type="epsilon")
    assert both.for_painting == BaseSettings(model=str(distilled)), "what is said of one holds for no other"
    assert find_painting_base(both.model_copy(update={"vae": None})).source == str(distilled)


def test_another_family_can_t_paint_and_says_so(base: Path, tmp_path: Path) -> None:
    wrong = BaseSettings(model=str(base), paint_with="demo")
    with pytest.raises(BaseModelError, match=r"base\.paint_with is a SDXL model, and base\.model is FLUX\.2 klein"):
        find_painting_base(wrong)
    assert [each.ok for each in base_checks(wrong)] == [True, False]
    project = small_project(tmp_path / "james", images=1, base__model=str(base), base__paint_with="demo")
    with pytest.raises(BaseModelError, match=r"base\.paint_with is a SDXL model"):
        order_pictures(project, [order_for(project, PROMPT, seed=1)])


def test_a_painting_base_that_is_not_there_is_told(base: Path) -> None:
    gone = BaseSettings(model=str(base), paint_with="/nowhere/klein")
    found = base_checks(gone)
    assert [(each.name, each.ok) for each in found] == [("base model", True), ("paint with", False)]
    assert "/nowhere/klein" in found[1].detail


def test_a_distilled_model_is_known_by_its_folder_or_hub_name(base: Path, distilled: Path) -> None:
    def named(kind: BaseKind, source: str) -> bool:
        model = BaseModel(kind, source)
        return family_of(model).is_distilled(model)

    assert named(BaseKind.FOLDER, str(distilled))
    assert not named(BaseKind.FOLDER, str(base))
    assert named(BaseKind.HUB, "black-forest-labs/FLUX.2-klein-4B")
    assert not named(BaseKind.HUB, "black-forest-labs/FLUX.2-klein-base-4B")
    assert not named(BaseKind.HUB, "stabilityai/stable-diffusion-xl-base-1.0")


@pytest.mark.parametrize("index", ["", "[]", "null", "[" * 50_000, '{"is_distilled": "true"}', '{"is_distilled": [1]}'])
def test_an_index_that_says_nonsense_is_no_distilled_model(index: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(index)
    assert not is_distilled(BaseModel(BaseKind.FOLDER, str(tmp_path)))


@pytest.mark.parametrize("most", ["null", '"many"', "[1]", "-5", "1e400", "[" * 50_000])
def test_a_tokenizer_s_odd_length_leaves_prompts_readable(most: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(Path(find_base(BaseSettings(model="demo-flux2-klein")).source), tmp_path / "base"))
    config = folder / "tokenizer/tokenizer_config.json"
    config.write_text(f'{{"model_max_length": {most}}}')
    model = find_base(BaseSettings(model=str(folder)))
    assert take_apart(PROMPT, 4, find_words(model), family=family_of(model)).schedule


def test_a_distilled_model_paints_in_4_steps_without_guidance(base: Path, distilled: Path) -> None:
    named = {"model": str(base), "paint_with": str(distilled)}
    found = painting_of(settings(base=named))
    assert (found.steps, found.guidance_scale, found.sampler) == (4, 1.0, Sampler.EULER)
    own = painting_of(settings(base=named, painting={"steps": 8}))
    assert (own.steps, own.guidance_scale) == (8, 1.0)
    assert painting_of(settings(base={"model": str(base)})).steps == 30


def test_training_on_a_distilled_model_is_warned_of(base: Path, distilled: Path) -> None:
    told = remarks_on_base(settings(base={"model": str(distilled)}))
    assert len(told) == 1
    assert "was distilled to paint in few steps" in told[0]
    assert "base.paint_with" in told[0]
    assert remarks_on_base(settings(base={"model": str(base), "paint_with": str(distilled)})) == []


def test_a_licence_that_binds_is_told_before_training() -> None:
    nine = settings(base={"model": "black-forest-labs/FLUX.2-klein-base-9B"})
    [told] = remarks_on_base(nine)
    assert told.startswith(
        "black-forest-labs/FLUX.2-klein-base-9B has the FLUX Non-Commercial License, which holds for"
    )
    four = settings(base={"model": "black-forest-labs/FLUX.2-klein-base-4B"})
    assert remarks_on_base(four) == []


def test_guidance_and_negatives_that_do_nothing_are_told(base: Path, distilled: Path) -> None:
    plain, fast = (kind_of(BaseSettings(model=str(each))) for each in (base, distilled))
    assert guidance_remarks(plain, 4.0, ["blurry"]) == []
    assert guidance_remarks(plain, 1.0, [" "]) == []
    assert guidance_remarks(plain, 1.0, ["blurry"]) == [
        "a negative prompt has no effect at a guidance scale of 1 or less"
    ]
    assert "is distilled" in guidance_remarks(fast, 4.0, [""])[0]


def test_a_run_s_own_pictures_are_painted_as_its_base_usually_is(base: Path, distilled: Path) -> None:
    named = {"model": str(base), "paint_with": str(distilled)}
    painting = {"guidance_scale": 1.0, "steps": 4}
    by_base = sample_settings(settings(base=named, painting=painting))
    assert (by_base.painting.guidance_scale, by_base.training.sample_inference_steps) == (4.0, 20)
    by_other = sample_settings(settings(base=named, painting=painting, training={"sample_base": "paint_with"}))
    assert (by_other.painting.guidance_scale, by_other.training.sample_inference_steps) == (1.0, 4)
    chosen = {"sample_base": "paint_with", "sample_inference_steps": 6}
    assert sample_settings(settings(base=named, training=chosen)).training.sample_inference_steps == 6
    alone = sample_settings(settings(base={"model": str(base)}, painting=painting))
    assert alone.painting.guidance_scale == 1.0


def test_a_picture_s_order_names_the_base_that_paints(base: Path, distilled: Path, tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=1, base__model=str(base), base__paint_with=str(distilled))
    ready = ready_to_queue(project, order_for(project, PROMPT, seed=1))
    assert ready.base == str(distilled)
    assert native_side(project.settings) == 64
    project.change({"base.paint_with": None})
    assert ready_to_queue(project, order_for(project, PROMPT, seed=1)).base == str(base)


def test_trained_text_encoders_are_not_shown_by_another_base(tmp_path: Path) -> None:
    samples = {"training__sample_base": "paint_with", "training__sample_prompts": [PROMPT]}
    project = small_project(tmp_path / "james", training__train_text_encoders=True, **samples)
    with pytest.raises(TrainingError, match=r"text encoders of its own.*set training\.sample_base to model"):
        start_training(project)


def test_a_distilled_picture_is_diffusers_own_whatever_guidance(distilled: Path) -> None:
    pipeline = Flux2KleinPipeline.from_pretrained(distilled, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        prompt=PROMPT,
        height=64,
        width=64,
        num_inference_steps=4,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(7),
        max_sequence_length=48,
        text_encoder_out_layers=(1, 2, 3),
        output_type="np",
    ).images[0]
    painting = Painting(find_base(BaseSettings(model=str(distilled))))
    params = GenerationParams(steps=4, guidance=4.0, sampler=Sampler.EULER, width=64, height=64)
    [ours] = painting.paint(PROMPT, [7], params)
    assert np.abs(np.asarray(ours, dtype=float) - theirs * 255).max() <= 1
