"""The project's disk fills up while the app is open: told once, nothing half-written; it goes on with room."""

from __future__ import annotations

import re
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.dataset.captions.journal import CaptionJournal
from engine.dataset.files.layout import DatasetFolder
from engine.errors import DatasetError, DiskFull
from engine.faces.records.decisions import Decision, Ledger
from engine.pictures.gallery.rows import Gallery
from engine.pictures.orders.queue import Queue
from engine.project import Project
from engine.prompts.store import Mark, PromptStore
from tests.chaos.disk import REPOSITORY, SmallDisk, small_disk
from tests.e2e.tmux import Terminal
from tests.support.pictures import settle
from tests.support.rows import usual
from tests.support.story import idle_painter, story_project, with_dataset, with_pictures, with_run
from tests.tui.test_journeys import decided, press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.widgets.rows import Rows

TOLD = "there is no room to write"
SIZE = (120, 40)
PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as small:
        yield small


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """In the middle of its work; made once."""
    project = with_pictures(with_dataset(story_project(tmp_path_factory.mktemp("ready") / "james", faces=12)))
    with_run(project, done=True)
    return project


@pytest.fixture
def project(disk: SmallDisk, ready: Project) -> Iterator[Project]:
    project = Project(disk.folder / "james")
    shutil.copytree(ready.root, project.root, ignore=shutil.ignore_patterns("photos"))
    with idle_painter(project):
        yield project


