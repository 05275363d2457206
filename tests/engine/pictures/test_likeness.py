"""How likeness is measured: against real pictures, the base model, and everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine import events
from engine.demo.project import make_demo_project
from engine.errors import PictureError, ProjectError
from engine.jobs.folder import JobFolder, JobKind, Order
from engine.jobs.follow import wait
from engine.pictures.likeness import Gallery, load_identity, score
from engine.pictures.parameters import read_parameters
from engine.pictures.references import prepare_references
from engine.pictures.scores import (
    Likeness,
    PictureScore,
    Recommended,
    Score,
    identity_for,
    read_likeness,
    recommend,
    write_likeness,
)
from engine.pictures.start import start_likeness
from engine.project import Project
from engine.settings import BaseSettings
from tests.small_project import random_lora, run_with, small_project


class MeanColour:
    """Tells people apart by their pictures' mean colour: enough to see that the arithmetic is right."""

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        means = np.stack([np.asarray(each.convert("RGB"), np.float32).mean(axis=(0, 1)) for each in pictures])
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


def coloured(folder: Path, name: str, *colours: tuple[int, int, int]) -> list[str]:
    paths = []
    for number, colour in enumerate(colours):
        paths.append(str(folder / f"{name}{number}.png"))
        Image.new("RGB", (4, 4), colour).save(paths[-1])
    return paths


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    others = {
        "Greta": coloured(tmp_path, "greta", (0, 255, 0), (0, 200, 10)),
        "Bea": coloured(tmp_path, "bea", (0, 0, 255)),
    }
    return Gallery(MeanColour(), coloured(tmp_path, "real", (255, 0, 0), (200, 0, 0), (100, 100, 0)), others)


def test_a_picture_is_as_like_as_its_angle_to_the_middle_of_the_real_ones(gallery: Gallery) -> None:
    red, green, blue = np.eye(3, dtype=np.float32)
    likeness = gallery.likeness(np.stack([red, green, blue]))
    assert likeness[0] > 0.9 > likeness[1] > likeness[2]
    assert [gallery.nearest(vector) for vector in (red, green, blue)] == ["", "Greta", "Bea"]


def test_the_nearest_other_is_whoever_the_pictures_are_most_like(gallery: Gallery) -> None:
    red, _, blue = np.eye(3, dtype=np.float32)
    name, likeness = gallery.nearest_other(np.stack([red, 0.6 * red + 0.8 * blue, 0.6 * red + 0.8 * blue]))
    assert (name, likeness) == ("Bea", pytest.approx(0.8))


def test_real_pictures_are_compared_with_the_others_not_with_themselves(tmp_path: Path) -> None:
    apart = Gallery(MeanColour(), coloured(tmp_path, "real", (255, 0, 0), (0, 255, 0), (0, 0, 255)), {})
    assert apart.real_likeness() == pytest.approx(0, abs=1e-6)
    alike = Gallery(MeanColour(), coloured(tmp_path, "same", (255, 0, 0), (100, 0, 0)), {})
    assert alike.real_likeness() == pytest.approx(1)


def test_with_nobody_else_nothing_is_said_about_others(tmp_path: Path) -> None:
    alone = Gallery(MeanColour(), coloured(tmp_path, "real", (255, 0, 0)), {})
    vector = np.eye(3, dtype=np.float32)[0]
    assert alone.nearest(vector) is None
    assert alone.nearest_other(vector[None]) == (None, None)
    assert score("a", 1.0, [PictureScore("p", 1, 0.5, None)]).rank_1 is None


def test_a_score_is_median_quartiles_and_the_share_nearest_to_the_person() -> None:
    pictures = [
        PictureScore("p", n, value, "" if value > 0.3 else "Bea") for n, value in enumerate((0.1, 0.4, 0.5, 0.9))
    ]
    found = score("a.safetensors", 0.8, pictures)
    assert found.median == pytest.approx(0.45)
    assert found.spread == pytest.approx(0.6 - 0.325)
    assert found.rank_1 == 0.75


def measured(strength: float, median: float) -> Score:
    return Score("a.safetensors", strength, median, 0.1, 1.0, (PictureScore("p.png", 1, median, ""),))


def test_the_likest_is_recommended_and_the_weakest_of_those_alike() -> None:
    assert recommend([measured(0.6, 0.7), measured(0.8, 0.9), measured(1.0, 0.8)]).strength == 0.8
    alike = recommend([measured(0.6, 0.895), measured(0.8, 0.9), measured(1.0, 0.8)])
    assert alike.strength == 0.6
    assert "0.90 at 0.8" in alike.why


