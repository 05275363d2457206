"""The grid of thumbnails: moved in by keys in two dimensions, drawn as it is looked at; alone, and of faces."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from PIL import Image
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.faces.records.decisions import Decision, Ledger
from engine.project import Project
from tests.support.pictures import settle
from tui.app.app import LimnerApp
from tui.screens.faces.commands import next_grouping
from tui.screens.faces.screen import FacesScreen
from tui.terminal.clipboard import copy
from tui.widgets.ink import Ink
from tui.widgets.thumbnails.cache import ThumbnailCache
from tui.widgets.thumbnails.grid import KEPT, LARGE_TILE, Thumbnails
from tui.widgets.thumbnails.tile import Thumbnail


def shown(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    return "\n".join(strip.text for strip in screen._compositor.render_strips()[: screen.size.height])


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def colour(number: int) -> Image.Image:
    return Image.new("RGB", (96, 96), (number * 37 % 256, number * 91 % 256, number * 13 % 256))


class Gridded(App[None]):
    """A grid of numbers, each a colour; ``asked`` is what was loaded, in order."""

    def __init__(self, count: int, load: Callable[[int], Image.Image] = colour) -> None:
        super().__init__()
        self.count, self.load_one, self.asked = count, load, list[int]()

    def compose(self) -> ComposeResult:
        yield Thumbnails[int](self.tell)

    def on_mount(self) -> None:
        self.grid.focus()
        self.grid.show(range(self.count))

    @property
    def grid(self) -> Thumbnails[int]:
        return self.query_one(Thumbnails)

    def tell(self, number: int) -> Thumbnail:
        def load() -> Image.Image:
            self.asked.append(number)
            return self.load_one(number)

        return Thumbnail(number, load, ("✓", Ink.GOOD), [(f"n{number}", Ink.PLAIN)])


class TestTheGrid:
    async def test_moves_in_two_dimensions_by_keys_and_counts(self) -> None:
        app = Gridded(100)
        async with app.run_test(size=(110, 30)) as pilot:
            await settle(pilot)
            assert app.grid.across == 6
            places = []
            for keys in ("l", "j", "h", "k", "1 0 l", "G", "k", "g g", "ctrl+d", "ctrl+u", "end", "j", "home", "h"):
                await press(pilot, *keys.split())
                places.append(app.grid.cursor)
            assert places == [1, 7, 6, 0, 10, 99, 93, 0, 18, 0, 99, 99, 0, 0]

    async def test_draws_what_is_in_sight_first_and_only_around_it(self) -> None:
        app = Gridded(100_000)
        async with app.run_test(size=(110, 30)) as pilot:
            await settle(pilot)
            assert "▀" * LARGE_TILE[0] in shown(pilot)
            assert set(app.asked[:18]) == set(range(18))
            assert len(app.asked) < 100
            app.asked.clear()
            await press(pilot, "G")
            assert min(app.asked) > 99_900
            assert "n99999" in shown(pilot)

    @pytest.mark.long
    async def test_what_was_scrolled_past_is_never_loaded(self) -> None:
        go_on = Event()

        def slowly(number: int) -> Image.Image:
            go_on.wait(20)
            return colour(number)

        app = Gridded(10_000, slowly)
        async with app.run_test(size=(110, 30)) as pilot:
            for _ in range(30):
                await pilot.press("ctrl+d")
            last = app.grid.cursor
            go_on.set()
            await settle(pilot)
            assert len(app.asked) < 120, "thirty pages were passed"
            assert {number for number in app.asked if last - 6 <= number <= last} == set(range(last - 6, last + 1))

    async def test_a_picture_that_cannot_be_loaded_says_so_and_the_others_are_there(self) -> None:
        def load(number: int) -> Image.Image:
            if number == 1:
                raise OSError("torn")
            return colour(number)

        app = Gridded(3, load)
        async with app.run_test(size=(110, 30)) as pilot:
            await settle(pilot)
            assert "can't be" in shown(pilot)
            assert "shown: torn" in shown(pilot)
            assert shown(pilot).count("▀" * LARGE_TILE[0]) == LARGE_TILE[1] * 2

    async def test_the_mouse_moves_the_cursor_and_chooses(self) -> None:
        app = Gridded(50)
        chosen = []
        app._on_thumbnails_chosen = lambda message: chosen.append(message)  # type: ignore[attr-defined]
        async with app.run_test(size=(110, 30)) as pilot:
            await settle(pilot)
            await pilot.click(Thumbnails, offset=(20, 12))
            assert app.grid.cursor == 7
            await pilot.click(Thumbnails, offset=(108, 12))
            assert app.grid.cursor == 7

    async def test_the_cursor_and_the_marks_are_seen_without_colour(self) -> None:
        app = Gridded(10)
        async with app.run_test(size=(110, 30)) as pilot:
            await settle(pilot)
            await press(pilot, "l")
            lines = shown(pilot).splitlines()
            assert lines[0][18] == "┃"
            assert "▸✓ n1" in lines[8]
            assert " ✓ n0" in lines[8]

    async def test_an_empty_grid_and_a_grid_that_shrinks_are_no_mistakes(self) -> None:
        app = Gridded(0)
        async with app.run_test(size=(110, 30)) as pilot:
            await press(pilot, "j", "l", "G")
            assert app.grid.item is None
            app.grid.show(range(500), 400)
            await settle(pilot)
            app.grid.show(range(5))
            await settle(pilot)
            assert app.grid.cursor == 4
            await pilot.resize_terminal(30, 12)
            await settle(pilot)
            assert app.grid.across == 2
            assert "n4" in shown(pilot)

    async def test_memory_is_bounded(self) -> None:
        app = Gridded(KEPT * 2)
        async with app.run_test(size=(110, 30)) as pilot:
            for number in range(KEPT + 500):
                app.grid._arrived.append(((number, LARGE_TILE), "x"))
            app.grid.on_thumbnails_loaded()
            assert len(app.grid._drawn) <= KEPT
            await settle(pilot)


class TestFacesAsThumbnails:
    async def test_a_key_shows_thumbnails_or_the_list_with_the_cursor_kept(
        self, app: LimnerApp, story: Project
    ) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, "j", "j", "t")
            screen = app.screen
            assert isinstance(screen, FacesScreen)
            face = screen.rows.item
            assert face is not None
            assert (screen.in_grid, face.id) == (True, 3)
            assert "▸✓ " in shown(pilot)
            await press(pilot, "l", "y", "t")
            assert not screen.in_grid
            with story.store() as store:
                assert Ledger(store).face(4).decision is Decision.KEEP
            assert screen.rows.cursor == 4

    @pytest.mark.long
    async def test_decisions_filter_and_undo_work_as_in_the_list(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            await press(pilot, "t", "slash", *"is:keep", "enter")
            assert "6 of 30 · 6 kept" in shown(pilot)
            await press(pilot, "x", "u")
            screen = app.screen
            assert isinstance(screen, FacesScreen)
            assert screen.rows.item is not None
            assert screen.rows.item.id == 2
            await press(pilot, "enter")
            assert "Large" in type(app.screen).__name__

    @pytest.mark.long
    async def test_thumbnails_are_small_on_disk_and_read_again(self, app: LimnerApp, story: Project) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            await press(pilot, "t")
            kept = [path for path in (story.cache / "thumbnails").glob("*.jpg") if path.stat().st_size < 8000]
            assert len(kept) >= 12

    async def test_undecided_faces_are_gone_to_both_ways(self, app: LimnerApp) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            screen = app.screen
            assert isinstance(screen, FacesScreen)
            places = []
            for key in ("n", "n", "N", "N", "N"):
                await press(pilot, key)
                assert screen.rows.item is not None
                places.append(screen.rows.item.id)
            # 2, 3, 4 and 5 are decided, 6 can't be used.
            assert places == [10, 11, 10, 1, 30]

    @pytest.mark.long
    async def test_a_key_groups_by_burst_day_and_framing(self, app: LimnerApp) -> None:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            told = []
            for _ in range(4):
                await press(pilot, "o")
                told.append("┌" in shown(pilot))
            assert told == [True, True, True, False]
            assert "group:" not in shown(pilot)

    def test_the_grouping_leaves_the_rest_of_the_filter(self) -> None:
        lines = ["sharp>40"]
        for _ in range(4):
            lines.append(next_grouping(lines[-1]))
        assert lines[1:] == ["sharp>40 group:burst", "sharp>40 group:day", "sharp>40 group:framing", "sharp>40"]
        assert next_grouping("group:year x") == "x group:burst"


class TestTheCache:
    def test_the_longest_unused_go_first_and_a_torn_file_is_made_again(self, tmp_path: Path) -> None:
        cache = ThumbnailCache(tmp_path, most_bytes=20_000)
        for number in range(60):
            cache.picture(f"p{number}", lambda number=number: colour(number))  # type: ignore[misc]
        files = sorted(cache.folder.iterdir())
        for age, path in enumerate(files):
            os.utime(path, (time.time() - 1000 * age, time.time() - 1000 * age))
        held = sum(path.stat().st_size for path in files)
        swept = cache.sweep()
        assert (swept > 0) == (held > 20_000)
        left = sorted(cache.folder.iterdir())
        assert sum(path.stat().st_size for path in left) <= 20_000
        assert left == files[: len(left)]
        left[0].write_bytes(b"torn")
        for number in range(60):
            assert cache.picture(f"p{number}", lambda number=number: colour(number)).size == (96, 96)  # type: ignore[misc]

    def test_a_full_disk_costs_time_and_nothing_else(self, tmp_path: Path) -> None:
        (tmp_path / "thumbnails").write_text("in the way")
        assert ThumbnailCache(tmp_path).picture("p", lambda: colour(3)).size == (96, 96)


class TestCopying:
    def test_goes_by_osc_52_and_is_cut_where_terminals_stop(self) -> None:
        written: list[str] = []
        assert copy("größe", {}, written.append) == "the terminal"
        assert written == ["\x1b]52;c;Z3LDtsOfZQ==\x07"]
        copy("ö" * 100_000, {}, written.append)
        assert len(written[1]) <= 100_010

    def test_a_tmux_that_is_gone_is_no_mistake(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TMUX", f"{tmp_path}/nothing,1,0")
        written: list[str] = []
        assert copy("x", dict(os.environ), written.append) == "the terminal, past tmux"
        assert written
