"""Real runs with all that a step can see: buckets, repeats, regularisation, orders, masks, text encoders."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from safetensors.torch import load_file

from engine import events
from engine.errors import DatasetError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.jobs.follow import state
from engine.lora.header import read_header
from engine.lora.metadata import LoraFacts, metadata
from engine.lora.module_names import Part
from engine.models.device import Device
from engine.models.locate import find_base
from engine.models.sdxl.loaded import SdxlBase
from engine.models.sdxl.loading import load_pipeline
from engine.models.sdxl.shape import BaseShape
from engine.project import Project
from engine.settings import BaseSettings, TrainingSettings
from engine.training.data.batch import Batch
from engine.training.data.epoch_order import epoch_batches
from engine.training.data.examples import read_examples
from engine.training.data.latent_cache import training_data
from engine.training.data.tensors import TrainingData
from engine.training.data.training_set import make_training_set
from engine.training.learner import Learner
from engine.training.loop import train_step
from engine.training.planning.estimate import estimate_run
from engine.training.runs.run_status import run_status
from engine.training.runs.start import resume_training, start_training
from engine.training.runs.training_history import keep_words, kept_words
from engine.training.step.memory_fallback import fitting_for
from engine.training.step.randomness import step_randomness
from engine.training.step.text_encoders import TextEncoders
from tests.engine.training.test_training_runs import finish, losses, of_kind, until
from tests.support.patience import wait_until
from tests.support.small_project import portrait, small_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = small_project(tmp_path_factory.mktemp("sees") / "james", images=4)
    tall = project.dataset / "1_jx265 man tall"
    tall.mkdir()
    for number in range(2):
        image = portrait(number).resize((60, 100)).convert("RGBA")
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save(tall / f"{number}.png")
        (tall / f"{number}.txt").write_text("jx265, man ||| hat, smiling, outdoors")
    others = project.root / "reg" / "1_man"
    others.mkdir(parents=True)
    portrait(5).save(others / "other.png")
    project.change(
        {
            "training.validation_split": 1,
            "training.caption_shuffle": True,
            "training.caption_dropout": 0.3,
            "training.masked_loss": True,
            "training.noise_offset": 0.05,
            "training.prior_loss_weight": 0.5,
            "training.gradient_accumulation_steps": 2,
            "training.batch_size": 1,
            "training.train_text_encoders": True,
            "training.text_encoder_learning_rate": 5e-3,
        }
    )
    return project


@pytest.fixture(scope="module")
def run(project: Project) -> JobFolder:
    return finish(start_training(project))


def same_files(one: JobFolder, other: JobFolder) -> bool:
    first, second = (load_file(run_status(each).checkpoints[-1]) for each in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def validation_losses(run: JobFolder) -> list[float | None]:
    return [each.validation_loss for each in of_kind(run, events.Epoch)]  # type: ignore[attr-defined]


@pytest.mark.long
def test_a_run_with_everything_takes_the_steps_that_were_planned(run: JobFolder) -> None:
    assert run_status(run).state is JobState.DONE, run.log_path.read_text()
    (plan,) = of_kind(run, events.Plan)
    assert isinstance(plan, events.Plan)
    assert plan.held_out == 1
    assert plan.images == 5
    assert plan.regularisation == plan.image_steps / plan.epochs / 2
    assert list(losses(run)) == list(range(1, plan.steps + 1))
    assert all(loss > 0 for loss in losses(run).values())


def test_a_folder_of_0_repeats_is_passed_over_and_told(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=2, training__epochs=1)
    for folder in (project.dataset / "0_zero man", project.root / "reg" / "0_man"):
        folder.mkdir(parents=True)
        portrait(3).save(folder / "a.png")
        (folder / "a.txt").write_text("jx265 man", "utf-8")
    assert [each.image.parent.name for each in read_examples(project)] == ["2_jx265 man"] * 2
    told = ["0_zero man says 0 repeats and is passed over with its 1 image"]
    told.append("0_man says 0 repeats and is passed over with its 1 image")
    assert [each for each in estimate_run(project, None).warnings if "0 repeats" in each] == told
    run = finish(start_training(project))
    assert [each.message for each in of_kind(run, events.Warning) if "0 repeats" in each.message] == told
    shutil.rmtree(project.dataset / "2_jx265 man")
    with pytest.raises(DatasetError, match="no training images: 0_zero man says 0 repeats"):
        read_examples(project)


def test_the_validation_loss_is_told_each_epoch(run: JobFolder) -> None:
    first, last = validation_losses(run)
    assert first is not None
    assert last is not None
    assert 0 < last < 2
    assert first != last


@pytest.mark.long
def test_a_run_with_everything_on_killed_midway_ends_as_an_unbroken_one(project: Project, run: JobFolder) -> None:
    broken = start_training(project)
    steps = of_kind(run, events.Plan)[0].steps_per_epoch  # type: ignore[attr-defined]
    until(broken, lambda: steps + 1 in losses(broken))
    pid = state(broken).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not broken.alive())
    resumed = finish(resume_training(project, broken.id))
    assert run_status(resumed).state is JobState.DONE, resumed.log_path.read_text()
    assert losses(resumed) == losses(run)
    assert validation_losses(resumed) == validation_losses(run)
    assert same_files(run, resumed)


def tiny() -> StableDiffusionXLPipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


def test_trained_text_encoders_are_in_the_file_and_diffusers_loads_them(run: JobFolder) -> None:
    assert run_status(run).state is JobState.DONE, run.log_path.read_text()
    path = run_status(run).checkpoints[-1]
    pipeline = tiny()
    layers = {"te1": pipeline.text_encoder, "te2": pipeline.text_encoder_2}
    counts = read_header(path).part_counts()
    assert counts["unknown"] == 0
    assert {part: counts[part] for part in layers} == {
        part: 6 * encoder.config.num_hidden_layers for part, encoder in layers.items()
    }
    tensors = load_file(path)
    for part, encoder in ((Part.TE1, pipeline.text_encoder), (Part.TE2, pipeline.text_encoder_2)):
        ups = {name: each for name, each in tensors.items() if name.startswith(part) and "lora_up" in name}
        # The U-Net reads the last state but one, so CLIP-L's last layer has nothing to learn from.
        unread = f"layers_{encoder.config.num_hidden_layers - 1}_" if part is Part.TE1 else "none"
        assert all(bool(each.abs().max() > 0) for name, each in ups.items() if unread not in name)
    before = encoded(pipeline)
    pipeline.load_lora_weights(str(path))
    for encoder in layers.values():
        assert sum(hasattr(each, "lora_A") for each in encoder.modules()) == 6 * encoder.config.num_hidden_layers
    assert not torch.allclose(before, encoded(pipeline), atol=1e-3)


def encoded(pipeline: StableDiffusionXLPipeline) -> torch.Tensor:
    with torch.no_grad():
        hidden, *_ = pipeline.encode_prompt("jx265 man", device="cpu", do_classifier_free_guidance=False)
    return hidden  # type: ignore[no-any-return]


def test_untrained_text_encoders_encode_as_the_pipeline_does() -> None:
    pipeline, settings = tiny(), TrainingSettings(rank=2)
    captions = ["", "jx265 man, red shirt"]
    with torch.no_grad():
        wanted = [pipeline.encode_prompt(each, device="cpu", do_classifier_free_guidance=False) for each in captions]
    base = SdxlBase(pipeline)
    tokens = torch.stack([base.tokens(each) for each in captions])
    encoders = TextEncoders(base, settings, Device("cpu", torch.float32))
    with torch.no_grad():
        text = encoders.encoded(Batch(torch.zeros(2, 4, 8, 8), tokens=tokens)).text
    assert text is not None
    for number, (hidden, _, pooled, _) in enumerate(wanted):
        assert torch.allclose(text["prompt_embeds"][number], hidden[0], atol=1e-5)
        assert torch.allclose(text["pooled_prompt_embeds"][number], pooled[0], atol=1e-5)


def test_parts_of_a_run_lie_apart_in_its_state(run: JobFolder) -> None:
    state_file = Path(run.path) / "state" / "latest.safetensors"
    assert {name.partition("/")[0] for name in load_file(state_file)} == {*Part, "optimizer"}


def learner(settings: TrainingSettings) -> Learner:
    return Learner(SdxlBase(tiny()), settings, fitting_for(settings, 64, None), Device("cpu", torch.float32))


@pytest.mark.long
def test_validation_gives_the_same_number_and_changes_no_step(project: Project, tmp_path: Path) -> None:
    settings = TrainingSettings(rank=2, batch=3, held_out=2, caption_shuffle=True, learning_rate=1e-2)
    base = SdxlBase(tiny())
    training_set = make_training_set(read_examples(project), settings, base.shape)
    data = training_data(base, training_set, settings, tmp_path, Device("cpu", torch.float32), lambda *_: None)

    def steps(look: bool) -> tuple[list[float], list[float | None]]:
        trained = learner(settings)
        found: list[float] = []
        seen: list[float | None] = []
        for step, images in enumerate(epoch_batches(data.seen, 3, 42, 1)[:3], start=1):
            randomness = step_randomness(settings, step, len(images), data.shape(images[0]), trained.noise.draw)
            found.append(float(train_step(trained, data, images, randomness, 1e-2)[0]))
            seen += [trained.validate(data), trained.validate(data)] if look else []
        return found, seen

    looked, seen = steps(look=True)
    assert looked == steps(look=False)[0]
    assert seen[0] == seen[1]
    assert seen[1] != seen[2]
    # At every timestep alike, whatever the size of a pass.
    few = learner(tiny(), settings.model_copy(update={"batch": 1})).validate(data)
    assert few == pytest.approx(learner(settings).validate(data), rel=1e-4)
    # What is measured is what a checkpoint holds: an average, where there is one.
    averaged, plain = learner(tiny(), settings.model_copy(update={"ema_decay": 0.9})), learner(settings)
    for trained in (averaged, plain):
        for step in (1, 2):
            randomness = step_randomness(settings, step, 1, data.shape(0), 1000)
            train_step(trained, data, [0], randomness, 1e-2)
    assert averaged.validate(data) != plain.validate(data)
    assert torch.equal(averaged.weights.flat, plain.weights.flat)
    nothing = TrainingData.of({**data.tensors(), "held_out": torch.zeros_like(data.held_out)})
    assert learner(settings).validate(nothing) is None


def test_every_order_of_a_caption_is_encoded_once_and_seen(project: Project, tmp_path: Path) -> None:
    settings = TrainingSettings(caption_shuffle=True, caption_variants=3)
    base = SdxlBase(tiny())
    training_set = make_training_set(read_examples(project), settings, base.shape)
    told: list[tuple[str, int, int]] = []
    data = training_data(
        base, training_set, settings, tmp_path, Device("cpu", torch.float32), lambda *each: told.append(each)
    )
    tall = next(number for number, each in enumerate(training_set.examples) if "|||" in each.caption)
    own = set(data.captions[tall].tolist())
    assert len(own) == 3
    captions = data.text["prompt_embeds"]
    assert len(captions) == told[-1][2]
    seen = [text["prompt_embeds"] for order in range(40) if (text := data.batch([tall], [False], [order]).text)]
    assert {each.sum().item() for each in seen} == {captions[each].sum().item() for each in own}


def test_the_file_tells_how_it_was_trained_and_no_captions_or_folders(run: JobFolder) -> None:
    about = read_header(run_status(run).checkpoints[-1]).metadata
    plan = of_kind(run, events.Plan)[0]
    assert isinstance(plan, events.Plan)
    assert about["ss_max_train_steps"] == str(plan.steps)
    assert int(about["ss_num_train_images"]) == int(about["ss_num_reg_images"]) == plan.regularisation
    assert (about["ss_unet_lr"], about["ss_text_encoder_lr"]) == ("0.005", "0.005")
    assert (about["ss_optimizer"], about["ss_min_snr_gamma"]) == ("torch.optim.adamw.AdamW", "5.0")
    assert {tuple(each["resolution"]) for each in json.loads(about["ss_bucket_info"])["buckets"].values()} == {
        (64, 64),
        (48, 80),
    }
    assert 0 <= float(about["ss_training_finished_at"]) - float(about["ss_training_started_at"]) + 1 < 600
    for word in ("shirt", "smiling", "tall", "10_", "ss_tag_frequency", "ss_dataset_dirs"):
        assert word not in json.dumps(about)


def test_captions_and_folders_are_in_the_file_only_when_asked_for(project: Project, tmp_path: Path) -> None:
    examples, shape = read_examples(project), BaseShape("tiny", 64, 16)
    quiet = TrainingSettings()
    keep_words(tmp_path, make_training_set(examples, quiet, shape), quiet)
    assert kept_words(tmp_path) == {}
    told = TrainingSettings(publish_captions=True, repeats=4)
    keep_words(tmp_path, make_training_set(examples, told, shape), told)
    facts = LoraFacts("jx265", 4, 2.0, "jx265", 64, history=kept_words(tmp_path))
    about = metadata(facts)
    tags = json.loads(about["ss_tag_frequency"])
    assert tags["1_jx265 man tall"] == {"jx265": 2, "man": 2, "hat": 2, "smiling": 2, "outdoors": 2}
    assert json.loads(about["ss_dataset_dirs"])["2_jx265 man"] == {"n_repeats": 4, "img_count": 4}
    assert json.loads(about["ss_reg_dataset_dirs"]) == {"1_man": {"n_repeats": 1, "img_count": 1}}
