"""What lies over a screen obeys the user's keys and names them; what is said is taken back; Escape is never needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.faces.records.decisions import Decision, Ledger
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery, Shown
from engine.pictures.gallery.votes import Votes
from engine.project import Project
from tests.support.story import idle_painter, story_project
from tests.tui.grids import with_grid
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.places import config_folder
from tui.screens.faces.compare import CompareScreen
from tui.screens.grid.screen import GridScreen
from tui.screens.pictures.dialogs import ExportScreen
from tui.screens.shared.ask_text import AskText
from tui.screens.training.screen import TrainingScreen
from tui.widgets.cells import Cells
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine
from tui.widgets.value_list import Dials


def configured(**keys: str) -> None:
    """The user's keys, by ids with ``_`` for their point."""
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'"{id_.replace("_", ".", 1)}" = "{key}"' for id_, key in keys.items()]
    (folder / "config.toml").write_text("\n".join(["[keys]", *lines]))


@pytest.fixture
def with_cells(tmp_path: Path) -> Iterator[Project]:
    """A project with a grid of which some is painted."""
    project = story_project(tmp_path / "james", faces=1)
    with idle_painter(project):
        with_grid(project, painted=11)
        yield project


def app(project: Project) -> LimnerApp:
    return LimnerApp(project.root, project)


def picture(project: Project, number: int) -> Shown:
    with project.store() as store:
        return Gallery(store).picture(number)


class TestTheUsersKeys:
    @pytest.mark.long
    async def test_pictures_side_by_side_are_judged_by_the_keys_of_the_screen(self, whole_story: Project) -> None:
        configured(pictures_favourite="w", compare_leave="Z", compare_right="F")
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6", "l", "l", "v")
            assert "h F side" in shown(pilot)
            assert "w favourite" in shown(pilot)
            assert "Z back" in shown(pilot)
            await press(pilot, "F", "f")
            assert not picture(whole_story, 4).favourite, "the key as it came does nothing any more"
            await press(pilot, "w")
            assert picture(whole_story, 4).favourite
            await press(pilot, "question_mark")
            assert "w              Make it a favourite" in shown(pilot)
            assert "Z              Reset the crop" in shown(pilot)
            await press(pilot, "question_mark", "escape")
            assert "Z back" in shown(pilot)
            await press(pilot, "Z")
            assert "Z back" not in shown(pilot)

    @pytest.mark.long
    async def test_rankings_turn_and_close_by_them(self, with_cells: Project) -> None:
        configured(choice_turn="o", choice_leave="Z")
        async with app(with_cells).run_test(size=(100, 30)) as pilot:
            await press(pilot, "6", "b")
            assert "o checkpoints or prompts · enter show its pictures · Z close" in shown(pilot)
            await press(pilot, "o")
            assert "Prompts, best first" in shown(pilot)
            await press(pilot, "Z", "number_sign", "R")
            await until(pilot, lambda: "o checkpoints or prompts   Z back" in shown(pilot))
            await press(pilot, "o")
            assert "prompts by votes" in shown(pilot)
            await press(pilot, "Z", "b")
            await until(pilot, lambda: "enter open   Z back" in shown(pilot))

    @pytest.mark.long
    async def test_what_is_told_in_passing_names_them(self, whole_story: Project) -> None:
        configured(pictures_favourite="w", pictures_queue="f7")
        with whole_story.store() as store:
            Ratings(store).favourite([each.id for each in Gallery(store).pictures() if each.favourite], False)
        async with app(whole_story).run_test(size=(120, 40), notifications=True) as pilot:
            await press(pilot, "6", "O")
            await until(pilot, lambda: "There is no favourite yet: w makes one." in shown(pilot))

    @pytest.mark.long
    async def test_a_field_is_left_by_them(self, whole_story: Project) -> None:
        configured(field_leave="f9", field_submit="f10")
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6", "O")
            assert "f10 copy · f9 cancel" in shown(pilot)
            await press(pilot, "f9", "slash")
            await type_text(pilot, "seed:35")
            assert isinstance(pilot.app.focused, TextLine)
            await press(pilot, "f9")
            assert not isinstance(pilot.app.focused, TextLine)
            await press(pilot, "3", "enter", "f9")
            assert isinstance(pilot.app.focused, Rows)


