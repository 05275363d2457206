"""Which images a run sees, in which sizes, how often and in which order."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import DatasetError, TrainingError
from engine.models.sdxl.shape import SDXL
from engine.models.shape import BaseShape
from engine.project import Project
from engine.settings import TrainingSettings
from engine.training.data.buckets import bucket_for, bucket_sizes, resolution_of, step_of
from engine.training.data.epoch_order import epoch_batches, epoch_counts
from engine.training.data.examples import read_examples
from engine.training.data.training_set import TrainingItem, TrainingSet
from engine.training.planning.estimate import estimate_run
from engine.training.planning.plan import formula, plan_for, training_set_of
from tests.support.small_project import portrait, small_project


def with_folder(project: Project, name: str, *sizes: tuple[int, int], captions: bool = True) -> Path:
    folder = project.root / name
    folder.mkdir(parents=True)
    for number, size in enumerate(sizes):
        portrait(number).resize(size).save(folder / f"{number}.png")
        if captions:
            (folder / f"{number}.txt").write_text("jx265 man, hat\n")
    return folder


def lined_up(project: Project, **changes: object) -> TrainingSet:
    return training_set_of(project, project.change({f"training.{key}": value for key, value in changes.items()}))


def planned(project: Project) -> str:
    return formula(plan_for(project.settings.training, training_set_of(project, project.settings).seen))


def bucket_counts(found: TrainingSet) -> dict[str, int]:
    """Images trained on by bucket."""
    counts = Counter(each.bucket for each in found.seen if not each.held_out)
    return {f"{width}x{height}": counts[number] for number, (width, height) in enumerate(found.buckets)}


def test_sdxls_buckets_are_those_it_was_trained_on() -> None:
    sizes = bucket_sizes(1024, 64)
    for size in ((1024, 1024), (1152, 896), (896, 1152), (832, 1216), (1344, 768), (640, 1536), (512, 2048)):
        assert size in sizes
    assert len(sizes) == len(set(sizes))


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([512, 768, 1024]), st.booleans())
def test_every_image_gets_a_bucket_that_the_base_model_can_do(
    width: int, height: int, resolution: int, upscale: bool
) -> None:
    bucket = bucket_for((width, height), resolution, 64, upscale)
    assert bucket[0] % 64 == bucket[1] % 64 == 0
    assert 64 <= bucket[0] * bucket[1] <= resolution**2
    if not upscale and min(width, height) >= 64:
        assert bucket[0] <= width
        assert bucket[1] <= height
    if upscale and 0.5 < width / height < 2:
        assert abs(math.log(bucket[0] / bucket[1]) - math.log(width / height)) < 0.2


def test_a_square_image_stays_square_at_any_resolution() -> None:
    assert all(bucket_for((900, 900), resolution, 64) == (resolution,) * 2 for resolution in (512, 992, 1024))


def test_a_resolution_that_the_base_can_t_do_is_told_before_the_run() -> None:
    assert (resolution_of(TrainingSettings(), SDXL), step_of(TrainingSettings(), SDXL)) == (1024, 64)
    assert step_of(TrainingSettings(), BaseShape("tiny", 64, 16)) == 16
    with pytest.raises(TrainingError, match="multiple of 32"):
        resolution_of(TrainingSettings(resolution=1000), SDXL)
    with pytest.raises(TrainingError, match="multiple of 32"):
        step_of(TrainingSettings(bucket_step=48), SDXL)


def test_square_images_are_one_bucket_and_others_keep_their_shape(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    assert bucket_counts(lined_up(project)) == {"64x64": 3}
    with_folder(project, "dataset/2_jx265 man tall", (60, 100), (100, 60), (61, 99))
    assert bucket_counts(lined_up(project)) == {"64x64": 3, "48x80": 2, "80x48": 1}
    assert bucket_counts(lined_up(project, buckets=False)) == {"64x64": 6}


def test_a_photo_that_exif_turns_is_lined_up_upright(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=1)
    folder = with_folder(project, "dataset/1_more")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 60)).save(folder / "a.jpg", exif=exif)
    assert bucket_counts(lined_up(project)) == {"48x80": 1, "64x64": 1}


def test_small_images_are_enlarged_and_told_or_get_a_smaller_bucket(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    with_folder(project, "dataset/1_small", (40, 40))
    assert "1 image is smaller than trained on" in lined_up(project).warnings()[0]
    kept = lined_up(project, bucket_upscale=False)
    assert bucket_counts(kept) == {"64x64": 3, "32x32": 1}
    assert "trained smaller" in kept.warnings()[0]


def test_at_a_lower_resolution_the_same_images_share_a_bucket(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    with_folder(project, "dataset/2_tall", (60, 100), (100, 60))
    before = lined_up(project)
    smaller = before.at(32)
    assert smaller.seen == before.seen
    assert smaller.buckets == ((32, 32), (32, 48), (48, 32)) or all(
        side % 16 == 0 for size in smaller.buckets for side in size
    )
    assert before.at(64) is before


def test_folders_say_their_repeats_and_the_built_one_follows_the_settings(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    with_folder(project, "dataset/5_jx265 man close", (96, 96), (96, 96))
    assert planned(project) == "(3 images × 2 repeats + 2 images × 5 repeats) × 2 epochs = 32 image-steps"
    estimate = estimate_run(project, {"training.repeats": 4})
    assert (estimate.images, estimate.image_steps) == (5, 2 * (3 * 4 + 2 * 5))
    assert estimate.steps == 2 * 11


def test_a_dataset_made_by_hand_is_trained_as_its_folders_say(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=0)
    for folder in project.dataset.iterdir():
        folder.rmdir()
    with_folder(project, "dataset/7_alice", (96, 96), captions=True)
    with_folder(project, "dataset/3_bob", (96, 96), (96, 96), captions=False)
    assert [each.repeats for each in read_examples(project)] in ([7, 3, 3], [3, 3, 7])
    assert {each.caption for each in read_examples(project)} == {"jx265 man, hat", "bob"}
    assert planned(project) == "(2 images × 3 repeats + 1 image × 7 repeats) × 2 epochs = 26 image-steps"


def test_regularisation_images_match_the_person_s_or_are_left_out(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james")
    assert planned(project) == "3 images × 2 repeats × 2 epochs = 12 image-steps"
    with_folder(project, "reg/1_man", (96, 96), (96, 96), captions=False)
    assert planned(project) == "(3 images × 2 repeats + 6 regularisation) × 2 epochs = 24 image-steps"
    assert [each.caption for each in read_examples(project) if each.regularisation] == ["man", "man"]
    assert estimate_run(project, {"training.regularisation": False}).image_steps == 12
    assert estimate_run(project).images == 3


def test_held_out_images_are_chosen_by_the_seed_and_never_trained_on(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=6)
    assert not any(each.held_out for each in lined_up(project).seen)

    def held_out(**changes: object) -> list[int]:
        return [number for number, each in enumerate(lined_up(project, **changes).seen) if each.held_out]

    assert len(held_out(held_out=2)) == 2
    assert len(held_out(held_out=0.5)) == 3
    assert len(held_out(held_out=0.01)) == 1, "a share of few images is at least one"
    assert held_out(held_out=2) == held_out(held_out=2)
    assert len({tuple(held_out(held_out=2, seed=seed)) for seed in range(8)}) > 1
    assert planned(project) == "4 images × 2 repeats × 2 epochs = 16 image-steps, 2 held out"
    seen = lined_up(project).seen
    trained = {image for epoch in (1, 2) for batch in epoch_batches(seen, 2, 42, epoch) for image in batch}
    assert trained == set(range(6)) - set(held_out())
    with pytest.raises(DatasetError, match="none is left to train on"):
        lined_up(project, held_out=6)


seens = st.lists(
    st.builds(TrainingItem, st.integers(0, 3), st.integers(1, 4), st.booleans()), min_size=1, max_size=25
).filter(lambda seen: any(not each.regularisation for each in seen))


@given(seens, st.integers(1, 5), st.integers(0, 99))
def test_an_epoch_has_the_planned_steps_and_one_bucket_a_batch(seen: list[TrainingItem], batch: int, seed: int) -> None:
    plan = plan_for(TrainingSettings(batch=batch, epochs=1), seen)
    epochs = [epoch_batches(seen, batch, seed, epoch) for epoch in range(1, 9)]
    for batches in epochs:
        assert len(batches) == plan.steps_per_epoch
        assert sum(map(len, batches)) == plan.image_steps == sum(epoch_counts(seen).values())
        assert all(len({seen[image].bucket for image in each}) == 1 for each in batches)
        shown = Counter(image for each in batches for image in each)
        assert all(shown[number] == each.repeats for number, each in enumerate(seen) if not each.regularisation)
    assert epochs == [epoch_batches(seen, batch, seed, epoch) for epoch in range(1, 9)]


def test_all_regularisation_images_have_their_turn_over_the_epochs() -> None:
    seen = [TrainingItem(repeats=4)] + [TrainingItem(regularisation=True)] * 10
    shown = Counter(image for epoch in (1, 2, 3, 4, 5) for batch in epoch_batches(seen, 2, 1, epoch) for image in batch)
    assert shown == {0: 20, **dict.fromkeys(range(1, 11), 2)}
