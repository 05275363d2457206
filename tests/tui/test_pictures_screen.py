"""The Pictures screen by its keys: found, judged, compared, painted again, taken off the queue, copied."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from textual.pilot import Pilot

from engine.jobs.folder import Request
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.gallery.rows import Gallery, Shown
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.picture import PictureOrder, PictureState
from engine.pictures.orders.png_parameters import Parameters, png_text
from engine.pictures.orders.queue import Picture, Queue
from engine.pictures.orders.start import order_pictures, painter_folder, preview_path
from engine.project import Project
from engine.prompts.store import PromptStore
from engine.settings.samplers import Sampler
from tests.support.many_pictures import many_pictures
from tests.support.png import read_parameters
from tests.support.small_project import small_project
from tests.support.story import idle_painter
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.pictures.compare import PicturesCompare
from tui.screens.pictures.screen import PicturesScreen
from tui.screens.prompts.screen import PromptsScreen
from tui.widgets.text_line import TextLine

NAMES = {":": "colon", ">": "greater_than_sign", "=": "equals_sign", "-": "minus", ".": "full_stop", "/": "slash"}


def app(project: Project) -> LimnerApp:
    return LimnerApp(project.root, project)


def screen(pilot: Pilot[None]) -> PicturesScreen:
    found = pilot.app.screen
    assert isinstance(found, PicturesScreen)
    return found


def tiles(pilot: Pilot[None]) -> list[int]:
    return [picture.id for picture in screen(pilot).grid.items]


def here(pilot: Pilot[None]) -> int | None:
    item = screen(pilot).grid.item
    return item.id if item is not None else None


def saved(project: Project) -> dict[int, Shown]:
    with project.store() as store:
        return {picture.id: picture for picture in Gallery(store).pictures()}


def waiting(project: Project) -> list[Picture]:
    with project.store() as store:
        return Queue(store).waiting_pictures()


def ordered(project: Project) -> list[PictureOrder]:
    """All that were ever queued, oldest first."""
    with project.store() as store:
        return list(Queue(store).pictures()[::-1])


async def type_filter(pilot: Pilot[None], text: str) -> None:
    await press(pilot, "slash")
    for letter in text:
        await pilot.press(NAMES.get(letter, "space" if letter == " " else letter))
    await press(pilot, "enter")


class TestLooking:
    async def test_all_is_there_newest_first_with_what_forms_before_it(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6")
            assert tiles(pilot) == [7, 6, 5, 4, 3, 2, 1]
            assert [picture.id for picture in screen(pilot).queue.items] == [7, 8]
            await press(pilot, "l")
            assert "the GPU ran out of memory" in shown(pilot)
            await press(pilot, "l")
            text = shown(pilot)
            assert "seed 35 · jx265-000002 at 0.80" in text
            assert "sd_xl_base_1.0" in text, "what the file itself tells"
            assert "likeness 31" in text

    async def test_a_filter_points_at_its_errors_and_is_there_after_a_restart(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6")
            await type_filter(pilot, "rating:>=3 likeness>50")
            assert tiles(pilot) == [2]
            assert "1 of 5" in shown(pilot)
            await type_filter(pilot, " ratng:1 x")
            assert "did you mean rating:?" in shown(pilot)
            await press(pilot, "slash", "ctrl+u", "escape")
            await type_filter(pilot, "is:rej")
            assert "“is:rej” is not understood: did you mean rejected?" in shown(pilot), "not passed over"
            await press(pilot, "slash", "ctrl+u", "escape")
            await type_filter(pilot, "sort:likeness")
            assert tiles(pilot) == [2, 3, 5, 6, 4, 1]
            await press(pilot, "g", "g", "l", "l", "5")
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6")
            assert screen(pilot).query_one("#filter", TextLine).value == "sort:likeness"
            assert (tiles(pilot)[:3], here(pilot)) == ([2, 3, 5], 5), "and the picture under the cursor"
            await press(pilot, "slash", "ctrl+u", *"is:rej")
            assert "is:rejected" in shown(pilot)
            await press(pilot, "right", "enter")
            assert screen(pilot).query_one("#filter", TextLine).value == "is:rejected"

    @pytest.mark.long
    async def test_a_picture_dropped_into_the_folder_is_found_with_what_made_it(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "5")
            about = Parameters(prompt="an oil painting", steps=20, sampler="Euler a", guidance=7.0, seed=4711)
            Image.new("RGB", (64, 64), "teal").save(whole_story.pictures / "mine.png", pnginfo=png_text(about))
            (whole_story.pictures / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
            await press(pilot, "6")
            await until(pilot, lambda: len(tiles(pilot)) == 8)
            assert "1 found that was made elsewhere" in shown(pilot)
            await type_filter(pilot, "is:outside oil")
            assert "seed 4711 · base" in shown(pilot)

    @pytest.mark.long
    async def test_what_a_command_says_meanwhile_is_seen(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6", "G")
            with whole_story.store() as store:
                Ratings(store).rate([1], 4)
            await until(pilot, lambda: "★★★★☆" in shown(pilot))
            assert here(pilot) == 1, "the cursor stays on its picture"

    @pytest.mark.long
    async def test_ten_thousand_are_open_at_once_and_scrolled_through(self, project: Project) -> None:
        many_pictures(project, 10_000)
        with idle_painter(project):
            async with app(project).run_test(size=(120, 40)) as pilot:
                await pilot.press("6")
                began = time.process_time()
                while len(screen(pilot).grid.items) < 10_000:
                    await pilot.pause(0.01)
                assert time.process_time() - began < 5, "half a second where nothing else works"
                await press(pilot, "G")
                assert here(pilot) == 1
                await press(pilot, "g", "g", "ctrl+d")
                assert here(pilot) != 1


class TestSaying:
    async def test_stars_and_rejects_are_saved_by_key_and_undone_after_a_restart(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "l", "l", "plus", "plus", "minus", "f")
            assert (saved(whole_story)[5].rating, saved(whole_story)[5].favourite) == (1, 1)
            await press(pilot, "r", "4")
            assert "4★ 31" in shown(pilot), "under the thumbnail"
            assert "★★★★☆ · likeness 31" in shown(pilot), "under the picture"
            await press(pilot, "x")
            assert (saved(whole_story)[5].rejected, here(pilot)) == (1, 4), "out of sight, the next under the cursor"
            assert 5 not in tiles(pilot)
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "u")
            assert "Undid: reject 5" in shown(pilot)
            assert (saved(whole_story)[5].rejected, here(pilot)) == (0, 5)
            await press(pilot, "u", "u")
            assert (saved(whole_story)[5].rating, saved(whole_story)[5].favourite) == (1, 0)
            await press(pilot, "U")
            assert saved(whole_story)[5].favourite == 1
            await press(pilot, *["u"] * 8)
            await until(pilot, lambda: "There is nothing to undo." in shown(pilot))
            assert all(not each.rating and not each.favourite for each in saved(whole_story).values())

    @pytest.mark.long
    async def test_keys_act_on_all_that_is_marked(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6", "l", "l", "space", "space", "space")
            assert "3 marked" in shown(pilot)
            await press(pilot, "plus", "f")
            found = saved(whole_story)
            assert [(found[number].rating, found[number].favourite) for number in (3, 4, 5)] == [(1, 1), (4, 1), (1, 1)]
            await press(pilot, "x")
            assert tiles(pilot) == [7, 6, 2, 1]
            await press(pilot, "u", "escape", "x")
            assert sum(each.rejected for each in saved(whole_story).values()) == 1

    @pytest.mark.long
    async def test_a_prompt_s_stars_follow_its_pictures(self, whole_story: Project) -> None:
        with whole_story.store() as store:
            shelf, queue = PromptStore(store), Queue(store)
            parent = shelf.add("photo of jx265 man")
            child = shelf.add("photo of jx265 man, in snow", parent_id=parent.id)
            order = replace(order_for(whole_story, child.text), prompt_id=child.id)
            painted = queue.add([order, replace(order, seed=order.seed + 1, path=order.path.with_suffix(".b.png"))])
            for each in painted:
                Image.new("RGB", (32, 32)).save(each.path)
                queue.finish(each.id, each.path, 1.0)
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "l", "plus", "plus", "l", *("plus",) * 7)
            await press(pilot, "5", "T")
            await until(pilot, lambda: "3.5★ photo of jx265 man, in snow" in shown(pilot))
            await press(pilot, "escape", "6", "h", "minus", "minus")
        with whole_story.store() as store:
            # A picture whose stars were taken back does not count.
            assert (PromptStore(store).prompt(child.id).stars, PromptStore(store).prompt(child.id).pictures) == (5.0, 1)

    async def test_what_is_not_painted_gets_no_stars_and_says_why(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "l", "plus")
            await until(pilot, lambda: "Only a painted picture can be rated" in shown(pilot))

    async def test_two_and_four_are_compared_and_judged_side_by_side(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6", "l", "l", "v")
            assert isinstance(pilot.app.screen, PicturesCompare)
            assert all(f"seed {seed} " in shown(pilot) for seed in (35, 28))
            await press(pilot, "l", "plus", "f")
            assert (saved(whole_story)[4].rating, saved(whole_story)[4].favourite) == (4, 1)
            await press(pilot, "4")
            assert all(f"seed {seed} " in shown(pilot) for seed in (35, 28, 21, 14))
            await press(pilot, "j", "n", "x")
            assert saved(whole_story)[1].rejected == 1
            assert "seed 7 " in shown(pilot), "a rejected one stays where it is compared"
            await press(pilot, "tab", "escape")
            assert (1 in tiles(pilot), here(pilot)) == (False, 5)

    @pytest.mark.long
    async def test_marked_ones_are_compared(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "G", "space", "v")
            await until(pilot, lambda: "Mark two to four" in shown(pilot))
            await press(pilot, "h", "h", "h", "space", "v")
            assert all(f"seed {seed} " in shown(pilot) for seed in (7, 28))

    @pytest.mark.long
    async def test_what_was_liked_best_is_ranked_and_shown(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6", "b")
            assert "jx265-000002 at 0.8" in shown(pilot)
            await press(pilot, "tab")
            assert "photo of jx265 man, " in shown(pilot)
            await press(pilot, "tab", "enter")
            assert screen(pilot).query_one("#filter", TextLine).value == "lora=jx265-000002 strength:0.8"
            assert tiles(pilot)[-5:] == [5, 4, 3, 2, 1]


class TestTheQueue:
    @pytest.mark.long
    async def test_what_waits_is_moved_and_cancelled_what_is_painted_too(self, whole_story: Project) -> None:
        with whole_story.store() as store:
            Queue(store).add([order_for(whole_story, "a man", seed=99)])
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "Q", "G", "K")
            assert [picture.id for picture in waiting(whole_story)] == [7, 9, 8]
            assert screen(pilot).queue.cursor == 1, "the cursor goes along"
            await press(pilot, "J", "T", "c")
            assert [picture.id for picture in waiting(whole_story)] == [7, 8]
            await press(pilot, "g", "g", "J")
            await until(pilot, lambda: "It is being painted already." in shown(pilot))
            await press(pilot, "c", "c")
            assert waiting(whole_story) == []
            assert screen(pilot).grid.has_focus, "with an empty queue the keys act on the pictures again"
            assert not screen(pilot).queue.display
            await type_filter(pilot, "is:cancelled")
            assert tiles(pilot) == [9, 8, 7]
            await press(pilot, "R")
            assert [picture.id for picture in waiting(whole_story)] == [9]

    @pytest.mark.long
    async def test_the_one_being_painted_is_cancelled_from_its_tile(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6", "c")
            assert saved(whole_story)[7].state == PictureState.CANCELLED
            await press(pilot, "l", "c")
            assert [picture.id for picture in waiting(whole_story)] == [8], "a painted one is none to cancel"

    async def test_a_failed_one_is_tried_again(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6", "l", "R")
            await until(pilot, lambda: [each.id for each in waiting(whole_story)] == [7, 8, 6])

    @pytest.mark.long
    async def test_a_failed_one_says_why_with_the_files_name_and_all_of_it_beside(self, whole_story: Project) -> None:
        why = "/srv/a/long/way/down/jx265-000002.safetensors is not a safetensors file: give a .safetensors LoRA"
        with whole_story.store() as store:
            Queue(store).fail(7, why)
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6")
            await until(pilot, lambda: "…/jx265-000002.safetensors is" in shown(pilot))
            assert "give a │" in shown(pilot)
            assert ".safetensors LoRA" in shown(pilot)
            assert "…/jx265- " in shown(pilot), "the tile begins at the beginning"
            assert "long/way" not in shown(pilot)


class TestGoingOn:
    @pytest.mark.long
    async def test_more_like_it_are_ordered_with_new_seeds(self, whole_story: Project) -> None:
        whole_story.change({"base.model": "demo"})
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6", "l", "l", "a")
            await until(pilot, lambda: len(ordered(whole_story)) == 9)
            await press(pilot, "A", "ctrl+u", "3", "enter")
            await until(pilot, lambda: len(ordered(whole_story)) == 12)
            await press(pilot, "z")
            await until(pilot, lambda: len(ordered(whole_story)) == 13)
        fix = ordered(whole_story)[12]
        assert fix.face_fix is not None
        assert (fix.face_fix.only, fix.source) == (True, saved(whole_story)[5].file)
        old, *new = [ordered(whole_story)[number] for number in (4, 8, 9, 10, 11)]
        assert {(each.prompt, each.steps, each.lora) for each in new} == {(old.prompt, old.steps, old.lora)}
        assert len({each.seed for each in (old, *new)}) == 5

    @pytest.mark.long
    async def test_its_prompt_and_its_settings_go_back_to_prompts(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "6", "l", "l", "E")
            assert "DPM++ 2M → Euler" in shown(pilot)
            await press(pilot, "n")
            assert whole_story.settings.painting.sampler is Sampler.DPMPP_2M
            await press(pilot, "E", "y")
            await until(pilot, lambda: isinstance(pilot.app.screen, PromptsScreen))
            assert (
                pilot.app.screen.query_one("#prompt", TextLine).value == "photo of jx265 man, studio light, navy suit"
            )
        assert whole_story.settings.painting.sampler is Sampler.EULER

    @pytest.mark.long
    async def test_its_parameters_are_shown_and_copied(self, whole_story: Project) -> None:
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "l", "l", "i")
            assert "Seed: 35" in shown(pilot)
            await press(pilot, "i")
            assert "Seed: 35" not in shown(pilot), "the key that opened it closes it"
            await press(pilot, "i", "question_mark")
            assert "C              Copy its generation parameters" in shown(pilot)
            await press(pilot, "q", "C")
            await until(pilot, lambda: "Copied its parameters." in shown(pilot))
            told = read_parameters(saved(whole_story)[5].file)
            assert told is not None
            assert pilot.app.clipboard == told.to_text()

    @pytest.mark.parametrize("metadata", [True, False])
    @pytest.mark.long
    async def test_favourites_are_copied_to_a_folder(
        self, whole_story: Project, tmp_path: Path, metadata: bool
    ) -> None:
        out = tmp_path / "best"
        async with app(whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "6", "O", "ctrl+u")
            assert "Copy 1 favourite to" in shown(pilot)
            await type_text(pilot, "")
            pilot.app.screen.query_one(TextLine).value = str(out)
            await press(pilot, *(() if metadata else ("tab",)), "enter")
            await until(pilot, lambda: "1 copied to" in shown(pilot))
        copied = next(out.iterdir())
        assert (read_parameters(copied) is not None) == metadata
        assert copied.name == saved(whole_story)[2].name


@pytest.mark.long
async def test_a_picture_is_seen_forming_and_cancelled_while_it_is_painted(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=0, painting__steps=450, painting__idle_seconds=60.0)
    try:
        order = order_for(project, "a man", seed=1)
        number = order_pictures(project, [order])[0].id
        async with app(project).run_test(size=(120, 40)) as pilot:
            await press(pilot, "6")
            await until(pilot, lambda: preview_path(project, number).exists())
            await until(pilot, lambda: "/450" in shown(pilot))
            subject = screen(pilot).subject(screen(pilot).grid.items[0])
            assert subject is not None
            assert subject.load().size[0] > 0
            await press(pilot, "c")
            await until(pilot, lambda: saved(project)[number].state == PictureState.CANCELLED)
            await until(pilot, lambda: not preview_path(project, number).exists())
        assert not order.path.exists()
    finally:
        painter_folder(project).ask(Request.STOP)


@pytest.fixture(autouse=True)
def nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


async def test_the_last_picture_has_the_one_before_it_beside_it(whole_story: Project) -> None:
    async with app(whole_story).run_test(size=(120, 40)) as pilot:
        await press(pilot, "6", "G", "v")
        assert isinstance(pilot.app.screen, PicturesCompare)
        assert sum(side.display for side in pilot.app.screen.query(".pane")) == 2
