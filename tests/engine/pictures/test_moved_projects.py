"""A project that is moved or copied shows the same pictures, stars and grids; an older one is brought over."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.models.locate import find_base
from engine.pictures.gallery.import_external import look_for_pictures
from engine.pictures.gallery.rows import Gallery
from engine.pictures.grid.axes import Axis, AxisKind
from engine.pictures.grid.painting import cells_of, kept, orders_of
from engine.pictures.grid.plan import Grid
from engine.pictures.grid.store import GridShelf
from engine.pictures.orders.orders import order_for, ready_to_queue
from engine.pictures.orders.queue import Queue
from engine.project import Project, open_project
from engine.settings import BaseSettings
from engine.storage.migrations import MIGRATIONS
from engine.storage.project_paths import ProjectPaths
from tests.support.old_projects import FOLDER
from tests.support.small_project import random_lora, run_with, small_project

RUN = "20261121-1403-jx265"


def seen(project: Project) -> dict[str, object]:
    """What a user sees of a project: each picture by its name, with its stars; how far each grid is."""
    with project.store() as store:
        look_for_pictures(project, store)
        shown = Gallery(store).pictures()
        assert all(each.file.is_file() for each in shown if not each.gone)
        pictures = sorted((each.name, each.rating, each.gone, each.outside, each.run_name) for each in shown)
        waiting = [each.path.name for each in Queue(store).waiting_pictures()]
        grids = GridShelf(store).grids()
    painted = {grid.name: sum(cell.painted for cell in cells_of(project, grid).values()) for grid in grids}
    return {"pictures": pictures, "waiting": waiting, "grids": painted}


def old_project(here: Path, at: Path) -> Project:
    """A project that version 8 left in ``at``, its database telling of ``here``; its files are here."""
    source, root = FOLDER / "pictures", here / "project"
    for name in ("1", "2", "3", "4"):
        (root / "pictures/2026-11-21").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / f"pictures/2026-11-21/{name}.png")
    Image.new("RGB", (8, 8), "red").save(root / "pictures/from-elsewhere.png")
    checkpoint = root / f"runs/{RUN}/checkpoints/jx265.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"a checkpoint")
    (here / "other.safetensors").write_bytes(b"another")
    (root / "limner.toml").write_text((source / "limner.toml").read_text().replace("{HERE}", str(at)))
    with closing(sqlite3.connect(root / "limner.db")) as database:
        database.executescript((source / "limner.sql").read_text().replace("{HERE}", str(at)))
    return Project(root)


OLD = {
    "pictures": [
        ("1.png", 5, 0, 0, RUN),
        ("2.png", 2, 0, 0, RUN),
        ("3.png", 0, 0, 0, ""),
        ("4.png", 0, 0, 0, ""),
        ("from-elsewhere.png", 0, 0, 1, ""),
    ],
    "waiting": [],
    "grids": {"faces": 2},
}
"""What version 8 showed of it."""


def test_an_older_project_opens_as_it_was_and_keeps_a_copy(tmp_path: Path) -> None:
    project = old_project(tmp_path, tmp_path)
    assert seen(project) == OLD
    assert [each.name for each in project.root.glob("limner.db.v8*.bak")]
    assert absolute_paths(project) == [str(tmp_path / "other.safetensors")] * 2, "only what lies outside"


def test_an_older_project_that_was_moved_finds_its_pictures_again(tmp_path: Path) -> None:
    """Moved before this Limner ever opened it: its database tells of a place that is not there any more."""
    project = old_project(tmp_path / "new", Path("/nowhere/old"))
    assert seen(project) == OLD
    with project.store() as store:
        assert Gallery(store).pictures()[0].file.is_relative_to(project.root)


def test_a_copy_of_an_older_project_shows_its_own_pictures_once(tmp_path: Path) -> None:
    old_project(tmp_path / "a", tmp_path / "a")
    copied = old_project(tmp_path / "b", tmp_path / "a")
    assert seen(copied) == OLD
    with copied.store() as store:
        assert all(each.file.is_relative_to(copied.root) for each in Gallery(store).pictures())


def test_pictures_taken_for_others_after_a_move_are_joined(tmp_path: Path) -> None:
    """What version 8 made of a move: each painted picture gone, and once more as one from elsewhere."""
    project = old_project(tmp_path / "new", Path("/nowhere/old"))
    with closing(sqlite3.connect(project.root / "limner.db")) as database, database:
        database.execute("UPDATE pictures SET gone = 1 WHERE path LIKE '%/2026-11-21/%'")
        for number, (name, stars) in enumerate((("1", None), ("3", 4)), 100):
            database.execute(
                "INSERT INTO pictures (id, t, state, prompt, seed, steps, guidance, sampler, path, outside, rating)"
                " VALUES (?, 0, 'done', '', 1, 1, 1, 'Euler', ?, 1, ?)",
                (number, str(project.pictures / f"2026-11-21/{name}.png"), stars),
            )
    joined = {**OLD, "pictures": [*OLD["pictures"][:2], ("3.png", 4, 0, 0, ""), *OLD["pictures"][3:]]}  # type: ignore[index]
    assert seen(project) == joined


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With two painted pictures, one that waits, a grid and likeness."""
    project = small_project(tmp_path / "james", images=0)
    run = run_with(project, random_lora(tmp_path / "l.safetensors"))
    (checkpoint,) = (run.path / "checkpoints").glob("*.safetensors")
    with project.store() as store:
        queue = Queue(store)
        orders = [
            ready_to_queue(
                project, order_for(project, "a", seed=n, lora=checkpoint, path=project.pictures / f"{n}.png")
            )
            for n in (1, 2)
        ]
        grid = kept(project, Grid("faces", run.id, orders[0], Axis(AxisKind.SEED, ("1", "2"))))
        for picture in queue.add([*orders, replace(orders[0], seed=3, path=project.pictures / "3.png")])[:2]:
            queue.take("me")
            picture.path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(picture.path)
            queue.finish(picture.id, picture.path, 1.0, "me")
            queue.rate(picture.id, 4)
        assert grid.id
    return project


