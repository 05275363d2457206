"""How the app feels: its first frame, its keys while a run trains, its silence, its thumbnails; in a real terminal."""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import JAMES
from engine.faces.photo.geometry import Box
from engine.faces.records.decisions import Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.measurements import FaceQuality, FaceRelations
from engine.project import Project, create_project
from engine.training.runs.run_status import run_status
from tests.bench.result import Result
from tests.support.small_project import small_project
from tests.tui.pseudo_terminal import REPOSITORY, PseudoTerminal

ROUNDS = 5
SMALLEST = """
from textual.app import App
from textual.widgets import Static

class Smallest(App):
    def compose(self):
        yield Static("hello")

Smallest().run()
"""
FACES, PHOTOS, SIDE = 10_000, 120, 1600
TICKS = os.sysconf("SC_CLK_TCK")

ONE_FRAME = 0.02
"""Seconds without a byte that end a frame."""

FIRST_FRAME, VERSION, RUNS, KEY = 0.6, 0.15, 0.3, 0.05
IDLE_SHARE, LIVE_BYTES = 2.0, 25.0
GRID_OPENS, GRID_PAGES = 0.5, 0.05
"""What is asked for: seconds, percent of a core, KiB a second."""


def results() -> Iterator[Result]:
    """Commands, the first frame, silence; then a run that trains beside the app; then ten thousand thumbnails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "home-cache")
        # As pip leaves it where it installs: compiled once, not at each start.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        project = _faces(folder / "faces")
        yield from _commands(project)
        yield from _opening_and_idling(project)
        yield from _beside_a_run(folder)
        yield from _thumbnails(project)


def _within(name: str, seconds: float, allowed: float, note: str = "") -> Result:
    return Result(name, seconds * 1000, "ms", f"{allowed * 1000:,.0f} ms", allowed / seconds, note)


def _commands(project: Project) -> Iterator[Result]:
    for words, allowed in (("--version", VERSION), ("runs --json", RUNS)):
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), *words.split()]
            subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)
            times.append(time.perf_counter() - began)
        yield _within(f"limner {words}", statistics.median(times), allowed)


def _opening_and_idling(project: Project) -> Iterator[Result]:
    first, hello = _first_frames(project), []
    for _ in range(ROUNDS):
        with PseudoTerminal(command=[sys.executable, "-c", SMALLEST], columns=120, rows=40) as terminal:
            terminal.wait_for("hello")
            hello.append(time.monotonic() - terminal.started)
    smallest, again = statistics.median(hello), statistics.median(first[1:])
    yield _within("first frame", again, FIRST_FRAME)
    yield _within("first frame, the first time ever", first[0], FIRST_FRAME, "everything is compiled, nothing kept")
    yield Result("first frame of Textual's smallest app", smallest * 1000, "ms", "ours", again / smallest)
    with PseudoTerminal("-C", str(project.root), columns=120, rows=40) as terminal:
        terminal.wait_for(f"{FACES:,}")
        terminal.wait_until_quiet(2.0)
        # Nobody types, so the other screens are made now.
        terminal.take(8.0)
        before, began = _cpu(terminal.pid), time.monotonic()
        written = terminal.take(10.0)
        share = 100 * (_cpu(terminal.pid) - before) / (time.monotonic() - began)
    yield Result("idle, CPU", share, "% of a core", f"{IDLE_SHARE:g} %", IDLE_SHARE / max(share, 0.01))
    yield Result("idle, written in 10 s", float(len(written)), "bytes", "0 bytes", None)


def _first_frames(project: Project) -> list[float]:
    """Seconds to the first frame, the first of them of an app that was never open here; each is left as people do."""
    times = []
    for _ in range(ROUNDS + 1):
        with PseudoTerminal("-C", str(project.root), columns=120, rows=40) as terminal:
            terminal.wait_for("Which faces are good?")
            times.append(time.monotonic() - terminal.started)
            terminal.wait_for(f"{FACES:,}")
            terminal.write(b"q")
            terminal.wait_until_ended()
    return times


def _beside_a_run(folder: Path) -> Iterator[Result]:
    project = small_project(folder / "run", training__epochs=400, training__repeats=20)
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root)]
    subprocess.run([*command, "train"], check=True, capture_output=True, cwd=REPOSITORY)
    try:
        with PseudoTerminal("-C", str(project.root), columns=120, rows=40) as terminal:
            while (run_status(project.run()).step or 0) < 5:
                terminal.take(0.2)
            terminal.take(2.0)
            began = time.monotonic()
            written = 0
            while time.monotonic() - began < 8.0:
                written += len(terminal.take(0.2))
            rate = written / 1024 / (time.monotonic() - began)
            yield Result("training screen", rate, "KiB/s", f"{LIVE_BYTES:g} KiB/s", LIVE_BYTES / max(rate, 0.01))
            taken = []
            for key in "53?q2146" * 3:
                terminal.take(0.3)
                taken.append((_answered(terminal, key, 0.0)[0], key))
            (middle, _), (worst, slowest) = sorted(taken)[len(taken) // 2], max(taken)
            yield _within("key while a run trains, median", middle, KEY)
            yield _within(f"key while a run trains, slowest ({slowest})", worst, KEY)
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True, cwd=REPOSITORY)
        deadline = time.monotonic() + 60
        while project.run().alive() and time.monotonic() < deadline:
            time.sleep(0.1)


def _thumbnails(project: Project) -> Iterator[Result]:
    with PseudoTerminal("-C", str(project.root), columns=120, rows=40) as terminal:
        terminal.wait_for(f"{FACES:,}")
        terminal.wait_until_quiet(1.0)
        first, whole = _answered(terminal, "t", 0.4)
        yield _within(f"{FACES:,} thumbnails open", first, GRID_OPENS, "frame with what is there")
        yield _within(f"{FACES:,} thumbnails open, cold", whole, GRID_OPENS, "all in sight decoded from photos")
        for _ in range(3):
            _answered(terminal, "\x04", 1.0)
        warm = []
        for key in "\x15\x15\x04\x04\x15\x15":
            warm.append(_answered(terminal, key, ONE_FRAME)[1])
            # The large picture beside them comes later, from its photo.
            terminal.wait_until_quiet(0.8)
        yield _within("a page of thumbnails, warm", statistics.median(warm), GRID_PAGES, "to the last byte")


def _answered(terminal: PseudoTerminal, key: str, quiet: float) -> tuple[float, float]:
    """Seconds from a key's byte to the answer's first byte, and to its last before ``quiet`` seconds of rest."""
    began = time.perf_counter()
    terminal.write(key.encode())
    select.select([terminal.handle], [], [], 5.0)
    first = last = time.perf_counter() - began
    while quiet and select.select([terminal.handle], [], [], quiet)[0]:
        terminal.output += os.read(terminal.handle, 65536)
        last = time.perf_counter() - began
    return first, last


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _faces(root: Path) -> Project:
    """Faces in real photos, a photo for many: reading a file anew for each of ten thousand is what a library does."""
    project = create_project(root, trigger="jx265", class_word="man")
    project.change({"person.uid": "js1", "person.name": "James"})
    for number in range(PHOTOS):
        picture = draw_portrait(JAMES, random_scene(Random(number)), 192).resize((SIDE, SIDE))
        picture.save(root / f"{number}.jpg", quality=85)
    found, seen, sights, relations = [], [], [], {}
    for number in range(1, FACES + 1):
        chance, marker = Random(number), f"ms{number:08}"
        box = Box(0.25 + chance.random() * 0.1, 0.2, 0.35, 0.35)
        ids = (marker, "js1", "James", f"ps{number}", f"fs{number}", "/", f"lake/IMG_{number:06}.jpg")
        day = f"{2004 + number % 20}-{1 + number % 12:02}-{1 + number % 28:02} 10:00:00"
        found.append(FoundFace(*ids, root / f"{number % PHOTOS}.jpg", box, SIDE, SIDE, round(0.35 * SIDE), day, True))
        seen.append(Seen(marker))
        hashes = chance.getrandbits(256), chance.getrandbits(64)
        sights.append(
            (marker, "bench", FaceQuality(chance.uniform(20, 300), chance.uniform(40, 220), 45, 0, 0, *hashes))
        )
        relations[marker] = FaceRelations(None, 1, False, None, 0.4, False)
    with project.store() as store:
        Ledger(store).record("js1", found)
        measured = MeasuredFaces(store)
        measured.take_in(seen)
        measured.save(sights)
        measured.save_kin(relations)
    return project