class TestWithoutEscape:
    @pytest.mark.long
    async def test_questions_with_a_field_are_left(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(100, 30)) as pilot:
            for keys, question in ((("6", "O"), ExportScreen), (("A",), AskText)):
                await press(pilot, *keys)
                assert isinstance(pilot.app.screen, question)
                await press(pilot, "q")
                assert isinstance(pilot.app.screen, question), "a letter is a letter there"
                await press(pilot, "f1")
                assert "Leave the field" in shown(pilot)
                assert "esc, ctrl+c" in shown(pilot)
                await press(pilot, "f1", "ctrl+c")
                assert not isinstance(pilot.app.screen, question)

    @pytest.mark.long
    async def test_the_filter_and_the_palette_are_left(self, story: Project) -> None:
        async with app(story).run_test(size=(100, 30)) as pilot:
            await press(pilot, "2", "slash", "ctrl+c")
            assert isinstance(pilot.app.focused, Rows)
            await press(pilot, "colon")
            await type_text(pilot, "doctor")
            await press(pilot, "ctrl+c")
            await until(pilot, lambda: "Search for" not in shown(pilot) and isinstance(pilot.app.focused, Rows))

    @pytest.mark.long
    async def test_what_is_selected_in_a_field_is_copied_first(self, story: Project) -> None:
        async with app(story).run_test(size=(100, 30)) as pilot:
            await press(pilot, "2", "slash")
            await type_text(pilot, "keep")
            await press(pilot, "shift+home", "ctrl+c")
            assert pilot.app.clipboard.strip() == "keep"
            assert isinstance(pilot.app.focused, TextLine)
            await press(pilot, "end", "ctrl+c")
            assert not isinstance(pilot.app.focused, TextLine)

    @pytest.mark.long
    async def test_q_goes_back_from_the_grid_and_quits_where_nothing_is_behind(self, with_cells: Project) -> None:
        limner = app(with_cells)
        async with limner.run_test(size=(200, 40)) as pilot:
            await press(pilot, "4", "number_sign")
            await until(pilot, lambda: isinstance(pilot.app.screen, GridScreen))
            await until(pilot, lambda: "q back" in shown(pilot))
            assert "q quit" not in shown(pilot)
            await press(pilot, "q")
            assert isinstance(pilot.app.screen, TrainingScreen)
            assert "q quit" in shown(pilot)
            await press(pilot, "3", "q")
            assert limner._exit


class TestTakingBack:
    @pytest.mark.long
    async def test_votes_on_the_grid(self, with_cells: Project) -> None:
        async with app(with_cells).run_test(size=(100, 30), notifications=True) as pilot:
            await press(pilot, "number_sign")
            await until(pilot, lambda: isinstance(pilot.app.screen, GridScreen) and grid_cells(pilot).items)
            await press(pilot, "l", "plus", "minus", "j", "plus")
            first, second = sorted(votes(with_cells))
            assert votes(with_cells) == {first: -1, second: 1}
            await press(pilot, "u", "u")
            assert votes(with_cells) == {first: 1}
            await until(pilot, lambda: "▲ for it" in shown(pilot))
            await press(pilot, "U", "U")
            assert votes(with_cells) == {first: -1, second: 1}
            here = grid_cells(pilot).item
            assert here is not None
            assert here.picture == second, "the cursor goes where something changed"
            await press(pilot, "N")
            before = grid_cells(pilot).item
            assert before is not None
            assert before.place < here.place
            await press(pilot, "n", "n")
            after = grid_cells(pilot).item
            assert after is not None
            assert not after.vote

    @pytest.mark.long
    async def test_what_was_decided_side_by_side(self, story: Project) -> None:
        async with app(story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "2", "v")
            assert isinstance(pilot.app.screen, CompareScreen)
            before = decisions(story)
            await press(pilot, "h", "x")
            assert decisions(story) != before
            await press(pilot, "u")
            assert decisions(story) == before
            await press(pilot, "U")
            assert decisions(story) != before

    @pytest.mark.long
    async def test_verdicts_on_pictures_side_by_side(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40), notifications=True) as pilot:
            await press(pilot, "6", "l", "l", "v", "Y")
            assert (picture(whole_story, 5).favourite, picture(whole_story, 4).rejected) == (1, 1)
            await press(pilot, "u", "u")
            assert (picture(whole_story, 5).favourite, picture(whole_story, 4).rejected) == (0, 0)
            await press(pilot, "U")
            assert picture(whole_story, 5).favourite

    async def test_marks_of_variations(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40), notifications=True) as pilot:
            await press(pilot, "5", "V", "g", "g", "j", "y", "x")
            assert "1 kept" in shown(pilot)
            assert "✗" in shown(pilot)
            await press(pilot, "u", "u")
            assert "kept" not in pane_title(pilot)
            await press(pilot, "u")
            await until(pilot, lambda: "There is nothing to undo." in shown(pilot))
            await press(pilot, "U")
            assert "1 kept" in pane_title(pilot)


