"""The app by its keys: each test goes a way that a user goes, and looks at the screen and at the disk."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

import tui.screens.connect.screen
from engine.demo.library import DrawnLibrary
from engine.errors import WrongPassword
from engine.faces.photo.geometry import Cut, Framing
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.records.measurement_store import MeasuredFaces
from engine.jobs.folder import Request
from engine.pictures.orders.queue import PictureOrder, Queue
from engine.project import Project, open_project
from tests.support.patience import PATIENCE, Patience
from tests.support.pictures import settle
from tests.support.story import RUN, alive, story_project, with_dataset, with_run
from tui.app.app import LimnerApp
from tui.screens.faces.screen import FacesScreen
from tui.screens.prompts.screen import PromptsScreen
from tui.screens.training.screen import TrainingScreen
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def type_text(pilot: Pilot[None], text: str) -> None:
    for letter in text:
        await pilot.press(letter if letter.isalnum() else {" ": "space"}.get(letter, letter))
    await settle(pilot)


async def until(pilot: Pilot[None], there: Callable[[], bool], seconds: float = PATIENCE) -> None:
    patience = Patience(seconds)
    while True:
        await settle(pilot)
        if there():
            return
        if not patience.lasts():
            raise AssertionError(f"it never comes to that {patience}\n{shown(pilot)}")
        await pilot.pause(0.05)


def shown(pilot: Pilot[None]) -> str:
    """The screen as text."""
    screen = pilot.app.screen
    width, height = screen.size
    strips = screen._compositor.render_strips()
    return "\n".join(strip.text[:width] for strip in strips[:height])


def decided(project: Project) -> dict[int, Decision]:
    with project.store() as store:
        return {face.id: face.decision for face in Ledger(store).faces()}


def cursor(pilot: Pilot[None]) -> Face:
    item = pilot.app.screen.query_one("#faces", Rows).item
    assert isinstance(item, Face)
    return item


class TestConnect:
    async def test_from_an_empty_folder_to_a_person_s_faces(self, tmp_path: Path, drawn_library: DrawnLibrary) -> None:
        library = drawn_library
        app = LimnerApp(tmp_path, None)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "no project" in shown(pilot)
            await press(pilot, "N", "enter")
            await press(pilot, *["backspace"] * 6)
            await type_text(pilot, "man")
            await press(pilot, "enter")
            project = open_project(tmp_path)
            assert project.settings.person.class_word == "man"
            assert "What keeps your photos?" in shown(pilot)
            await press(pilot, "enter")
            await type_text(pilot, str(library.index))
            await press(pilot, "enter", "enter", "enter")
            await type_text(pilot, str(library.originals))
            await press(pilot, "enter")
            await type_text(pilot, str(library.sidecar))
            await press(pilot, "enter")
            assert "✓ SQLite" in shown(pilot)
            assert "originals: 5 of 5" in shown(pilot)
            await press(pilot, "slash")
            await type_text(pilot, "oma")
            await press(pilot, "enter", "enter")
            await until(pilot, lambda: isinstance(app.screen, FacesScreen))
            await until(pilot, lambda: "of 8" in shown(pilot))
            assert project.settings.library.url == f"sqlite://{library.index}"
            assert project.settings.person.name == "Omar"

    async def test_what_is_wrong_is_told_with_what_to_do(self, tmp_path: Path) -> None:
        project = story_project(tmp_path / "p", faces=1)
        project.change({"library.url": "sqlite:///nowhere/index.db"})
        async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
            await press(pilot, "1")
            assert "✗ there is no index at /nowhere/index.db" in shown(pilot)
            assert "→ give the index.db" in shown(pilot)

    async def test_a_typed_password_is_masked_and_in_no_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[str] = []

        def refuse(entered: tui.screens.connect.screen.Entered, private: bool, base: Path | None) -> object:
            given.append(entered.password)
            raise WrongPassword("the server refused photoprism", "check the password")

        monkeypatch.setattr(tui.screens.connect.screen, "look", refuse)
        project = story_project(tmp_path / "p", faces=1)
        async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
            await press(pilot, "1")
            pilot.app.screen.query_one("#password").focus()
            await type_text(pilot, "opensesame")
            assert "opensesame" not in shown(pilot)
            assert "••••••••••" in shown(pilot)
            await press(pilot, "f6")
            assert given[-1] == "opensesame"
            assert "✗ the server refused" in shown(pilot)
        assert all(b"opensesame" not in path.read_bytes() for path in project.root.rglob("*") if path.is_file())


class TestFaces:
    async def test_a_key_decides_is_saved_at_once_and_goes_on(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            first = cursor(pilot).id
            await press(pilot, "y")
            assert decided(story)[first] is Decision.KEEP
            second = cursor(pilot).id
            assert second != first
            await press(pilot, "x")
            assert decided(story)[second] is Decision.REJECT
            assert "· 6 kept" in shown(pilot)
            await press(pilot, "u", "u")
            assert decided(story)[first] is Decision.UNDECIDED
            assert cursor(pilot).id == first
            await press(pilot, "U")
            assert decided(story)[first] is Decision.KEEP
            await press(pilot, "ctrl+r")
            assert decided(story)[second] is Decision.REJECT
            await press(pilot, "k", "c")
            assert decided(story)[first] is Decision.UNDECIDED

    async def test_what_was_decided_yesterday_can_be_undone_today(self, story: Project) -> None:
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            face = cursor(pilot).id
            await press(pilot, "y")
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, "G", "u")
            assert cursor(pilot).id == face
        assert decided(story)[face] is Decision.UNDECIDED

    async def test_the_filter_selects_as_it_is_typed_and_points_at_errors(self, app: LimnerApp) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, "slash")
            await type_text(pilot, "is:keep")
            assert "6 of 30 · 6 kept" in shown(pilot)
            await type_text(pilot, "x")
            assert "is not understood" in shown(pilot)
            await press(pilot, "backspace", "enter", "x")
            assert "5 kept" in shown(pilot)

    async def test_a_face_that_cannot_be_used_cannot_be_kept(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, *["j"] * 5)
            assert cursor(pilot).problem == "the file is missing"
            await press(pilot, "y")
            assert decided(story)[cursor(pilot).id] is Decision.UNDECIDED
            await press(pilot, "n")
            assert cursor(pilot).problem is None

    async def test_pick_keeps_24_and_one_undo_takes_them_back(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, "P")
            assert "Keep these 16 faces?" in shown(pilot)
            assert list(decided(story).values()).count(Decision.KEEP) == 6
            await press(pilot, "y")
            assert list(decided(story).values()).count(Decision.KEEP) == 22, "no blur, nobody else, one of each moment"
            await press(pilot, "u")
            assert list(decided(story).values()).count(Decision.KEEP) == 6

    async def test_the_picture_of_the_face_is_drawn_and_kept_in_the_cache(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "▀▀▀▀" in shown(pilot)
            assert list((story.cache / "thumbnails").glob("*.jpg"))

    async def test_build_makes_the_images_and_shows_them(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, "B")
            await until(pilot, lambda: "6 images · 6 captioned" in shown(pilot))
        assert len(list(story.dataset.glob("10_jx265 man/*.png"))) == 6

    async def test_a_hundred_thousand_faces_move_as_quickly_as_ten(self, app: LimnerApp) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            rows: Rows[Face] = app.screen.query_one("#faces", Rows)
            drawn: list[Face] = []
            draw = rows._draw
            rows._draw = lambda face, width: drawn.append(face) or draw(face, width)  # type: ignore[func-returns-value]
            rows.show(list(rows.items) * 4000)
            await press(pilot, "G", "ctrl+u", "k")
            assert rows.cursor == 120_000 - 1 - rows.size.height // 2 - 1
            assert len(drawn) < 200


class TestTraining:
    async def test_the_plan_moves_with_the_settings_and_is_saved(self, story: Project) -> None:
        with_dataset(story)
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "4")
            assert "6 images × 10 repeats × 10 epochs = 600 image-steps" in shown(pilot)
            await press(pilot, "j", "l", "j", "left", "h")
            assert "6 images × 11 repeats × 8 epochs = 528 image-steps" in shown(pilot)
        assert (story.settings.training.repeats, story.settings.training.epochs) == (11, 8)

    async def test_without_images_it_says_what_is_missing_and_the_key_that_gets_it(self, story: Project) -> None:
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "4")
            assert "There are no training images yet." in shown(pilot)
            assert "3     goes to Dataset" in shown(pilot)

    async def test_a_live_run_is_found_shown_and_stopped(self, story: Project) -> None:
        job = with_run(with_dataset(story))
        with alive(job):
            async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
                await until(pilot, lambda: "● 3/10 29% 1:24" in shown(pilot))
                assert isinstance(pilot.app.screen, TrainingScreen)
                assert "180 of 630" in shown(pilot)
                assert "jx265-000002" in shown(pilot)
                await press(pilot, "e")
                assert Request.STOP_AFTER_EPOCH in job.asked()
                await press(pilot, "S", "n")
                assert Request.STOP not in job.asked()
                await press(pilot, "S", "y")
                assert Request.STOP in job.asked()

    async def test_what_the_log_says_next_appears_by_itself(self, story: Project) -> None:
        job = with_run(story)
        with alive(job):
            async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
                await until(pilot, lambda: "180 of 630" in shown(pilot))
                with job.events_path.open("a") as log:
                    log.write('{"v":1,"t":1,"kind":"step","step":181,"epoch":3,"loss":0.05,"lr":1e-4,')
                    log.write('"images_per_s":20,"memory_gb":60}\n')
                await until(pilot, lambda: "181 of 630" in shown(pilot))

    async def test_q_says_that_the_run_goes_on(self, story: Project) -> None:
        app = LimnerApp(story.root, story)
        with alive(with_run(story)):
            async with app.run_test(size=(80, 24)) as pilot:
                await until(pilot, lambda: "● 3/10" in shown(pilot))
                await press(pilot, "q")
                await pilot.press("enter")
        assert app.exit_message == f"The run {RUN} continues. Follow it with: limner watch"

    @pytest.mark.long
    async def test_tab_goes_round_the_plan_and_the_runs(self, story: Project) -> None:
        with_run(with_dataset(story), done=True)
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "4")
            await until(pilot, lambda: "cost" in shown(pilot) and "tab runs" in shown(pilot))
            await press(pilot, "tab")
            await until(pilot, lambda: "Progress" in shown(pilot) and "done" in shown(pilot))
            await press(pilot, "tab")
            assert "cost" in shown(pilot)

    async def test_a_failed_run_tells_why(self, story: Project) -> None:
        job = with_run(story)
        with job.events_path.open("a") as log:
            log.write('{"v":1,"t":1,"kind":"error","message":"out of memory","fix":"a smaller batch"}\n')
            log.write('{"v":1,"t":1,"kind":"job","state":"failed","reason":"out of memory"}\n')
        async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "4")
            await until(pilot, lambda: "✗ run failed" in shown(pilot))
            await press(pilot, "tab")
            await until(pilot, lambda: "✗ out of memory: a smaller batch" in shown(pilot))


class TestPromptsAndPictures:
    async def test_kept_variations_are_painted_with_the_newest_checkpoint(
        self, whole_story: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = queued(whole_story)
        async with LimnerApp(whole_story.root, whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "5", "V", "y", "x", "y", "plus", "h", "enter")
            await until(pilot, lambda: "Painted pictures" in shown(pilot))
            assert "queued" in shown(pilot)
        new = [picture for picture in queued(whole_story) if picture not in before]
        assert len(new) == 4
        assert len({picture.prompt for picture in new}) == 2
        assert len({picture.seed for picture in new}) == 4
        assert {picture.strength for picture in new} == {0.75}
        assert {picture.lora.name for picture in new if picture.lora} == {"jx265-000002.safetensors"}
        assert all(picture.prompt.startswith("photo of jx265 man, ") for picture in new)

    @pytest.mark.long
    async def test_a_variation_can_become_the_prompt(self, whole_story: Project) -> None:
        async with LimnerApp(whole_story.root, whole_story).run_test(size=(120, 40)) as pilot:
            await press(pilot, "5", "V", "j")
            screen = pilot.app.screen
            assert isinstance(screen, PromptsScreen)
            chosen = screen.rows.item
            assert chosen is not None
            await press(pilot, "a")
            assert screen.query_one("#prompt", TextLine).value == chosen.text
            assert all(variant.parent == chosen.text != variant.text for variant in screen.rows.items)

    async def test_a_template_that_is_not_balanced_is_told_and_nothing_is_lost(self, whole_story: Project) -> None:
        async with LimnerApp(whole_story.root, whole_story).run_test(size=(80, 24), notifications=True) as pilot:
            await press(pilot, "5", "i")
            await type_text(pilot, ", {a|b")
            await press(pilot, "enter")
            await until(pilot, lambda: "Add }, or write" in shown(pilot))
            assert pilot.app.screen.query_one("#prompt", TextLine).value.endswith("{a|b")


class TestEverywhere:
    async def test_numbers_go_to_the_screens_and_digits_are_text_in_a_field(self, whole_story: Project) -> None:
        async with LimnerApp(whole_story.root, whole_story).run_test(size=(80, 24)) as pilot:
            for number, question in enumerate(("Where", "Which", "Training images", "Progress", "What to paint"), 1):
                await press(pilot, str(number))
                assert question in shown(pilot)
            await press(pilot, "2", "slash", "3")
            assert pilot.app.screen.query_one("#filter", TextLine).value == "3"

    @pytest.mark.long
    async def test_the_palette_finds_another_screen_s_action_and_does_it(self, whole_story: Project) -> None:
        async with LimnerApp(whole_story.root, whole_story).run_test(size=(80, 24)) as pilot:
            await press(pilot, "1", "colon")
            await type_text(pilot, "make variations")
            await until(pilot, lambda: "Prompts: Make variations" in shown(pilot))
            await press(pilot, "enter")
            await until(pilot, lambda: "What to paint?" in shown(pilot) and "12 prompts" in shown(pilot))

    async def test_help_tells_the_keys_of_what_has_the_focus(self, app: LimnerApp) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, "question_mark")
            assert "Keep this face" in shown(pilot)
            await press(pilot, "q")
            assert "Which faces are good?" in shown(pilot)

    async def test_ctrl_c_quits_when_pressed_twice(self, app: LimnerApp) -> None:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await settle(pilot)
            await press(pilot, "ctrl+c")
            await until(pilot, lambda: "Press again to quit" in shown(pilot))
            assert app.is_running
            await pilot.press("ctrl+c")
            await pilot.pause()
            assert not app.is_running

    async def test_no_animations_over_ssh(self, story: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 5000 10.0.0.2 22")
        assert LimnerApp(story.root, story).animation_level == "none"

    @pytest.mark.parametrize("number", "123456")
    async def test_without_a_project_each_screen_says_what_to_do(self, tmp_path: Path, number: str) -> None:
        async with LimnerApp(tmp_path, None).run_test(size=(80, 24)) as pilot:
            await press(pilot, number)
            assert "There is no project in this folder yet." in shown(pilot)

    @pytest.mark.parametrize("number", "12")
    async def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path, number: str) -> None:
        async with LimnerApp(tmp_path / "jmaes", None).run_test(size=(200, 24)) as pilot:
            await press(pilot, number)
            assert f"There is no folder {tmp_path / 'jmaes'} yet." in shown(pilot)

    @pytest.mark.long
    def test_all_screens_are_shown_without_what_only_jobs_need(self, tmp_path: Path) -> None:
        code = (
            "import asyncio, sys\nfrom pathlib import Path\nfrom tests.support.pictures import settle\n"
            "from tests.support.story import *\nfrom tui.app.app import LimnerApp\n"
            "async def go(project):\n"
            "    async with LimnerApp(project.root, project).run_test() as pilot:\n"
            "        for key in '123456':\n            await pilot.press(key)\n            await settle(pilot)\n"
            "project = with_pictures(with_dataset(story_project(Path(sys.argv[1]))))\n"
            "with alive(with_run(project)), idle_painter(project):\n    asyncio.run(go(project))\n"
            "heavy = {'torch', 'diffusers', 'transformers', 'peft', 'accelerate', 'onnxruntime', 'cv2'}\n"
            "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "p")],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert done.stdout == "[]\n"


def queued(project: Project) -> list[PictureOrder]:
    """All pictures, oldest first."""
    with project.store() as store:
        return list(Queue(store).pictures()[::-1])


class TestFacesTogether:
    async def test_two_faces_are_compared_and_the_better_one_kept(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, *["j"] * 12)
            left = cursor(pilot)
            await press(pilot, "b")
            assert cursor(pilot).id == 14, "the best of the burst of three"
            await press(pilot, "k")
            assert cursor(pilot).id == left.id
            await press(pilot, "v")
            assert "2015-02-08" in shown(pilot)
            assert "best of 3 in a burst" in shown(pilot) or "best of 3 in" in shown(pilot)
            await press(pilot, "Y")
            assert decided(story)[14] is Decision.KEEP
            assert decided(story)[13] is Decision.REJECT
            await press(pilot, "j", "x", "h", "c", "escape")
            assert decided(story)[15] is Decision.REJECT
            assert decided(story)[13] is Decision.UNDECIDED
            assert cursor(pilot).id == 13

    async def test_a_crop_is_nudged_and_resized_kept_and_taken_back(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            face = cursor(pilot).id

            def cut() -> Cut | None:
                with story.store() as store:
                    return Ledger(store).face(face).cut

            await press(pilot, "z", "plus", "plus", "l", "J")
            assert "enlarged" in shown(pilot)
            await press(pilot, "escape")
            assert cut() is None
            await press(pilot, "z", "plus", "plus", "l", "J", "enter")
            assert cut() == Cut(Framing.CLOSE, 0.02, 0.1, 1.1025)
            assert "close by hand" in shown(pilot)
            await press(pilot, "f")
            assert cut() == Cut(Framing.HALF)
            await press(pilot, "u", "u")
            assert cut() is None

    async def test_a_bulk_decision_shows_its_number_first(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            before = decided(story)
            await press(pilot, "slash")
            await type_text(pilot, "is:undecided")
            await press(pilot, "enter", "X")
            assert "Reject 22 faces?" in shown(pilot)
            await press(pilot, "n")
            assert decided(story) == before
            await press(pilot, "X", "y")
            assert list(decided(story).values()).count(Decision.REJECT) == 24
            await press(pilot, "u")
            assert decided(story) == before

    async def test_the_filter_completes_points_and_is_saved(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            await press(pilot, "slash")
            await type_text(pilot, "is:bl")
            assert "is:blurred" in shown(pilot)
            assert "30 of 30" in shown(pilot), "a word that is only begun does not count yet"
            await press(pilot, "right")
            assert "1 of 30" in shown(pilot)
            await press(pilot, "enter", "F")
            await type_text(pilot, "bad")
            await press(pilot, "enter", "slash", *["backspace"] * 10)
            await press(pilot, "at", "b", "right")
            assert "1 of 30" in shown(pilot)
            field = pilot.app.screen.query_one("#filter", TextLine)
            field.value = "sharp>40 is:kepp px>5"
            await settle(pilot)
            assert "did you mean keep?" in shown(pilot)

    @pytest.mark.long
    async def test_a_word_left_unfinished_is_an_error_and_nothing_is_decided_by_it(
        self, app: LimnerApp, story: Project
    ) -> None:
        before = decided(story)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await settle(pilot)
            await press(pilot, "slash")
            await type_text(pilot, "is:bl")
            assert "30 of 30" in shown(pilot)
            await press(pilot, "enter")
            assert "“is:bl” is not understood: did you mean blurred?" in shown(pilot)
            await press(pilot, "X")
            assert "so nothing is decided" in shown(pilot)
            assert not isinstance(pilot.app.screen, ModalScreen)
            assert decided(story) == before
            await press(pilot, "slash", "backspace", "right", "enter")
            assert "1 of 30" in shown(pilot)

    @pytest.mark.long
    async def test_the_meter_follows_each_decision(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            assert "6/12" in shown(pilot)
            await press(pilot, "y")
            assert "7/12" in shown(pilot)
            await press(pilot, "u")
            assert "missing: 6 close, 6 half, 6 full" in shown(pilot)

    async def test_the_meter_tells_years_turned_heads_and_light(self, app: LimnerApp) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            assert re.search(r"close .+ 6/12  half .+  20\d\d–20\d\d  turned .+  lit \d/6  missing", shown(pilot))

    @pytest.mark.long
    async def test_new_faces_are_measured_without_being_asked(self, app: LimnerApp, story: Project) -> None:
        with story.store() as store:
            MeasuredFaces(store).forget()
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "not measured" not in shown(pilot) and "sharp" in shown(pilot).split("light")[0])
        with story.store() as store:
            faces = Ledger(store).faces()
        assert [face.id for face in faces if face.measures.quality is None] == [6], "its photo is missing"
