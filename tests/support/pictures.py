"""Pictures of the app: ``python -m tests.support.pictures FOLDER`` writes each screen as SVG, and ``app.svg``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from textual.pilot import Pilot

import tui.screens.connect.screen
from tests.support.patience import Patience
from tests.support.story import alive, checked, idle_painter, story_project, with_dataset, with_pictures, with_run
from tui.actions import SCREENS
from tui.app.app import LimnerApp
from tui.app.session_state import NAME
from tui.theming.themes import DEFAULT_THEME
from tui.widgets.portrait import Portrait
from tui.widgets.thumbnails.grid import Thumbnails

SIZES = ((80, 24), (120, 40))

KEYS = {"faces": ("j", "j"), "prompts": ("V", "j", "y", "j", "x"), "training": (), "pictures": ("l", "l", "l")}
"""What is pressed on a screen before its picture is taken."""

COVER = ("faces", (120, 40))
"""Which of them is the README's."""


def main() -> None:
    """Writes the pictures."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("python -m tests.support.pictures FOLDER", file=sys.stderr)
        raise SystemExit(2)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    tui.screens.connect.screen.look = lambda entered, private, base: checked(entered.settings(private, base))
    with tempfile.TemporaryDirectory() as folder:
        project = with_pictures(with_dataset(story_project(Path(folder) / "james")))
        with alive(with_run(project)), idle_painter(project):
            for columns, rows in SIZES:
                # As it is opened for the first time, whatever the terminal and the user's theme are.
                (project.cache / NAME).unlink(missing_ok=True)
                app = LimnerApp(project.root, project)
                app.theme = DEFAULT_THEME
                asyncio.run(_take_all(app, out, columns, rows))


async def _take_all(app: LimnerApp, out: Path, columns: int, rows: int) -> None:
    async with app.run_test(size=(columns, rows)) as pilot:
        for number, scope in enumerate(SCREENS, start=1):
            await pilot.press(str(number))
            await settle(pilot)
            for key in KEYS.get(scope.value, ()):
                await pilot.press(key)
                await settle(pilot)
            svg = tidy(app.export_screenshot(title="limner"))
            (out / f"{scope.value}-{columns}x{rows}.svg").write_text(svg, "utf-8")
            if (scope.value, (columns, rows)) == COVER:
                (out / "app.svg").write_text(svg, "utf-8")


async def settle(pilot: Pilot[None]) -> None:
    """Waits until nothing is under way: no key waits, no thread works, no picture is being drawn."""
    patience, turns = Patience(), getattr(pilot.app, "key_queue", None)
    while patience.lasts():
        await pilot.pause()
        working = [worker for worker in pilot.app.workers if not worker.is_finished]
        drawing = [each for kind in (Portrait, Thumbnails) for each in pilot.app.screen.query(kind) if not each.ready]
        # An app that has quit leaves what was still to come.
        queued = pilot.app.message_queue_size or (turns is not None and not turns.all_done)
        typing = queued and not pilot.app._exit
        if not working and not drawing and not typing:
            await pilot.pause()
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the screen never comes to rest")


def tidy(svg: str) -> str:
    """Keeps the spaces at the ends of words in programs that would drop them."""
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


if __name__ == "__main__":
    main()
