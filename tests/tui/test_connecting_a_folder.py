"""The Connect screen on a plain folder of photos, by keys alone."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageEnhance
from textual.events import Paste

from engine.library.address import parse_address
from engine.library.folder.index import FolderIndex
from engine.library.folder.library import FolderLibrary
from engine.library.folder.photos import SeenFace, SeenPhoto, face_uid
from engine.library.folder.walk import walk
from engine.project import create_project
from tests.support.astronaut import astronaut, save
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp
from tui.screens.faces.screen import FacesScreen
from tui.widgets.text_line import TextLine


async def test_a_folder_is_connected_looked_through_and_scanned(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"photos/{number}.jpg", ImageEnhance.Brightness(astronaut()).enhance(0.8 + number / 10))
    save(tmp_path / "photos/nobody.jpg", Image.new("RGB", (300, 200), "green"))
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    project.change({"library.mounts": {"family": "/mnt/nas"}})
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "1", "i", "G", "enter")
        pilot.app.screen.query_one("#address", TextLine).value = f"{tmp_path}/photos"
        await press(pilot, "f5")
        await until(pilot, lambda: "4 photos not searched for faces yet" in shown(pilot))
        assert "✓ a plain folder · read-only · 4 photos" in shown(pilot)
        assert project.settings.library.url is None, "testing saves nothing"
        await press(pilot, "f6")
        await until(pilot, lambda: "person 1" in shown(pilot))
        assert "folder: 3 of 3 sampled files opened" in shown(pilot)
        assert "not looked at" not in shown(pilot)
        assert project.settings.library.mounts == {"family": Path("/mnt/nas")}, "what has no field stays"
        pilot.app.screen.query_one("#people").focus()
        await press(pilot, "r", *["backspace"] * len("person 1"), *"Eileen", "enter")
        await until(pilot, lambda: "Eileen" in shown(pilot).split("people")[1])
        await press(pilot, "m")
        assert "Who is Eileen" not in shown(pilot), "there is nobody else"
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, FacesScreen))
        assert project.settings.person.name == "Eileen"


async def test_two_persons_of_a_folder_become_one_by_keys(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    save(photos / "0.jpg", astronaut())
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    project.change({"library.url": f"folder://{photos}"})
    with project.store() as store:
        index = FolderIndex(store, photos)
        photo = next(walk(photos))
        boxes = ((0.1, 0.1, 0.2, 0.2), (0.5, 0.1, 0.2, 0.2))
        faces = tuple(SeenFace(face_uid(photo.name, box), box, 0.9) for box in boxes)
        index.save([SeenPhoto(photo, (512, 512), None, faces)])
        index.add_people((face.uid, [face.uid]) for face in faces)
    with FolderLibrary(parse_address(f"folder://{photos}", None), project.root / "limner.db") as library:
        first, second = library.people()
    project.change({"person.uid": second.id, "person.name": second.name})
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "1")
        await until(pilot, lambda: "person 2" in shown(pilot))
        pilot.app.screen.query_one("#people").focus()
        await press(pilot, "g", "g", "m")
        assert "Who else is person 1?" in shown(pilot)
        await press(pilot, "enter")
        assert "Are person 1 and person 2 one person?" in shown(pilot)
        await press(pilot, "n")
        assert project.settings.person.uid == second.id, "nothing was agreed to"
        await press(pilot, "m", "enter", "y")
        await until(pilot, lambda: "2 faces" in shown(pilot) and "person 2" not in shown(pilot))
        assert project.settings.person.uid == first.id, "the project is about whoever its person became"
        assert project.settings.person.name == "person 1"


async def test_the_end_of_a_long_address_is_seen_while_it_is_typed(tmp_path: Path) -> None:
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "1", "i", "enter")
        field = pilot.app.screen.query_one("#address", TextLine)
        field.post_message(Paste("a" * 100))
        await press(pilot, *"theend")
        assert "aatheend" in shown(pilot)
        assert field.region.right <= 80
