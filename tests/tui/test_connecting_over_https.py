"""The Connect screen on Immich and PhotoPrism over HTTP, by keys alone; and what completes a path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.project import create_project
from tests.support.immich_data import Immich, small_library
from tests.support.immich_server import API_KEY, Server, running
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.faces.screen import FacesScreen
from tui.widgets.path_line import completed
from tui.widgets.text_line import TextLine


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Immich:
    return small_library(tmp_path_factory.mktemp("immich"))


@pytest.fixture
def server(library: Immich) -> Iterator[Server]:
    with running(library, version="3.3.5") as found:
        yield found


async def test_immich_is_chosen_tested_and_scanned_by_keys(tmp_path: Path, server: Server) -> None:
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
        await press(pilot, "1", "L", "j", "j", "enter")
        assert "API key" in shown(pilot)
        assert "originals" not in shown(pilot), "only what Immich needs"
        assert "PhotoPrism" not in shown(pilot)
        await type_text(pilot, f"{server.url}/photos")
        await press(pilot, "enter")
        await type_text(pilot, API_KEY)
        await press(pilot, "enter")
        await until(pilot, lambda: "Eileen" in shown(pilot))
        assert "✓ over HTTP · Immich 3.3.5 · read-only" in shown(pilot)
        assert "✓ the key may read people, their counts, faces, photos' data, downloads" in shown(pilot)
        assert "! 1 person has no name yet" in shown(pilot)
        assert API_KEY not in shown(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, FacesScreen))
        assert project.settings.person.name == "Eileen"
        assert project.settings.library.url == f"immich+{server.url}"
        assert "PhotoPrism" not in shown(pilot)
    assert server.writes == []


async def test_another_server_than_was_chosen_is_named(tmp_path: Path, server: Server) -> None:
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
        await press(pilot, "1", "L", "j", "enter")
        await type_text(pilot, server.url)
        await press(pilot, "f5")
        await until(pilot, lambda: "Immich answers at" in shown(pilot))
        assert "→ choose Immich" in shown(pilot)


async def test_fields_of_the_kind_before_are_left_out_and_emptied(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    project.change({"library.url": "mysql://james@127.0.0.1:1/photos", "library.originals": "/mnt/photos"})
    async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "/mnt/photos" in shown(pilot))
        assert pilot.app.screen.query_one("#user", TextLine).value == "james"
        await press(pilot, "L", "G", "enter")
        assert "james" not in shown(pilot)
        assert "/mnt/photos" not in shown(pilot)
        await press(pilot, "escape", "L", "escape")
        assert "a folder of photos" in shown(pilot), "leaving the list changes nothing"


async def test_a_relative_index_stays_relative_when_it_is_saved(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    (project.root / "library").mkdir()
    (project.root / "library" / "index.db").write_bytes(b"")
    project.change({"library.url": "sqlite:///library/index.db"})
    async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
        await press(pilot, "1")
        await until(pilot, lambda: "sqlite:///library/index.db" in shown(pilot))
        await press(pilot, "f6")
        await until(pilot, lambda: "looking" not in shown(pilot))
    assert project.settings.library.url == "sqlite:///library/index.db"


async def test_tab_completes_a_path_and_then_moves_on(tmp_path: Path) -> None:
    (tmp_path / "photos" / "summer").mkdir(parents=True)
    project = create_project(tmp_path / "p", trigger="jx265", class_word="woman")
    async with LimnerApp(project.root, project).run_test(size=(100, 30)) as pilot:
        await press(pilot, "1", "L", "enter")
        field = pilot.app.screen.query_one("#address", TextLine)
        await type_text(pilot, f"{tmp_path}/pho")
        await until(pilot, lambda: f"{tmp_path}/photos/"[-20:] in shown(pilot).replace("\n", ""))
        await press(pilot, "tab")
        assert field.value == f"{tmp_path}/photos/"
        assert field.has_focus
        await press(pilot, "end", "backspace", "x", "tab")
        assert field.value == f"{tmp_path}/photosx"
        assert not field.has_focus, "where nothing completes it, tab moves on"


def test_a_path_is_completed_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("photos/a", "phone", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "index.db").touch()
    (tmp_path / "photo.jpg").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert completed(f"{tmp_path}/pho") == f"{tmp_path}/phone/"
    assert completed(f"{tmp_path}/phot") == f"{tmp_path}/photos/"
    assert completed(f"folder://{tmp_path}/photos/") == f"folder://{tmp_path}/photos/a/"
    assert completed(f"sqlite://{tmp_path}/in") == f"sqlite://{tmp_path}/index.db"
    assert completed("~/phot") == "~/photos/"
    assert completed(f"{tmp_path}/") == f"{tmp_path}/index.db"
    assert completed(f"{tmp_path}/.h") == f"{tmp_path}/.hidden/"
    for nothing in ("", "photos", f"{tmp_path}/nobody", f"{tmp_path}/photos/a/x", "/\0", "mysql://host", "~nobody/x"):
        assert completed(nothing) is None
