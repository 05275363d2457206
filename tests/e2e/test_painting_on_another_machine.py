"""Pictures painted on another machine over a real sshd: the same as here, byte for byte, and nothing stays there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.events import JobState
from engine.jobs.folder import Request
from engine.pictures.orders.orders import order_for, ready_to_queue
from engine.pictures.orders.painter_machine import paint_on, painter_machine
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import order_pictures, painter_folder, painter_state, wait_for, wake_painter
from engine.project import Project
from engine.remote.boxes import Box, keep_box
from engine.security.trust import confirm
from tests.e2e.ssh import SshServer
from tests.support.kill_processes import kill_job
from tests.support.patience import wait_until
from tests.support.small_project import random_lora, small_project
from tests.support.ssh_box import ssh_box
from tui.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def there(tmp_path: Path, own_home: Path) -> Iterator[tuple[Box, SshServer]]:
    with ssh_box(tmp_path / "there") as (box, server):
        keep_box(box)
        yield box, server


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = small_project(tmp_path / "james")
    yield project
    if painter_folder(project).alive():
        kill_job(painter_folder(project))


def limner(project: Project, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(project.root), *words])
    return int(ended.value.code or 0)


def left(box: Box) -> list[Path]:
    folder = Path(box.directory)
    return sorted(folder.iterdir()) if folder.is_dir() else []


@pytest.mark.long
def test_pictures_from_there_are_those_from_here(
    there: tuple[Box, SshServer], project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    box, _ = there
    lora = random_lora(tmp_path / "style.safetensors")
    paint = ("paint", "photo of jx265 man", "--seed", "7", "--lora", f"{lora}:0.8", "--json")
    assert limner(project, *paint) == 0
    here = json.loads(capfd.readouterr().out)["pictures"][0]
    assert limner(project, *paint, "--on", box.name) == 1
    assert "nothing was sent" in capfd.readouterr().err
    assert limner(project, *paint, "--on", box.name, "--yes") == 0
    elsewhere = json.loads(capfd.readouterr().out)["pictures"][0]
    assert elsewhere["state"] == "done"
    first, second = Image.open(here["path"]), Image.open(elsewhere["path"])
    assert np.array_equal(np.asarray(first), np.asarray(second))
    assert first.info["parameters"] == second.info["parameters"]
    wait_until(lambda: not painter_folder(project).alive())
    assert left(box) == []
    assert painter_machine(project) == box.name
    assert limner(project, "paint", "photo of jx265 man", "--seed", "8", "--on", "here") == 0
    assert painter_machine(project) is None


@pytest.mark.long
def test_a_cut_line_and_a_kill_lose_no_picture_and_paint_none_twice(
    there: tuple[Box, SshServer], project: Project
) -> None:
    box, server = there
    confirm(project.root, box.address)
    paint_on(project, box.name)
    orders = [order_for(project, "photo of jx265 man", seed=seed) for seed in range(12)]
    pictures = order_pictures(project, orders)
    wait_until(lambda: bool(left(box)))
    server.cut()
    server.begin()
    wait_until(lambda: any(path.name.endswith(".png") for path in Path(box.directory).rglob("*.png")))
    kill_job(painter_folder(project))
    done = wait_for(project, [each.id for each in pictures])
    assert [each.state for each in done] == [PictureState.DONE] * 12
    assert len({each.path for each in done}) == 12
    assert all(Image.open(each.path).size == (64, 64) for each in done)
    assert len(list(project.pictures.glob("*.png"))) == 12
    wait_until(lambda: not painter_folder(project).alive())
    assert left(box) == []


@pytest.mark.long
def test_a_grid_and_likeness_are_painted_there_and_looked_at_here(
    there: tuple[Box, SshServer], project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    box, _ = there
    assert limner(project, "train", "--wait") == 0
    axes = ["--x", "seed=1-3", "--y", "strength=0.5,1", "--prompt", "photo of jx265 man"]
    sheet = tmp_path / "sheet.png"
    assert limner(project, "grid", *axes, "-o", str(sheet), "--on", box.name, "--yes") == 0
    assert Image.open(sheet).format == "PNG"
    assert limner(project, "likeness", "--seeds", "1", "--strength", "1", "--json") in (0, 1)
    told = capfd.readouterr()
    assert "Painted on box" in told.err
    log = [entry.event for entry in painter_folder(project).entries()]
    assert any(getattr(each, "name", "") == "painting on box" for each in log)


def test_a_picture_that_can_not_be_painted_there_says_why(
    there: tuple[Box, SshServer], project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    box, _ = there
    vae = project.root / "vae.safetensors"
    vae.write_bytes(b"")
    project.change({"base.vae": str(vae)})
    confirm(project.root, box.address)
    paint_on(project, box.name)
    with project.store() as store:
        order = order_for(project, "photo of jx265 man", seed=1)
        (picture,) = Queue(store).add([ready_to_queue(project, order)])
    wake_painter(project)
    wait_until(lambda: not painter_folder(project).alive())
    with project.store() as store:
        found = Queue(store).picture(picture.id)
    assert found.state is PictureState.FAILED
    assert "base.vae is a file of this machine" in (found.reason or "")


@pytest.mark.long
def test_a_painter_that_is_told_to_stop_leaves_its_pictures_waiting(
    there: tuple[Box, SshServer], project: Project
) -> None:
    box, _ = there
    confirm(project.root, box.address)
    paint_on(project, box.name)
    pictures = order_pictures(project, [order_for(project, "photo of jx265 man", seed=seed) for seed in range(3)])
    wait_until(lambda: bool(left(box)))
    painter_folder(project).ask(Request.STOP)
    wait_until(lambda: not painter_folder(project).alive())
    assert painter_state(project) is JobState.DONE
    with project.store() as store:
        states = {Queue(store).state(each.id) for each in pictures}
    assert states <= {PictureState.QUEUED, PictureState.DONE}
