"""Photos nobody should trust: each is opened right or refused with a reason, and the rest goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from engine import events
from engine.dataset.build import build
from engine.errors import DatasetError
from engine.faces.crop import cut, preview
from engine.faces.measure_job import measure
from engine.faces.photo.geometry import Crop, Framing
from engine.faces.photo.jpeg_region import open_part
from engine.faces.photo.loading import BrokenImage, open_upright, proven_size, read_taken, upright_size
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.scan import scan
from engine.library.paths import Roots, RootsDoNotFit, check_roots
from engine.project import Project
from engine.training.data.images import fit
from tests.hostile.photos import TOLERANCE, Trap, corpus, lying_png
from tests.support.astronaut import FACE, save
from tests.support.patience import PATIENCE
from tests.support.photoprism import Index

TRAPS = {trap.name: trap for trap in corpus()}
TOO_SMALL = {"one-pixel.png", "thin.png"}
"""Half of them is less than a pixel."""


@pytest.mark.parametrize("name", TRAPS)
def test_a_photo_is_seen_right_or_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    trap = TRAPS[name]
    path = trap.write(tmp_path)
    if trap.size is None:
        with pytest.raises(BrokenImage, match=trap.reason) as refused:
            open_upright(path)
        assert refused.value.reason
        assert len(refused.value.reason) < 250
        assert "\n" not in refused.value.reason
        return
    picture = open_upright(path)
    assert (picture.mode, picture.size) == ("RGB", trap.size)
    assert upright_size(path) == proven_size(path) == trap.size
    _near(picture, trap)
    assert read_taken(path) is None
    part = open_part(path, trap.size, Crop(0, 0, 1))
    if part is not None:
        _near(part, trap)


@pytest.mark.parametrize("name", TRAPS)
def test_what_libvips_cuts_is_what_pillow_cuts(name: str, tmp_path: Path) -> None:
    """Where libvips can't or won't, or the file is damaged, it leaves the photo to Pillow and its reasons."""
    trap = TRAPS[name]
    path = trap.write(tmp_path)
    if trap.size is None:
        with pytest.raises(BrokenImage):
            _cut_and_open(path, (64, 48), Crop(0, 0, 48))
        return
    part, whole = _cut_and_open(path, trap.size, Crop(0, 0, min(trap.size)))
    if part is not None:
        assert part.tobytes() == whole.tobytes()


def test_a_scan_a_look_and_a_build_go_on_past_every_one_of_them(project: Project, tmp_path: Path) -> None:
    index, folder = Index(), tmp_path / "originals"
    folder.mkdir()
    james = index.person("James")
    for trap in TRAPS.values():
        trap.write(folder)
        index.face(index.photo(trap.name, trap.size or (64, 48)), james, (0.1, 0.1, 0.5, 0.5))
    save(folder / "good.jpg")
    index.face(index.photo("good.jpg"), james, FACE)
    project.change({"library.url": index.to_sqlite(tmp_path / "index.db"), "library.originals": folder})
    told: list[events.Event] = []
    report = scan(project, "James", tell=told.append)
    assert report.faces == len(TRAPS) + 1
    with project.store() as store:
        ledger = Ledger(store)
        faces = {face.file_name: face for face in ledger.faces()}
        ledger.decide([face.id for face in faces.values()], Decision.KEEP)
    assert faces["good.jpg"].problem is None
    for trap in TRAPS.values():
        # What is whole at both ends is seen to be damaged only when it is decoded.
        if trap.size is not None or not trap.name.startswith(("damaged", "wide.heic")):
            assert bool(faces[trap.name].problem) == (trap.size is None or trap.name in TOO_SMALL), trap.name
    for face in faces.values():
        if face.problem is None and not face.file_name.startswith(("damaged", "wide.heic")):
            assert preview(face, Framing.BOX, 32).size == (32, 32)
            assert cut(face, Framing.CLOSE).width > 0
    measured = measure(project, tell=told.append)
    built = build(project, tell=told.append)
    refused = {face.file_name for face, _ in built.skipped}
    assert {trap.name for trap in TRAPS.values() if trap.size is None} <= refused
    assert refused <= {*(trap.name for trap in TRAPS.values() if trap.size is None), *TOO_SMALL}
    assert len(built.images) == len(faces) - len(refused)
    assert measured.measured > 0
    for image in built.images:
        with Image.open(image.path) as opened:
            assert opened.size == (1024, 1024)
    good = next(image for image in built.images if image.path.exists())
    assert good.path.with_suffix(".txt").read_text().startswith("jx265")


MANY_AT_ONCE = """
import resource, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from engine.faces.photo.loading import BrokenImage, open_upright, proven_size

kept = []

def reason(path, look):
    try:
        look(path)
    except BrokenImage as error:
        # As somebody does who collects what went wrong.
        kept.append(error)
        return error.reason

paths = sorted(Path(sys.argv[1]).iterdir())
reason(paths[0], proven_size)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2_200_000_000,) * 2)
threading.stack_size(1 << 20)
with ThreadPoolExecutor(8) as pool:
    print({*pool.map(reason, paths, [proven_size] * 8), *pool.map(reason, paths, [open_upright] * 8)})
"""


@pytest.mark.long
def test_many_headers_that_lie_cost_the_memory_of_one(tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(lying_png())
    done = subprocess.run(
        [sys.executable, "-c", MANY_AT_ONCE, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )
    assert done.stdout.strip() == "{'the file is truncated'}", done.stderr


def test_a_pipe_among_the_photos_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    found: list[str] = []

    def look() -> None:
        for open_it in (open_upright, proven_size, read_taken):
            try:
                open_it(tmp_path / "pipe.jpg")
            except BrokenImage as error:
                found.append(error.reason)
        try:
            check_roots([("/", "pipe.jpg")], Roots(tmp_path))
        except RootsDoNotFit as error:
            found.append(error.what)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert found[:3] == ["it is not a plain file"] * 3
    assert "holds none of the 1 sampled files" in found[3]


def _cut_and_open(path: Path, size: tuple[int, int], crop: Crop) -> tuple[Image.Image | None, Image.Image]:
    return open_part(path, size, crop), open_upright(path).crop(crop.corners)


def _near(picture: Image.Image, trap: Trap) -> None:
    at = (min(4, picture.width - 1), min(4, picture.height - 1))
    seen = picture.getpixel(at)
    assert isinstance(seen, tuple)
    assert max(abs(one - other) for one, other in zip(seen, trap.colour, strict=True)) <= TOLERANCE, seen


def test_a_picture_that_is_none_starts_no_program_wherever_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostScript named as a picture, as a dataset of somebody else's may bring it, would be given to Ghostscript."""
    started = tmp_path / "started"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    file = tmp_path / "0001.png"
    file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(DatasetError):
        fit(file, (64, 64))
    assert not started.exists()


def test_every_picture_is_opened_by_the_readers_that_are_named() -> None:
    root = Path(__file__).parents[2]
    bare = [
        path.relative_to(root)
        for folder in ("engine", "tui")
        for path in (root / folder).rglob("*.py")
        if "Image.open(" in path.read_text()
    ]
    assert bare == [Path("engine/faces/photo/loading.py")]