@pytest.mark.parametrize("how", ["moved", "copied", "through a link"])
def test_a_project_shows_the_same_wherever_it_lies(how: str, project: Project, tmp_path: Path) -> None:
    before = seen(project)
    assert before["grids"] == {"faces": 2}
    there = tmp_path / "far/away"
    there.parent.mkdir()
    if how == "moved":
        project.root.rename(there)
    elif how == "copied":
        shutil.copytree(project.root, there)
    else:
        there.symlink_to(project.root)
    moved = open_project(there)
    assert seen(moved) == before
    with moved.store() as store:
        waiting = Queue(store).waiting_pictures()[0]
    assert waiting.path == moved.root.resolve() / "pictures/3.png"
    assert waiting.lora is not None
    assert waiting.lora.is_relative_to(moved.root.resolve())
    assert waiting.lora.is_file()
    assert absolute_paths(moved) == []


def test_a_base_model_inside_is_the_projects_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path of the settings is seen from the project, and a grid on it stays painted after a move."""
    project = small_project(tmp_path / "james", images=0)
    shutil.copytree(find_base(project.settings.base).source, project.root / "models/tiny")
    (project.root / "vae").mkdir()
    project.change({"base.model": "models/tiny", "base.vae": "vae", "training.network_weights": "vae"})
    (tmp_path / "elsewhere/models/tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert find_base(replace_vae(project)).source == str(project.root / "models/tiny")
    assert (project.settings.base.vae, project.settings.training.network_weights) == (project.root / "vae",) * 2
    assert 'model = "models/tiny"' in project.settings_path.read_text(), "nothing is rewritten"
    with project.store() as store:
        order = ready_to_queue(project, order_for(project, "a", seed=1, path=project.pictures / "1.png"))
        grid = kept(project, Grid("faces", None, order, Axis(AxisKind.SEED, ("1",))))
        (picture,) = Queue(store).add([order])
        Queue(store).take("me")
        project.pictures.mkdir()
        Image.new("RGB", (8, 8)).save(picture.path)
        Queue(store).finish(picture.id, picture.path, 1.0, "me")
    assert grid.id
    assert seen(project)["grids"] == {"faces": 1}
    moved = Project(project.root.rename(tmp_path / "moved"))
    (again,) = orders_of(moved, grid_of(moved)).values()
    with moved.store() as store:
        assert Queue(store).add_missing([again])[0].id == picture.id, "it would be painted once more"
    assert absolute_paths(moved) == []


def replace_vae(project: Project) -> BaseSettings:
    return project.settings.base.model_copy(update={"vae": None})


def grid_of(project: Project) -> Grid:
    with project.store() as store:
        return GridShelf(store).grid("faces")


def absolute_paths(project: Project) -> list[str]:
    """All absolute paths that a project's database holds."""
    with closing(sqlite3.connect(project.root / "limner.db")) as database:
        columns = database.execute("SELECT path, staged, lora FROM pictures").fetchall()
        texts = [text for row in columns for text in row]
        records = [row[0] for row in database.execute("SELECT details FROM pictures UNION ALL SELECT plan FROM grids")]
    texts += [text for record in records if record for text in _texts(json.loads(record))]
    return [each for each in texts if isinstance(each, str) and each.startswith("/")]


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def test_the_migration_is_the_last_that_old_projects_lack() -> None:
    assert any(not isinstance(each, str) for each in MIGRATIONS[8:])


NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=12)


@given(st.lists(NAMES.filter(lambda each: each not in (".", "..")), min_size=1, max_size=4), st.booleans())
def test_a_path_comes_back_as_it_was_from_the_same_place(parts: list[str], inside: bool) -> None:
    here, there = ProjectPaths(Path("/home/me/james")), ProjectPaths(Path("/mnt/james"))
    path = Path("/home/me/james" if inside else "/home/me/jamesx", *parts)
    assert here.path(here.kept(path)) == path
    elsewhere = there.path(here.kept(path))
    assert elsewhere == (Path("/mnt/james", *parts) if inside else path)


@given(st.text(max_size=20))
def test_a_name_that_is_no_path_is_kept_as_it_is(name: str) -> None:
    paths = ProjectPaths(Path("/home/me/james"))
    if not name.startswith(("/", "./")):
        assert paths.full(paths.kept(name)) == name
