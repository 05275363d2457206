"""The whole way by keys in a real terminal of 80 × 24: from the Connect screen to a portrait."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from engine.demo.library import DrawnLibrary
from engine.jobs.follow import state
from engine.pictures.orders.start import painter_folder
from engine.project import Project, create_project
from engine.training.runs.run_status import run_status
from tests.e2e.tmux import Terminal
from tests.support.patience import wait_until

LIMNER = Path(sys.executable).with_name("limner")

TAIL = 40
"""What a field certainly shows of the end of what is typed into it."""

QUICK = {
    "training.repeats": 1,
    "training.epochs": 2,
    "training.batch_size": 4,
    "training.rank": 4,
    "painting.steps": 4,
    "painting.sampler": "Euler",
}

pytestmark = pytest.mark.slow


@pytest.fixture(params=["demo", pytest.param("demo-flux2-klein", marks=pytest.mark.long)])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    project.change({**QUICK, "base.model": request.param})
    return project


@pytest.fixture
def open_app(project: Project, own_home: Path) -> Callable[[], Terminal]:
    """Opens the app on the project in a terminal of its own."""

    def begin() -> Terminal:
        environment = {"HOME": str(own_home), "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        return Terminal([str(LIMNER), "-C", str(project.root)], cwd=project.root, environment=environment)

    return begin


def test_from_connect_to_a_portrait_by_keys(
    drawn_library: DrawnLibrary, project: Project, open_app: Callable[[], Terminal]
) -> None:
    library = drawn_library
    with open_app() as terminal:
        # Connect: wrong first, as everybody does.
        terminal.wait_for("Where are your photos?", "chooses what keeps your photos")
        terminal.press_and_see("L")
        terminal.wait_for("What keeps your photos?")
        terminal.press_and_see("Enter")
        terminal.type(str(library.index.parent / "nowhere.db"))
        terminal.wait_for("nowhere.db")
        terminal.press("F5")
        terminal.wait_for("✗", "there is no index")
        terminal.press("C-u")
        terminal.wait_for("mysql://host:3306/photoprism")
        terminal.type(str(library.index))
        terminal.wait_for(str(library.index)[-TAIL:])
        for _ in range(3):  # over user and password, which SQLite has none of
            terminal.press_and_see("Enter")
        terminal.type(str(library.originals))
        terminal.wait_for(str(library.originals)[-TAIL:])
        terminal.press_and_see("Enter")
        terminal.type(str(library.sidecar))
        terminal.wait_for(str(library.sidecar)[-TAIL:])
        terminal.press("Enter")
        terminal.wait_for("✓ SQLite", "originals: 5 of 5", "James")
        terminal.press("Enter")

        # Faces: a few decisions, one taken back, the rest picked.
        terminal.wait_for("0 kept", "▸")
        terminal.press("x")
        terminal.wait_for("✗")
        terminal.press("u")
        terminal.wait_for("Undid: reject")
        terminal.press("P")
        terminal.wait_for("Keep these 24 faces?")
        terminal.press("y")
        terminal.wait_for("24 kept")
        terminal.press("B")
        terminal.wait_for("24 images")

        # Dataset.
        terminal.press("3")
        terminal.wait_for("24 images", "jx265, man")

        # Training: started, then the terminal is closed under it.
        terminal.press("4")
        terminal.wait_for("24 images × 1 repeats × 2 epochs = 48 image-steps")
        terminal.press("s")
        wait_until(lambda: bool(project.run_folders()), "a run folder")
        terminal.wait_for("Progress")

    run = project.run_folders()[0]
    wait_until(lambda: not run.alive(), "the run's end")
    status = run_status(run)
    assert status.error is None
    assert [path.name for path in status.checkpoints] == ["jx265-000001.safetensors", "jx265.safetensors"]

    with open_app() as terminal:
        # It opens where it was left: on the run.
        terminal.wait_for("Progress", "✓ run done", "2 of 2", "jx265-000001")
        terminal.press("5")
        terminal.wait_for("What to paint?", "at 0.80")
        terminal.press("Enter")
        terminal.wait_for("queued")
        terminal.press("6")
        wait_until(lambda: bool(list(project.pictures.glob("*.png"))), "a painted picture")
        terminal.wait_for("photo of jx265 man")
        terminal.press("q")
        assert terminal.wait_until_ended() == 0

    portrait = next(project.pictures.glob("*.png"))
    with Image.open(portrait) as picture:
        assert picture.size == (64, 64)
        assert re.search(r"photo of jx265 man", picture.text["parameters"])
    wait_until(lambda: state(painter_folder(project)).state.ended, "the painter's going home")
