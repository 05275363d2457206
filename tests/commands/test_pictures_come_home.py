"""Pictures carried to another machine: the same gallery, stars, votes and grids, and nothing here overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.bundle.bundle import bundle_pictures, bundle_project, bundle_runs
from engine.bundle.contents import BundleError, BundleKind, Member, as_json
from engine.bundle.gallery_file import packed_gallery
from engine.bundle.packing import pack
from engine.bundle.unbundle import unbundle
from engine.pictures.gallery.import_external import look_for_pictures
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery, Shown
from engine.pictures.gallery.votes import Votes
from engine.pictures.grid.axes import Axis, AxisKind
from engine.pictures.grid.painting import cells_of, kept
from engine.pictures.grid.plan import Grid
from engine.pictures.grid.store import GridShelf
from engine.pictures.orders.orders import order_for, ready_to_queue
from engine.pictures.orders.queue import Queue
from engine.project import Project
from engine.prompts.store import PromptStore
from tests.commands.conftest import Run
from tests.support.small_project import random_lora, run_with, small_project


def seen(project: Project) -> dict[str, Any]:
    """What a user sees of the pictures, and how far each grid is."""
    with project.store() as store:
        look_for_pictures(project, store)
        votes = Votes(store).of()
        pictures = sorted(
            (*_columns(each), votes.get(each.id, 0), Image.open(each.file).getpixel((0, 0)))
            for each in Gallery(store).pictures()
        )
        grids = GridShelf(store).grids()
    painted = {grid.name: sum(cell.painted for cell in cells_of(project, grid).values()) for grid in grids}
    return {"pictures": pictures, "grids": painted}


def _columns(each: Shown) -> tuple[object, ...]:
    return each.name, each.prompt, each.rating, each.favourite, each.likeness, each.outside, each.run_name


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With two painted pictures of a run's checkpoint, one made elsewhere, a prompt's picture, and a grid."""
    project = small_project(tmp_path / "home", images=1)
    checkpoint = random_lora(tmp_path / "l.safetensors")
    (lora,) = (run_with(project, checkpoint).path / "checkpoints").glob("*.safetensors")
    with project.store() as store:
        prompt = PromptStore(store).add("portrait of {trigger}", "blurry")
        first = order_for(project, "a", seed=1, lora=lora, path=project.pictures / "1.png")
        orders = [ready_to_queue(project, first), ready_to_queue(project, replace(first, seed=2))]
        orders[1] = replace(orders[1], path=project.pictures / "two" / "2.png", prompt_id=prompt.id)
        for picture in Queue(store).add(orders):
            Queue(store).take("me")
            paint(picture.path, (picture.seed, 2, 3))
            Queue(store).finish(picture.id, picture.path, 1.5, "me")
        kept(project, Grid("seeds", None, orders[0], Axis(AxisKind.SEED, ("1", "2", "3"))))
        Ratings(store).rate([1], 4)
        Ratings(store).favourite([2], True)
        Votes(store).cast(1, -1)
        store.connection.execute("UPDATE pictures SET likeness = 71.5 WHERE id = 2")
    paint(project.pictures / "from-elsewhere.png", (9, 9, 9))
    return project


