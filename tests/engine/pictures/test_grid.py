"""The grid: what it is made of, and that only missing cells are painted."""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import PictureError
from engine.jobs.folder import JobFolder
from engine.jobs.follow import state
from engine.pictures.grid.axes import Axis, AxisKind, read_axis
from engine.pictures.grid.painting import (
    cells_of,
    kept,
    known_of,
    make_grid,
    paint_missing,
    progress_of,
    recent_paces,
    usual_grid,
)
from engine.pictures.grid.plan import Grid, Place, by_dearness, orders_of
from engine.pictures.grid.ranges import GridError
from engine.pictures.grid.sheet import legend, split, write_sheet
from engine.pictures.grid.store import Cell, GridShelf
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.png_parameters import Parameters
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import order_pictures, painter_folder, wait_for
from engine.pictures.painting.request import alike
from engine.project import Project
from tests.support.patience import wait_until
from tests.support.png import read_parameters
from tests.support.small_project import random_lora, run_with, small_project
from tests.support.story import idle_painter


def ordered(project: Project) -> int:
    with project.store() as store:
        return len(Queue(store).pictures())


def paint(project: Project, grid: Grid) -> dict[Place, Cell]:
    wait_for(project, [picture.id for picture in paint_missing(project, grid)])
    return cells_of(project, grid)


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_lora(tmp_path_factory.mktemp("lora") / "a.safetensors")


@pytest.fixture
def quiet(tmp_path: Path) -> Project:
    """A project whose run has three checkpoints; nothing is painted there."""
    project = small_project(tmp_path / "james", images=0)
    run = project.runs / "20261121-1403-jx265"
    with_checkpoints(project, run, b"one", b"two", b"three")
    return project


