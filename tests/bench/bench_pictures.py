"""Ten thousand painted pictures: how long until they are seen, filtered, scrolled through, looked for on the disk."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engine.pictures.gallery.filter import read_picture_filter
from engine.pictures.gallery.import_external import look_for_pictures
from engine.pictures.gallery.rows import Gallery
from engine.project import Project, create_project
from tests.bench.result import Result, median_seconds
from tests.support.many_pictures import many_pictures
from tests.support.story import idle_painter
from tui.app.app import LimnerApp
from tui.screens.pictures.screen import PicturesScreen

PICTURES = 10_000
OPENS, PAGE, FILTER = 0.5, 0.05, 0.1
"""What is asked for, in seconds."""
LINE = "rating:>=3 lora:jx265-000008 -is:rejected sort:seed oil"


def results() -> Iterator[Result]:
    """The screen first, then what it is made of."""
    with tempfile.TemporaryDirectory() as name:
        project = create_project(Path(name) / "james")
        many_pictures(project, PICTURES)
        with idle_painter(project):
            opens, page = asyncio.run(_screen(project))
        yield _within(f"Pictures: {PICTURES:,} open", opens, OPENS)
        yield _within("Pictures: a page on", page, PAGE)
        with project.store() as store:
            pictures = Gallery(store).pictures()
            yield _within("Pictures: read", median_seconds(Gallery(store).pictures, 5), OPENS)
            yield _within("Pictures: filtered", median_seconds(lambda: read_picture_filter(LINE)(pictures)), FILTER)
            looking = median_seconds(lambda: look_for_pictures(project, store), 5)
        yield Result("Pictures: folder looked through", looking * 1000, "ms")


async def _screen(project: Project) -> tuple[float, float]:
    """Seconds from the key to the screen with all pictures drawn, and for a page of thumbnails that are in memory."""
    app = LimnerApp(project.root, project)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        began = time.perf_counter()
        await pilot.press("6")
        screen = app.screen
        assert isinstance(screen, PicturesScreen)
        while len(screen.grid.items) < PICTURES:
            await asyncio.sleep(0.002)
        await pilot.pause()
        opens = time.perf_counter() - began
        pages = []
        for _ in range(12):
            began = time.perf_counter()
            await pilot.press("ctrl+d")
            pages.append(time.perf_counter() - began)
    return opens, sorted(pages)[len(pages) // 2]


def _within(name: str, seconds: float, allowed: float) -> Result:
    return Result(name, seconds * 1000, "ms", f"{allowed * 1000:,.0f} ms", allowed / seconds)