class TestMoving:
    async def test_n_goes_to_the_next_picture_that_nothing_is_said_of(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6", "G", "N")
            at = pilot.app.screen.query_one("#pictures").item  # type: ignore[attr-defined]
            assert at.painted
            assert not any((at.rating, at.favourite, at.rejected))
            await press(pilot, "f", "n")
            now = pilot.app.screen.query_one("#pictures").item  # type: ignore[attr-defined]
            assert now.id != at.id

    @pytest.mark.long
    async def test_stars_are_given_by_a_digit_or_from_the_list(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6", "l", "l", "r", "j", "j", "j", "enter")
            assert picture(whole_story, 5).rating == 3
            await press(pilot, "r", "k", "enter")
            assert picture(whole_story, 5).rating == 2, "it begins at the stars that there are"
            await press(pilot, "r", "5", "r", "q")
            assert picture(whole_story, 5).rating == 5

    async def test_dials_take_counts_and_have_a_first_and_a_last(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "4", "p")
            dials = pilot.app.screen.query_one(Dials)
            await press(pilot, "G")
            assert dials.cursor == len(dials.dials) - 1
            await press(pilot, "g", "g")
            assert dials.cursor == 0
            before = dials.values[dials.dial.key]
            await press(pilot, "0", "2", "l")
            assert dials.values[dials.dial.key] == dials.dial.step(dials.dial.step(before, 1), 1)


@pytest.mark.parametrize("key", ["tab", "shift+tab"])
async def test_the_fields_of_a_new_project_are_gone_through(tmp_path: Path, key: str) -> None:
    async with LimnerApp(tmp_path, None).run_test(size=(100, 30)) as pilot:
        await press(pilot, "N", key)
        assert pilot.app.focused is not None
        assert pilot.app.focused.id == "class"


async def test_words_that_wont_do_are_told_plainly_and_are_there_to_be_mended(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    async with LimnerApp(folder, None).run_test(size=(100, 30)) as pilot:
        await press(pilot, "N", "ctrl+u")
        await type_text(pilot, "my name")
        await press(pilot, "enter", "enter")
        (told,) = pilot.app._notifications
        assert told.message == "Write one word, without spaces or commas"
        assert "limner.toml" not in f"{told.title}{told.message}", "there is no such file"
        assert pilot.app.screen.query_one("#trigger", TextLine).value == "my name"
        assert not folder.exists()


@pytest.mark.long
async def test_the_last_face_is_compared_with_the_one_before_it(story: Project) -> None:
    async with app(story).run_test(size=(120, 40)) as pilot:
        await press(pilot, "2", "G", "v")
        assert isinstance(pilot.app.screen, CompareScreen)
        left, right = (str(pane.border_title) for pane in pilot.app.screen.query(".pane"))
        assert left != right.removeprefix("▸ ")


@pytest.mark.parametrize("number", ["2", "6"])
@pytest.mark.long
async def test_all_that_a_filter_word_may_be_is_told_on_enter(whole_story: Project, number: str) -> None:
    async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
        await press(pilot, number, "slash")
        await type_text(pilot, "is:zzz")
        await press(pilot, "enter")
        (told,) = pilot.app._notifications
        assert told.message.count(", ") > 4


def grid_cells(pilot: Pilot[None]) -> Cells:
    return pilot.app.screen.query_one(Cells)


def pane_title(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#variants-pane").border_title)


def votes(project: Project) -> dict[int, int]:
    with project.store() as store:
        return Votes(store).of()


def decisions(project: Project) -> list[Decision]:
    with project.store() as store:
        return [face.decision for face in Ledger(store).faces()]