def with_checkpoints(project: Project, run: Path, *contents: bytes) -> JobFolder:
    (run.parent).mkdir(exist_ok=True)
    source = run.parent / "made.safetensors"
    source.write_bytes(contents[-1])
    job = run_with(project, source, run.name)
    log = job.events_path.read_text("utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(log) if '"checkpoint"' in line)
    for number, content in enumerate(contents[:-1], start=1):
        path = job.path / "checkpoints" / f"jx265-{number:06}.safetensors"
        path.write_bytes(content)
        log.insert(at, log[at].replace("checkpoints/jx265.safetensors", f"checkpoints/{path.name}"))
        at += 1
    job.events_path.write_text("".join(log), "utf-8")
    return job


class TestWhatAGridIs:
    def test_a_run_s_usual_grid_is_checkpoints_by_strengths_and_prompts(self, quiet: Project) -> None:
        grid = usual_grid(quiet, quiet.run())
        labels = [grid.x.label(value) for value in grid.columns]
        assert labels == ["no LoRA", "jx265-000001", "jx265-000002", "jx265"]
        assert (grid.rows, grid.pages[0].kind, len(grid.page_values)) == (("0.6", "0.8", "1"), AxisKind.PROMPT, 3)
        assert all("jx265 man" in prompt for prompt in grid.pages[0].values)
        orders = orders_of(quiet, grid)
        assert {order.seed for order in orders.values()} == {1}
        # Without a LoRA the strengths are one picture.
        assert len({order.key() for order in orders.values()}) == 3 * (1 + 3 * 3)

    def test_it_comes_back_from_the_store_as_it_was_made(self, quiet: Project) -> None:
        grid = kept(quiet, make_grid(quiet, quiet.run(), ["checkpoint", "seed=1-3", "steps=2,3"], guidance=4.0))
        with quiet.store() as store:
            again = GridShelf(store).grid(grid.name)
            assert [each.name for each in GridShelf(store).grids()] == [grid.name]
        assert again == grid
        assert orders_of(quiet, again) == orders_of(quiet, grid)
        assert set(cells_of(quiet, again)) == set(grid.places())

    def test_a_moved_project_keeps_its_checkpoints(self, quiet: Project, tmp_path: Path) -> None:
        grid = kept(quiet, make_grid(quiet, quiet.run(), ["checkpoint", "strength=0.8"]))
        keys = {cell.key for cell in cells_of(quiet, grid).values()}
        quiet.root.rename(tmp_path / "moved")
        moved = Project(tmp_path / "moved")
        assert {order.key() for order in orders_of(moved, grid).values()} == keys

    def test_the_same_words_go_on_with_it_other_words_make_another(self, quiet: Project) -> None:
        def made(*axes: str, **common: object) -> Grid:
            return kept(quiet, make_grid(quiet, quiet.run(), axes, **common))

        first = made("checkpoint", "strength=0.6,0.8")
        more = made("checkpoint", "strength=0.8,1.2")
        assert (more.id, more.rows) == (first.id, ("0.6", "0.8", "1.2"))
        other = made("checkpoint", "strength=0.8", guidance=9.0)
        assert (other.id, other.name) == (first.id + 1, f"{first.name}-2")
        with pytest.raises(PictureError, match="other axes or settings"):
            kept(quiet, make_grid(quiet, quiet.run(), ["seed=1-3"], name=first.name), exactly=True)

    def test_what_nobody_can_make_is_refused(self, quiet: Project) -> None:
        with pytest.raises(GridError, match="two axes seed"):
            make_grid(quiet, None, ["seed=1-3", "seed=4"])
        with pytest.raises(GridError, match="250,000 cells"):
            make_grid(quiet, None, ["seed=1-500", "steps=1-500"])
        with pytest.raises(GridError, match="no checkpoint yet"):
            make_grid(quiet, None, ["checkpoint"])
        with pytest.raises(PictureError, match="DDIM has no Karras"):
            orders_of(quiet, make_grid(quiet, None, ["sampler=DDIM Karras"]))

    def test_the_dearest_axis_is_outermost_whatever_its_place(self, quiet: Project) -> None:
        axes = ["seed=1-3", "checkpoint", "strength=0.6,1", "prompt=a man,a man <lora:jx265-000001:0.5>"]
        grid = make_grid(quiet, quiet.run(), axes)
        orders = orders_of(quiet, grid)
        places = by_dearness(grid, orders)
        assert sorted(places) == sorted(grid.places())
        changes = sum(not alike(orders[one], orders[two]) for one, two in itertools.pairwise(places))
        assert changes + 1 == len({(order.lora, order.strength, order.others) for order in orders.values()})
        values = [grid.values(place)[AxisKind.CHECKPOINT] for place in places if not orders[place].others]
        assert sum(one != two for one, two in itertools.pairwise(values)) == 3


class TestCells:
    def test_only_what_is_missing_is_queued(self, quiet: Project) -> None:
        with idle_painter(quiet):
            grid = kept(quiet, make_grid(quiet, None, ["seed=1-3", "steps=2,3"]))
            corner = [Place(0, 0, 0), Place(0, 1, 0)]
            assert len(paint_missing(quiet, grid, corner)) == ordered(quiet) == 2
            paint_missing(quiet, grid)
            paint_missing(quiet, grid)
            assert ordered(quiet) == 6
            grid = kept(quiet, grid.extended(read_axis("seed=4", known_of(quiet, None))))
            paint_missing(quiet, grid)
            assert ordered(quiet) == 8
            assert {cell.state for cell in cells_of(quiet, grid).values()} == {PictureState.QUEUED}

    def test_another_axis_becomes_a_page_and_the_old_cells_stay(self, quiet: Project) -> None:
        grid = kept(quiet, make_grid(quiet, None, ["seed=1-3", "steps=2,3"]))
        keys = {cell.key for cell in cells_of(quiet, grid).values()}
        wider = kept(quiet, grid.extended(Axis(AxisKind.GUIDANCE, ("5",))))
        cells = cells_of(quiet, wider)
        assert wider.pages == (Axis(AxisKind.GUIDANCE, ("3", "5")),)
        assert {cell.key for place, cell in cells.items() if place.z == 0} == keys
        assert len(cells) == 12

    def test_cancelling_takes_off_the_grid_and_nothing_else(self, quiet: Project) -> None:
        with idle_painter(quiet):
            grid = kept(quiet, make_grid(quiet, None, ["seed=1-3", "steps=2,3"]))
            paint_missing(quiet, grid)
            other = order_pictures(quiet, [replace(grid.common, seed=99)])[0]
            with quiet.store() as store:
                assert GridShelf(store).cancel(grid) == 6
                assert [each.id for each in Queue(store).waiting_pictures()] == [other.id]
            assert progress_of(cells_of(quiet, grid)).failed == 6
            paint_missing(quiet, grid)
            assert progress_of(cells_of(quiet, grid)).waiting == 6

    def test_time_left_is_what_is_not_painted_at_the_measured_pace(self, quiet: Project) -> None:
        grid = kept(quiet, make_grid(quiet, None, ["seed=1-4"]))
        cells = cells_of(quiet, grid)
        assert progress_of(cells).seconds_left is None
        assert progress_of(cells, [2.0, 4.0]).seconds_left == pytest.approx(12.0)
        painted = replace(cells[Place(0, 0, 0)], state=PictureState.DONE, seconds=5.0, picture=1)
        assert progress_of({**cells, painted.place: painted}, [2.0]).seconds_left == pytest.approx(15.0)

    def test_five_thousand_cells_are_kept_and_read_in_a_moment(self, quiet: Project) -> None:
        began = time.process_time()
        grid = kept(quiet, make_grid(quiet, quiet.run(), ["seed=1-500", "strength=0.1-1 (+0.1)"]))
        assert len(cells_of(quiet, grid)) == 5000
        assert time.process_time() - began < 20


class TestPainting:
    @pytest.fixture(scope="class")
    def project(self, tmp_path_factory: pytest.TempPathFactory, lora: Path) -> Project:
        project = small_project(tmp_path_factory.mktemp("grid") / "james", images=0, painting__steps=2)
        run_with(project, lora)
        return project

    @pytest.fixture(scope="class")
    def grid(self, project: Project) -> Grid:
        prompts = ["photo of {trigger} {class}", "a man"]
        grid = kept(project, make_grid(project, project.run(), ["checkpoint", "strength=0.5,1"], prompts=prompts))
        paint(project, grid)
        return grid

    def test_every_cell_is_a_picture_that_tells_what_made_it(self, project: Project, grid: Grid) -> None:
        cells = cells_of(project, grid)
        assert len(cells) == 8
        assert all(cell.painted for cell in cells.values())
        assert len({cell.picture for cell in cells.values()}) == 6
        cell = cells[Place(1, 0, 1)]
        assert cell.path is not None
        assert cell.path.parent == project.pictures / "grids" / grid.name
        about = read_parameters(cell.path)
        assert about is not None
        assert (about.prompt, about.seed) == ("a man <lora:jx265:0.5>", 1)
        assert progress_of(cells).seconds_left == 0
        assert recent_paces(project)

    def test_a_cell_is_the_picture_that_painting_gives(self, project: Project, grid: Grid) -> None:
        order = orders_of(project, grid)[Place(1, 1, 0)]
        alone = order_pictures(project, [replace(order, path=project.pictures / "alone.png")])[0]
        wait_for(project, [alone.id])
        one, two = (
            np.asarray(Image.open(path), int) for path in (project.pictures / "alone.png", _path(project, grid))
        )
        assert np.abs(one - two).max() <= 1

    def test_a_new_row_and_a_lost_file_are_painted_and_nothing_else(self, project: Project, grid: Grid) -> None:
        before = ordered(project)
        lost = cells_of(project, grid)[Place(1, 0, 1)].path
        assert lost is not None
        lost.unlink()
        assert cells_of(project, grid)[Place(1, 0, 1)].state is None
        grid = kept(project, grid.extended(Axis(AxisKind.STRENGTH, ("0.25",))))
        cells = paint(project, grid)
        assert all(cell.painted for cell in cells.values())
        assert ordered(project) == before + 1 + 2

    def test_a_painter_that_is_killed_loses_and_doubles_nothing(self, project: Project) -> None:
        before = ordered(project)
        grid = kept(project, make_grid(project, project.run(), ["seed=100-107", "strength=0.5,1"], steps=4))
        paint_missing(project, grid)
        wait_until(lambda: progress_of(cells_of(project, grid)).painted > 0)
        pid = state(painter_folder(project)).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not painter_folder(project).alive())
        cells = paint(project, grid)
        assert all(cell.painted for cell in cells.values())
        assert ordered(project) == before + 16
        assert len(list((project.pictures / "grids" / grid.name).glob("*.png"))) == 16

    def test_the_sheet_has_every_cell_and_says_what_it_is(self, project: Project, grid: Grid, tmp_path: Path) -> None:
        cells = cells_of(project, grid)
        (whole,) = write_sheet(grid, cells, tmp_path / "whole.png")
        about = read_parameters(whole)
        assert about is not None
        assert about.extra["Z Values"] == "photo of jx265 man, a man"
        with Image.open(whole) as sheet:
            # A limit that the two pages keep to apart, but not in one file.
            megapixels = sheet.width * sheet.height / 1e6 * 0.8
        first, second = write_sheet(grid, cells, tmp_path / "sheet.png", most_megapixels=megapixels)
        about = read_parameters(first)
        assert about is not None
        assert about.extra["X Type"] == "Checkpoint"
        assert about.extra["X Values"] == "no LoRA, jx265"
        assert about.extra["Z Values"] == "photo of jx265 man"
        with Image.open(first) as sheet, Image.open(_path(project, grid)) as cell:
            pixels, part = np.asarray(sheet.convert("RGB"), int), np.asarray(cell.convert("RGB"), int)
        height, width = part.shape[:2]
        found = [
            (y, x)
            for y in range(pixels.shape[0] - height + 1)
            for x in range(pixels.shape[1] - width + 1)
            if (pixels[y, x] == part[0, 0]).all() and (pixels[y : y + height, x : x + width] == part).all()
        ]
        assert len(found) == 1
        assert write_sheet(grid, cells, tmp_path / "whole.png") == [tmp_path / "whole-2.png"]
        assert second == tmp_path / "sheet-2.png"