@contextmanager
def full(disk: SmallDisk, but: int = 0, process: int = 0) -> Iterator[None]:
    """No room but so many bytes, for this process or another; with room again afterwards."""
    disk.fill(but)
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    if disk.limit is not None:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (disk.limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
        disk.make_room()


def told(pilot: Pilot[None]) -> list[str]:
    """What is said on the screen, and then no more."""
    said = [(each.title or each.message).casefold() for each in pilot.app._notifications]
    pilot.app.clear_notifications()
    return said


def captions(project: Project) -> list[str]:
    return [image.caption for image in DatasetFolder(project).images()]


def half_written(project: Project) -> list[Path]:
    return [each for each in project.root.rglob("*.part") if not each.name.endswith(".room")]


def stars(project: Project) -> list[int | None]:
    with project.store() as store:
        return [each.rating for each in Queue(store).pictures()]


def kept_prompts(project: Project) -> list[str]:
    with project.store() as store:
        return [each.text for each in PromptStore(store).prompts() if each.mark is Mark.KEPT]


def faces_cut(project: Project) -> int:
    with project.store() as store:
        return sum(face.cut is not None for face in Ledger(store).faces())


def verdicts(project: Project) -> list[tuple[bool, bool]]:
    with project.store() as store:
        return [(each.favourite, each.rejected) for each in Gallery(store).pictures()]


def strength(project: Project) -> float:
    return project.settings.painting.strength


def kept_faces(project: Project) -> int:
    return list(decided(project).values()).count(Decision.KEEP)


@dataclass(frozen=True)
class Deed:
    """A key that saves something. ``before`` brings the app to where it is pressed, with room."""

    before: tuple[str, ...]
    key: str
    stored: Callable[[Project], object]
    shows: Callable[[str], object]
    """What of the screen tells that it was done."""


def line_with(*words: str) -> Callable[[str], object]:
    return lambda screen: [line[:80] for line in screen.splitlines() if any(word in line for word in words)]


DEEDS = {
    "a face is kept": Deed(("2",), "y", kept_faces, line_with("kept", "▸")),
    "faces are picked": Deed(("2", "P"), "y", kept_faces, lambda screen: re.findall(r"\d+ kept", screen)),
    "a face is cut closer": Deed(("2",), "f", lambda project: faces_cut(project), line_with("▸", "framing")),
    "a decision is taken back": Deed(("2",), "u", decided, line_with("✗")),
    "a picture gets a star": Deed(("6", "G"), "plus", stars, line_with("★", "☆")),
    "a verdict is taken back": Deed(("6", "G"), "u", verdicts, line_with("★", "☆", "♥")),
    "a picture is rejected": Deed(("6", "G"), "x", verdicts, line_with("5 pictures", "4 pictures")),
    "a prompt is kept": Deed(("5", "V"), "y", kept_prompts, line_with("✓ ")),
    "the LoRA's strength": Deed(("5",), "l", strength, lambda screen: re.findall(r"at -?\d\.\d+", screen)),
    "the epochs": Deed(
        ("4", "j", "j"), "l", lambda project: project.settings.training.epochs, line_with("epochs  ", "image-steps")
    ),
    "a rule of captions": Deed(
        ("3", "R"), "space", lambda project: project.settings.captions.rules_off, line_with("✓ on", "· off")
    ),
}


EACH_TIME = ("a decision is taken back", "a picture gets a star", "the epochs")
"""One of each kind: taken back, new, a setting."""


@pytest.mark.parametrize("named", usual(DEEDS, EACH_TIME))
async def test_a_key_that_cannot_save_says_so_and_shows_nothing_saved(
    named: str, disk: SmallDisk, project: Project
) -> None:
    deed = DEEDS[named]
    app = LimnerApp(project.root, project)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await press(pilot, *deed.before)
        stored, seen = deed.stored(project), deed.shows(shown(pilot))
        told(pilot)
        with full(disk):
            await press(pilot, deed.key)
            said = told(pilot)
            assert len(said) == 1, said
            assert said[0].startswith(TOLD)
            await settle(pilot)
            assert deed.stored(project) == stored
            assert deed.shows(shown(pilot)) == seen
            assert half_written(project) == []
        if deed.before[-1] == "P":
            await press(pilot, "P")
        await press(pilot, deed.key)
        await until(pilot, lambda: deed.stored(project) != stored)
        await until(pilot, lambda: deed.shows(shown(pilot)) != seen)
        assert not [each for each in told(pilot) if each.startswith(TOLD)]


@pytest.mark.long
async def test_a_setting_that_can_t_be_written_is_told_and_written_with_room(disk: SmallDisk, project: Project) -> None:
    before = project.settings_path.read_bytes()
    app = LimnerApp(project.root, project)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "comma", "slash")
        await type_text(pilot, "training epochs")
        await press(pilot, "enter", "enter", "backspace", "backspace", "7")
        with full(disk):
            await press(pilot, "enter")
            assert f"✗ {TOLD}" in shown(pilot)
            assert project.settings_path.read_bytes() == before
            assert half_written(project) == []
        await press(pilot, "enter")
        assert TOLD not in shown(pilot)
        assert project.settings.training.epochs == 7


