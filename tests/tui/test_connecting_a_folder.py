"""The Connect screen on a plain folder of photos, by keys alone."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageEnhance

from engine.project import create_project
from tests.astronaut import astronaut, save
from tests.tui.test_journeys import press, shown, until
from tui.limner import LimnerApp
from tui.screens.faces import FacesScreen
from tui.widgets.text_line import TextLine


async def test_a_folder_is_connected_looked_through_and_scanned(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"photos/{number}.jpg", ImageEnhance.Brightness(astronaut()).enhance(0.8 + number / 10))
    save(tmp_path / "photos/nobody.jpg", Image.new("RGB", (300, 200), "green"))
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    project.change({"library.mounts": {"family": "/mnt/nas"}})
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "1", "i")
        pilot.app.screen.query_one("#address", TextLine).value = f"folder://{tmp_path}/photos"
        await press(pilot, "f5")
        await until(pilot, lambda: "4 photos not looked at for faces yet" in shown(pilot))
        assert "✓ a plain folder · read-only · 4 photos" in shown(pilot)
        assert project.settings.library.url is None, "testing saves nothing"
        await press(pilot, "f6")
        await until(pilot, lambda: "person 1" in shown(pilot))
        assert "folder: 3 of 3 sampled files opened" in shown(pilot)
        assert "not looked at" not in shown(pilot)
        assert project.settings.library.mounts == {"family": Path("/mnt/nas")}, "what has no field stays"
        pilot.app.screen.query_one("#people").focus()
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, FacesScreen))
        assert project.settings.person.name == "person 1"