def test_what_was_measured_is_kept_with_the_run(tmp_path: Path) -> None:
    run = JobFolder(tmp_path)
    assert read_likeness(run) is None
    kept = Likeness(
        "photo", (measured(0.8, 0.9),), 0.1, 0.95, 0.5, "Bea", Recommended("a.safetensors", 0.8, "median 0.90")
    )
    write_likeness(run, kept)
    assert read_likeness(run) == kept
    assert kept.best.median == 0.9
    assert kept.record()["scores"][0]["pictures"] == [{"path": "p.png", "seed": 1, "likeness": 0.9, "nearest": ""}]
    (tmp_path / "likeness.json").write_text("{}")
    with pytest.raises(PictureError, match="measure again"):
        read_likeness(run)


def test_photographs_are_not_compared_by_what_knows_drawings() -> None:
    assert identity_for(BaseSettings(model="demo")) == "drawn"
    with pytest.raises(PictureError, match="drawn people only"):
        identity_for(BaseSettings())
    with pytest.raises(PictureError, match="nothing called x"):
        load_identity("x")


class Silent:
    def stage(self, name: str) -> None: ...

    def progress(self, text: str, *, last: bool = False) -> None: ...

    def note(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The demo project with a dataset of three images, and a run that has a checkpoint."""
    root = tmp_path_factory.mktemp("likeness")
    project = make_demo_project(root / "james", Silent())
    small = small_project(root / "small")
    small.dataset.rename(project.dataset)
    project.change({"painting.steps": 2})
    return project


def test_the_other_people_are_cut_from_the_library_once(drawn: Project) -> None:
    drawn.change({"person.uid": next(iter(uid_of(drawn, "James")))})
    found = prepare_references(drawn)
    assert "James" not in found
    assert len(found) >= 3
    assert all(1 <= len(paths) <= 8 and all(path.is_file() for path in paths) for paths in found.values())
    stamps = {path: path.stat().st_mtime_ns for paths in found.values() for path in paths}
    assert prepare_references(drawn) == found
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def uid_of(project: Project, name: str) -> list[str]:
    from engine.library.photoprism import connect

    with connect(project.settings.library, base=project.root) as library:
        return [person.id for person in library.people() if person.name == name]


def test_the_other_people_are_nearest_to_themselves(drawn: Project) -> None:
    found = {name: [str(path) for path in paths] for name, paths in prepare_references(drawn).items()}
    (name, paths), *rest = [(name, paths) for name, paths in found.items() if len(paths) >= 3]
    gallery = Gallery(load_identity("drawn"), paths, dict(rest))
    vectors = gallery.embed([Image.open(path) for path in paths])
    assert sum(gallery.nearest(vector) == "" for vector in vectors) >= len(paths) - 1, name


def test_a_project_without_library_knows_nobody_else(tmp_path: Path) -> None:
    assert prepare_references(small_project(tmp_path / "james")) == {}


def test_likeness_needs_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    project = small_project(tmp_path / "new")
    with pytest.raises(ProjectError, match="no runs"):
        start_likeness(project)
    JobFolder(project.runs / "20261121-1403-jx265").write_order(Order(JobKind.TRAIN, project.root, {}))
    with pytest.raises(PictureError, match="no checkpoint yet"):
        start_likeness(project)


def test_a_job_paints_with_and_without_the_lora_and_keeps_what_it_measured(drawn: Project, tmp_path: Path) -> None:
    run = run_with(drawn, random_lora(tmp_path / "jx265.safetensors"))
    job = start_likeness(drawn, run.id, seeds=3, strengths=(0.5, 1.0))
    wait(job)
    found = read_likeness(run)
    assert found is not None
    assert [(each.strength, len(each.pictures)) for each in found.scores] == [(0.5, 3), (1.0, 3)]
    assert found.prompt == "photo of jx265 man"
    assert all(-1 <= value <= 1 for value in (found.base, found.real, found.best.median))
    assert found.nearest_other_name in prepare_references(drawn)
    paths = [Path(picture.path) for each in found.scores for picture in each.pictures]
    assert all(run.path in path.parents and path.is_file() for path in paths)
    about = read_parameters(paths[-1])
    assert about is not None
    assert (about.seed, about.prompt) == (3, "photo of jx265 man <lora:jx265:1>")
    samples = [entry.event for entry in job.entries() if isinstance(entry.event, events.Sample)]
    assert len(samples) == 9
    assert samples[-1].likeness == pytest.approx(found.scores[-1].pictures[-1].likeness)