class TestCaptions:
    """The captions of a project whose first image has one of its own."""

    async def test_typing_goes_on_and_is_saved_whole_with_room(self, disk: SmallDisk, project: Project) -> None:
        before = captions(project)
        app = LimnerApp(project.root, project)
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            await press(pilot, "3", "i")
            rows = app.screen.query_one("#images", Rows)
            with full(disk):
                await press(pilot, "comma", "r", "a", "i")
                said = told(pilot)
                assert len(said) == 1, "once, and not with every key"
                assert said[0].startswith(TOLD)
                assert "· not saved" in shown(pilot)
                assert captions(project) == before
                assert rows.item.caption == before[0]
                assert half_written(project) == []
            await press(pilot, "n")
            assert captions(project) == [f"{before[0]},rain", *before[1:]]
            assert rows.item.caption == f"{before[0]},rain"
            assert "not saved" not in shown(pilot)
            await press(pilot, "escape", "u")
            assert captions(project) == before
            assert told(pilot) == [f"undid: edit {rows.item.path.name} (1 caption)"]

    @pytest.mark.parametrize("key", ["escape", "f8"])
    @pytest.mark.long
    async def test_what_was_typed_is_saved_on_leaving_where_there_is_room_then(
        self, key: str, disk: SmallDisk, project: Project
    ) -> None:
        before = captions(project)
        app = LimnerApp(project.root, project)
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            await press(pilot, "3", "i")
            with full(disk):
                await press(pilot, "comma", "r", "a", "i", "n")
            await press(pilot, key)
            assert captions(project) == [f"{before[0]},rain", *before[1:]]
            assert app.screen.query_one("#images", Rows).items[0].caption == f"{before[0]},rain"
            assert "not saved" not in shown(pilot)

    @pytest.mark.long
    async def test_leaving_without_room_says_so_again_and_shows_what_is_saved(
        self, disk: SmallDisk, project: Project
    ) -> None:
        before = captions(project)
        app = LimnerApp(project.root, project)
        async with app.run_test(size=SIZE) as pilot:
            await settle(pilot)
            await press(pilot, "3", "i")
            with full(disk):
                await press(pilot, "comma", "q", "q")
                told(pilot)
                await press(pilot, "escape")
                assert [each.startswith(TOLD) for each in told(pilot)] == [True]
                assert ",qq" not in shown(pilot)
                assert "not saved" not in shown(pilot)
            assert captions(project) == before

    @pytest.mark.parametrize("but", range(0, 14 * PAGE, PAGE))
    def test_what_was_typed_before_it_filled_up_can_be_taken_back(
        self, but: int, disk: SmallDisk, project: Project
    ) -> None:
        """Whether the room ends at the journal or at the file, neither is ahead of the other."""
        before = captions(project)
        name = DatasetFolder(project).image_paths()[0].name
        with project.store() as store:
            action, saved = None, before[0]
            with full(disk, but):
                for letter in range(40):
                    text = f"{before[0]}, {'x' * (letter + 1)}"
                    try:
                        action = CaptionJournal(store, DatasetFolder(project)).amend(action, name, text)
                        saved = text
                    except (DatasetError, DiskFull):
                        # Told as not saved, it may be: the file was the last that there was room for.
                        assert captions(project)[0] in (saved, text)
                        break
                assert letter < 30, "it never filled up"
            journal = CaptionJournal(store, DatasetFolder(project))
            while (change := journal.undo()) is not None:
                assert change.left == ()
        assert captions(project) == before


@pytest.mark.parametrize(
    ("key", "there"),
    [
        ("2", "6 kept"),
        pytest.param("5", "photo of {trigger}", marks=pytest.mark.long),
        pytest.param("6", "5 pictures", marks=pytest.mark.long),
    ],
)
async def test_a_screen_that_can_t_be_read_says_so_once_and_fills_with_room(
    key: str, there: str, disk: SmallDisk, project: Project
) -> None:
    """Nobody has the database open, and SQLite needs room beside it to read."""
    app = LimnerApp(project.root, project)
    app.remembered.went_to("connect")
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        with full(disk):
            assert not (project.root / "limner.db-wal").exists()
            await press(pilot, key)
            await until(pilot, lambda: app.screen._reading_again is not None)
            first = app.screen._reading_again
            await until(pilot, lambda: app.screen._reading_again not in (None, first))
            said = told(pilot)
            assert len(said) == 1, said
            assert said[0].startswith(TOLD)
            assert there not in shown(pilot)
        await until(pilot, lambda: there in shown(pilot))
        assert told(pilot) == []


@pytest.mark.slow
def test_a_face_that_could_not_be_kept_is_kept_by_the_key_with_room(disk: SmallDisk, project: Project) -> None:
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root)]
    with Terminal(command, columns=SIZE[0], rows=SIZE[1], cwd=REPOSITORY) as terminal:
        terminal.wait_for("6 Pictures", "6 kept")
        with full(disk, process=terminal.program()):
            terminal.press("y")
            terminal.wait_for("There is no room to write", "Make room on the disk", "6 kept")
            assert kept_faces(project) == 6
        terminal.press("y")
        terminal.wait_for("7 kept")
        assert kept_faces(project) == 7