def _path(project: Project, grid: Grid) -> Path:
    path = cells_of(project, grid)[Place(1, 1, 0)].path
    assert path is not None
    return path


class TestSheet:
    def test_what_is_too_large_is_split_by_pages_rows_then_columns(self, quiet: Project) -> None:
        grid = make_grid(quiet, None, ["seed=1-10", "steps=1-6", "guidance=1,2"])
        whole = list(split(grid, (1000, 1000), 0, 100))
        assert [(part.z, len(part.rows), len(part.columns)) for part in whole] == [(0, 6, 10), (1, 6, 10)]
        by_rows = [(part.z, part.rows, len(part.columns)) for part in split(grid, (1000, 1000), 0, 45)]
        assert by_rows[:2] == [(0, range(4), 10), (0, range(4, 6), 10)]
        by_columns = list(split(grid, (1000, 1000), 0, 7))
        assert len(by_columns) == 2 * 6 * 2
        covered = [(part.z, y, x) for part in by_columns for y in part.rows for x in part.columns]
        assert len(covered) == len(set(covered)) == grid.size

    def test_a_cell_that_is_not_painted_stays_empty(self, quiet: Project, tmp_path: Path) -> None:
        grid = kept(quiet, make_grid(quiet, None, ["seed=1-2", 'prompt="a long prompt, with, commas",b']))
        cells = cells_of(quiet, grid)
        with pytest.raises(PictureError, match="is painted yet"):
            write_sheet(grid, cells, tmp_path / "s.png")
        Image.new("RGB", (64, 64), "red").save(tmp_path / "cell.png")
        one = replace(cells[Place(1, 0, 0)], state=PictureState.DONE, path=tmp_path / "cell.png", picture=1)
        (path,) = write_sheet(grid, {**cells, one.place: one}, tmp_path / "s.png", cell_pixels=32)
        with Image.open(path) as sheet:
            red = (np.asarray(sheet) == (255, 0, 0)).all(axis=2).sum()
        assert red == 32 * 32
        (told,) = write_sheet(
            grid, {**cells, one.place: replace(one, likeness=63.0)}, tmp_path / "t.png", cell_pixels=32
        )
        with Image.open(told) as with_likeness, Image.open(path) as without:
            assert with_likeness.height > without.height
        about = read_parameters(path)
        assert about is not None
        assert about.extra["Y Values"] == '"a long prompt, with, commas", b'
        assert Parameters.from_text(about.to_text()) == about

    def test_the_legend_tells_what_the_axes_do_not(self, quiet: Project) -> None:
        grid = make_grid(quiet, quiet.run(), ["strength=0.5,1", "seed=1-2"], prompts=["a man"], negative="hat")
        part = next(split(grid, (64, 64), 4, 64))
        first, second, last = legend(grid, part)
        assert (first, second) == ("a man", "without: hat")
        assert last.startswith("jx265 · 3 steps · CFG 3 · DPM++ 2M Karras · Limner ")
