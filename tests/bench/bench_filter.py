"""A hundred thousand faces: what a filter line takes, and what a key press takes on the Faces screen."""

from __future__ import annotations

import select
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from engine.faces.photo.geometry import Box
from engine.faces.records.decisions import Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.measurements import FaceQuality, FaceRelations
from engine.faces.selection.face_table import FaceColumns
from engine.faces.selection.filter import read_filter
from engine.project import Project, create_project
from tests.bench.result import Result, median_seconds
from tests.tui.pseudo_terminal import PseudoTerminal

FACES = 100_000
ALLOWED = 0.05
"""Seconds in which a key press must be answered."""

LINES = (
    "px>512",
    "px>512 sharp>40 year:2015..2023 framing:close is:confirmed -is:duplicate -is:blurred sort:sharp",
    "lake",
    "group:burst sort:px",
)

MOVING = ("j", "G", "k", "\x15", "y", "x", "u", "n", "\x1b[H")
TYPING = ("/", *"sharp>40 lake")
KEYS = (*MOVING, *TYPING)
"""As a keyboard sends them; ``\\x15`` is ctrl+u, ``\\x1b[H`` home."""

QUIET = 0.6
"""Seconds without a byte after which the screen is at rest."""

ROUNDS = 3


def _matching(line: str, columns: FaceColumns) -> int:
    return len(read_filter(line)(columns))


def results() -> Iterator[Result]:
    """Filter lines over the columns; then the app itself, key by key."""
    with tempfile.TemporaryDirectory() as name:
        project = _project(Path(name) / "many")
        with project.store() as store:
            columns = FaceColumns(Ledger(store).faces()).ready()
        for line in LINES:
            seconds = median_seconds(partial(_matching, line, columns))
            yield Result(f"filter 100,000 faces: {line}", seconds * 1000, "ms", "50 ms a key", ALLOWED / seconds)
        taken = _keys(project.root)
    slowest = max(taken, key=lambda key: taken[key])
    worst = taken[slowest]
    middle = statistics.median(taken.values())
    yield Result("key press at 100,000 faces, median", middle * 1000, "ms", "50 ms a key", ALLOWED / middle)
    yield Result(f"key press at 100,000 faces, slowest ({slowest})", worst * 1000, "ms", "50 ms a key", ALLOWED / worst)


def _keys(folder: Path) -> dict[str, float]:
    """Seconds from a key's byte into a real terminal to the first byte of the answer, by key; the rounds' median."""
    rounds: list[dict[str, float]] = []
    with PseudoTerminal("-C", str(folder), columns=120, rows=40) as terminal:
        terminal.wait_for(f"{FACES:,}")
        for _ in range(ROUNDS):
            _quiet(terminal)
            taken: dict[str, float] = {}
            for number, key in enumerate(KEYS):
                began = time.perf_counter()
                terminal.write(key.encode())
                select.select([terminal.handle], [], [], 5.0)
                taken[f"{number} {key!r}"] = time.perf_counter() - began
                _quiet(terminal)
            rounds.append(taken)
            terminal.write(b"\x7f" * 20 + b"\r")
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def _quiet(terminal: PseudoTerminal) -> None:
    while terminal.take(QUIET):
        continue


def _project(root: Path) -> Project:
    """Faces without photos, measured; every fourth photo holds somebody else, too."""
    chance = Random(7)
    project = create_project(root, trigger="jx265", class_word="man")
    project.change({"person.uid": "js1", "person.name": "James"})
    found, seen, sights, relations = [], [], [], {}
    for number in range(1, FACES + 1):
        marker, year, height = f"ms{number:08}", 2004 + number % 20, chance.uniform(0.04, 0.5)
        day = f"{year}-{1 + number % 12:02}-{1 + number % 28:02} 10:{number % 60:02}:{number // 60 % 60:02}"
        box = Box(chance.uniform(0, 0.6), chance.uniform(0, 0.4), height * 0.75, height)
        ids = (marker, "js1", "James", f"ps{number}", f"fs{number}", "/", f"{year}/lake/IMG_{number:06}.jpg")
        size = (4000, 3000, round(height * 3000), day, number % 3 != 0)
        found.append(FoundFace(*ids, Path(f"/nowhere/{number}.jpg"), box, *size))
        seen.append(Seen(marker, (Box(0.7, 0.2, 0.1, 0.13),) if number % 4 == 0 else ()))
        hashes = (chance.getrandbits(256), chance.getrandbits(64))
        sights.append(
            (marker, "bench", FaceQuality(chance.uniform(2, 300), chance.uniform(40, 220), 45, 0, 0, *hashes))
        )
        burst = number - number % 5 if number % 20 < 5 else None
        relations[marker] = FaceRelations(
            burst, 5 if burst else 1, number % 5 == 0, None, chance.uniform(0.3, 1.2), number % 40 == 0
        )
    with project.store() as store:
        Ledger(store).record("js1", found)
        measured = MeasuredFaces(store)
        measured.take_in(seen)
        measured.save(sights)
        measured.save_kin(relations)
    return project
