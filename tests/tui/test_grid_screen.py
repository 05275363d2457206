"""The grid by its keys: moving, voting, pages, rows and columns, painting what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.pictures.gallery.votes import Votes
from engine.pictures.grid.painting import cells_of, kept, make_grid
from engine.pictures.grid.plan import Grid, Place
from engine.pictures.grid.store import GridShelf
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.queue import Queue
from engine.project import Project
from tests.support.pictures import settle
from tests.support.story import idle_painter, story_project, with_run
from tests.tui.grids import with_grid, with_votes
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.grid.screen import GridScreen, axes_of
from tui.widgets.cells import Cells
from tui.widgets.text_line import TextLine


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = story_project(tmp_path / "james", faces=1)
    with idle_painter(project):
        yield project


@pytest.fixture
def grid(project: Project) -> Grid:
    return with_grid(project, painted=11)


def place(pilot: Pilot[None]) -> Place:
    cell = pilot.app.screen.query_one(Cells).item
    assert cell is not None
    return cell.place


def said(pilot: Pilot[None]) -> str:
    """What the app told in passing."""
    return "\n".join(f"{each.title} {each.message}" for each in pilot.app._notifications)


def votes(project: Project) -> dict[int, int]:
    with project.store() as store:
        return Votes(store).of()


async def opened(pilot: Pilot[None]) -> None:
    await settle(pilot)
    await press(pilot, "number_sign")
    await until(pilot, lambda: isinstance(pilot.app.screen, GridScreen) and pilot.app.screen.query_one(Cells).items)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.long
async def test_cells_stand_by_column_and_row_and_the_cursor_stops_at_the_edges(
    project: Project, grid: Grid, size: tuple[int, int]
) -> None:
    async with LimnerApp(project.root, project).run_test(size=size) as pilot:
        await opened(pilot)
        text = shown(pilot)
        assert "checkpoint × strength · photo of jx265 man" in text
        assert "no LoRA" in text
        assert "15 of 18 painted" in text
        assert place(pilot) == Place(0, 0, 0)
        await press(pilot, "h", "k")
        assert place(pilot) == Place(0, 0, 0)
        await press(pilot, "l", "l", "l", "l")
        assert place(pilot) == Place(2, 0, 0)
        await press(pilot, "j", "j", "j")
        assert place(pilot) == Place(2, 2, 0)
        assert "jx265-000002 at 1" in shown(pilot)
        await press(pilot, "tab")
        assert place(pilot) == Place(2, 2, 1)
        assert "golden hour" in shown(pilot)
        await press(pilot, "shift+tab", "g", "g")
        assert place(pilot) == Place(0, 0, 0)


async def test_a_key_votes_and_the_same_key_takes_it_back(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "l", "plus")
        number = cells_of(project, grid)[Place(1, 0, 0)].picture
        assert votes(project) == {number: 1}
        assert "▲ for it" in shown(pilot)
        await press(pilot, "minus")
        assert votes(project) == {number: -1}
        await press(pilot, "minus")
        assert votes(project) == {}
        # Without a LoRA the three strengths are one picture: one vote is all of theirs.
        await press(pilot, "h", "plus")
        assert sum(cell.vote for cell in cells_of(project, grid).values()) == 3
        await press(pilot, "n")
        assert place(pilot) == Place(1, 0, 0)


@pytest.mark.long
async def test_what_is_not_painted_can_t_be_voted_on_and_is_told(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "tab", "G", "plus")
        assert cells_of(project, grid)[place(pilot)].state is PictureState.QUEUED
        assert votes(project) == {}
        assert "Only painted pictures" in said(pilot)


@pytest.mark.long
async def test_a_row_or_a_column_alone(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        cells = pilot.app.screen.query_one(Cells)
        await press(pilot, "j", "r")
        assert [cell.place.y for cell in cells.items] == [1, 1, 1]
        await press(pilot, "l", "c")
        assert [cell.place for cell in cells.items] == [Place(1, 1, 0)]
        await press(pilot, "r", "c")
        assert len(cells.items) == 9
        assert place(pilot) == Place(1, 1, 0)


@pytest.mark.long
async def test_the_rest_is_cancelled_and_painted_again_by_keys(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "x")
        states = [cell.state for cell in cells_of(project, grid).values()]
        assert states.count(PictureState.CANCELLED) == 3
        await until(pilot, lambda: "3 not" in shown(pilot))
        await press(pilot, "p")
        states = [cell.state for cell in cells_of(project, grid).values()]
        assert states.count(PictureState.QUEUED) == 3


@pytest.mark.long
async def test_cells_come_in_while_one_looks(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        waiting = [cell for cell in cells_of(project, grid).values() if cell.waiting]
        source = cells_of(project, grid)[Place(0, 0, 0)].path
        assert source is not None
        with project.store() as store:
            queue = Queue(store)
            for cell in waiting:
                path = project.pictures / f"{cell.picture}.png"
                path.write_bytes(source.read_bytes())
                assert cell.picture is not None
                queue.finish(cell.picture, path, 3.0)
        await until(pilot, lambda: "18 of 18 painted" in shown(pilot))


async def test_more_values_are_typed_and_only_they_are_painted(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "e")
        await type_text(pilot, "strength=1.2")
        await press(pilot, "enter")
        await until(pilot, lambda: "17 of 24" in shown(pilot))
        with project.store() as store:
            again = GridShelf(store).grid("story")
            assert again.rows == ("0.6", "0.8", "1", "1.2")
            assert len(Queue(store).pictures()) == 14 + 4
        await press(pilot, "e")
        await type_text(pilot, "strength=much")
        await press(pilot, "enter")
        assert "»much«" in said(pilot)
        assert pilot.app.screen.query_one(TextLine).value == "strength=much", "to be mended"


@pytest.mark.long
async def test_the_ranking_tells_who_was_liked(project: Project, grid: Grid) -> None:
    with_votes(project, grid)
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "R")
        text = shown(pilot)
        assert text.index("jx265-000002 at 0.8") < text.index("jx265-000001 at 0.6")
        await press(pilot, "tab")
        assert "soft window light" in shown(pilot)


@pytest.mark.long
async def test_the_sheet_is_written(project: Project, grid: Grid) -> None:
    async with LimnerApp(project.root, project).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await press(pilot, "w")
        assert "pictures/grids/story.png" in said(pilot)
        assert (project.pictures / "grids" / "story.png").is_file()


async def test_one_key_on_the_training_screen_makes_the_run_s_usual_grid(project: Project) -> None:
    run = with_run(project, done=True)
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "tab", "X")
        await until(pilot, lambda: isinstance(pilot.app.screen, GridScreen) and "queued" in shown(pilot))
        with project.store() as store:
            (grid,) = GridShelf(store).grids()
            waiting = len(Queue(store).waiting_pictures())
        assert (grid.name, grid.size) == (f"{run.id}-usual", 27)
        assert waiting > 0
        await press(pilot, "escape")
        assert "4 Training" in shown(pilot)
        await press(pilot, "X")
        with project.store() as store:
            assert len(GridShelf(store).grids()) == 1
            assert len(Queue(store).waiting_pictures()) == waiting


@pytest.mark.long
async def test_without_a_grid_the_screen_says_what_makes_one(project: Project) -> None:
    with_run(project, done=True)
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "number_sign")
        assert "There is no grid yet" in shown(pilot)
        await press(pilot, "a")
        await type_text(pilot, "steps=2,3 x seed=1-4")
        await press(pilot, "enter")
        await until(pilot, lambda: "0 of 8 painted" in shown(pilot))
        assert "steps 2" in shown(pilot)


@pytest.mark.long
async def test_thousands_of_cells_are_moved_through_as_quickly_as_hundreds(project: Project) -> None:
    few, many = [await _seconds_of_moves(project, columns) for columns in (60, 250)]
    assert many < 2 * few, (few, many)


async def _seconds_of_moves(project: Project, columns: int) -> float:
    """What moving takes of the processor in a grid of so many columns and 20 rows: other programs don't count."""
    kept(project, make_grid(project, None, [f"seed=1-{columns}", "strength=0.1-2 (+0.1)"]))
    async with LimnerApp(project.root, project).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert len(pilot.app.screen.query_one(Cells).items) == columns * 20
        began = time.process_time()
        await press(pilot, "G")
        assert place(pilot) == Place(columns - 1, 19, 0)
        await pilot.press(*["h"] * 50)
        assert place(pilot) == Place(columns - 51, 19, 0)
        return time.process_time() - began


def test_axes_of_a_line_are_parted_by_x() -> None:
    assert axes_of('checkpoint x strength=0.6 × prompt="a x b",c') == [
        "checkpoint",
        "strength=0.6",
        'prompt="a x b",c',
    ]