def paint(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


def test_a_project_restored_from_its_bundles_shows_the_same(project: Project, tmp_path: Path) -> None:
    before = seen(project)
    assert before["grids"] == {"seeds": 2}
    files = [tmp_path / f"{name}.limner" for name in ("project", "runs", "pictures")]
    bundle_project(project, files[0])
    bundle_runs(project, files[1], with_state=True)
    bundle_pictures(project, files[2])
    there = tmp_path / "there"
    for file in files:
        opened = unbundle(file, there)
    assert opened.pictures is not None
    assert (opened.pictures.new, opened.pictures.known, opened.pictures.grids) == (3, 0, 1)
    restored = Project(there)
    assert seen(restored) == before
    with restored.store() as store:
        one, two = (Queue(store).picture(number) for number in (1, 2))
        assert one.lora is not None
        assert one.lora.is_relative_to(there)
        assert one.lora.is_file()
        assert two.prompt_id == PromptStore(store).prompts()[0].id
        again = Queue(store).add_missing([replace(one.order(), path=there / "pictures/x.png")])
    assert again[0].id == one.id, "the same picture would be painted once more"


def test_pictures_that_are_here_already_stay_as_they_are(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "p.limner"
    bundle_pictures(project, file)
    with project.store() as store:
        Ratings(store).rate([1], 2)
        Ratings(store).favourite([2], False)
        Votes(store).cast(1, 0)
    before = seen(project)
    home_again = unbundle(file, project.root).pictures
    assert home_again is not None
    assert (home_again.new, home_again.known, home_again.grids) == (0, 3, 0)
    after = seen(project)
    assert after["grids"] == before["grids"]
    assert [each[2] for each in after["pictures"]] == [each[2] for each in before["pictures"]], "stars given here stay"
    assert len(list(project.pictures.rglob("*.png"))) == 3


def test_another_picture_of_the_same_name_gets_a_name_of_its_own(project: Project, tmp_path: Path) -> None:
    file, there = tmp_path / "p.limner", small_project(tmp_path / "there", images=0)
    bundle_pictures(project, file)
    paint(there.pictures / "1.png", (200, 0, 0))
    seen(there)
    with there.store():
        kept(there, Grid("seeds", None, order_for(there, "b", seed=7), Axis(AxisKind.SEED, ("7",))))
    unbundle(file, there.root)
    shown = {each[0]: (each[2], each[-1]) for each in seen(there)["pictures"]}
    assert shown["1.png"] == (0, (200, 0, 0))
    assert shown["1-2.png"] == (4, (1, 2, 3))
    assert seen(there)["grids"] == {"seeds": 0, "seeds-2": 2}


def test_a_file_that_came_without_its_row_gets_it(project: Project, tmp_path: Path) -> None:
    """As a kill between the two leaves it: the look into the folder took it for one from elsewhere."""
    file, there = tmp_path / "p.limner", small_project(tmp_path / "there", images=0)
    bundle_pictures(project, file)
    paint(there.pictures / "1.png", (1, 2, 3))
    assert seen(there)["pictures"][0][5] == 1
    unbundle(file, there.root)
    assert {each[0]: each[2] for each in seen(there)["pictures"]}["1.png"] == 4
    assert [each[5] for each in seen(there)["pictures"] if each[0] == "1.png"] == [0]


def test_commands_carry_pictures_home_and_tell_what_came(project: Project, run: Run, tmp_path: Path) -> None:
    file, there = tmp_path / "p.limner", small_project(tmp_path / "there", images=0)
    made = run("bundle", "--pictures", "-o", file)
    assert (made.code, made.out.strip()) == (0, str(file))
    assert "limner unbundle p.limner home" in made.err
    assert run("unbundle", file, there.root).out.strip() == "3 new pictures, 1 grid"
    assert run("unbundle", file, there.root, "--json").record["pictures"] == {"new": 0, "known": 3, "grids": 0}
    assert "two bundles" in run("bundle", "--pictures", "--runs").err
    assert "there are no pictures" in run("-C", small_project(tmp_path / "b").root, "bundle", "--pictures").failure
    assert "is not a project" in run("unbundle", file, tmp_path / "nothing").failure


ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "climbs": lambda told: told["pictures"][0].update(path="./pictures/../../x.png"),
    "elsewhere": lambda told: told["pictures"][0].update(path="/etc/passwd"),
    "other folder": lambda told: told["pictures"][0].update(path="./limner.toml"),
    "stars": lambda told: told["pictures"][0].update(rating=99),
    "vote": lambda told: told["pictures"][0].update(vote="x"),
    "seed": lambda told: told["pictures"][0].update(seed=10**300),
    "half a letter": lambda told: told["pictures"][0].update(prompt="\ud800"),
    "no record": lambda told: told["pictures"][0].update(details="[[["),
    "order": lambda told: told["pictures"][0].update(details='{"prompt": 1}'),
    "plan": lambda told: told["grids"][0].update(plan='{"x": 3}'),
    "cells": lambda told: told["grids"][0].update(cells=[[1, 2]]),
    "twice": lambda told: told["pictures"].append(told["pictures"][0]),
    "nothing": lambda told: told.clear(),
}


def test_a_gallery_that_can_not_be_is_refused_whole(project: Project, tmp_path: Path) -> None:
    with project.store() as store:
        whole = packed_gallery(store).model_dump_json()
    there = small_project(tmp_path / "there", images=0)
    for how, spoil in ODD.items():
        told = json.loads(whole)
        spoil(told)
        data = json.dumps(told).encode() if how == "half a letter" else as_json(told)
        refuse(there, [Member("gallery.json", data), Member("pictures/1.png", b"x")], tmp_path / f"{how}.limner")
        assert seen(there) == {"pictures": [], "grids": {}}, how
        assert not list(there.pictures.glob("*")), how


def test_a_linked_folder_is_no_way_out_of_the_project(project: Project, tmp_path: Path) -> None:
    there, outside = small_project(tmp_path / "there", images=0), tmp_path / "outside"
    outside.mkdir()
    there.pictures.mkdir()
    (there.pictures / "two").symlink_to(outside)
    with project.store() as store:
        told = packed_gallery(store).model_dump()
    refuse(
        there, [Member("gallery.json", as_json(told)), Member("pictures/two/x.desktop", b"x")], tmp_path / "odd.limner"
    )
    assert not list(outside.iterdir())


def refuse(project: Project, members: list[Member], file: Path) -> None:
    pack(file, BundleKind.PICTURES, members, "jx265", lambda *_: None)
    with pytest.raises(BundleError) as refused:
        unbundle(file, project.root)
    assert refused.value.fix
