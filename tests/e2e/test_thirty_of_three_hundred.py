"""From 300 faces to the 24 that a LoRA is trained on: in a real terminal, by keys alone."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from engine.dataset.files.layout import DatasetFolder
from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import JAMES
from engine.faces.framing import cut_of
from engine.faces.photo.geometry import Box
from engine.faces.records.decisions import Decision, Face, Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.measurements import FaceQuality, FaceRelations
from engine.project import Project, create_project
from tests.e2e.tmux import Terminal

FACES = 300
SIDE = 2600


def wrong(number: int) -> bool:
    return number % 10 == 0


def blurred(number: int) -> bool:
    return number % 10 == 1


def copied(number: int) -> bool:
    return number % 10 == 2


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """300 measured faces: a tenth somebody else, a tenth blurred, a tenth copies, a burst of nine in each hundred."""
    project = create_project(tmp_path / "james", trigger="jx265", class_word="man")
    project.change({"person.name": "James", "person.uid": "js1"})
    photo = tmp_path / "photo.jpg"
    draw_portrait(JAMES, random_scene(Random(5)), 256).resize((SIDE, SIDE)).save(photo, quality=85)
    found, sights, relations, seen = [], [], {}, []
    for number in range(1, FACES + 1):
        chance = Random(number)
        # Near, half a body, from afar: what is below the chin decides.
        height = (0.42, 0.2, 0.085)[number % 3]
        box = Box(0.5 - height / 2, 0.06, height, height)
        day = f"{2009 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02} 10:00:00"
        ids = (f"ms{number:04}", "js1", "James", f"ps{number}", f"fs{number}", "/", f"lake/IMG_{number:04}.jpg")
        size = (SIDE, SIDE, round(height * SIDE), day, not wrong(number) and number % 4 != 3)
        face = FoundFace(*ids, photo, box, *size)
        found.append(replace(face, taken_at=None) if number == 77 else face)
        sharp = 6.0 if blurred(number) else chance.uniform(45, 220)
        bits = chance.getrandbits(256), chance.getrandbits(64)
        sights.append((face.marker_uid, "made", FaceQuality(sharp, 120, 50, 0, 0, *bits)))
        seen.append(Seen(face.marker_uid))
        of_burst = 41 <= number % 100 <= 49
        relations[face.marker_uid] = FaceRelations(
            burst=number // 100 * 100 + 41 if of_burst else None,
            burst_size=9 if of_burst else 1,
            burst_best=not of_burst or number % 100 == 45,
            copy_of=number + 1 if copied(number) else None,
            distance=1.3 if wrong(number) else 0.5,
            wrong=wrong(number),
        )
    with project.store() as store:
        Ledger(store).record("js1", found)
        measured = MeasuredFaces(store)
        measured.take_in(seen)
        measured.save(sights)
        measured.save_kin(relations)
    return project


def faces_of(project: Project) -> dict[int, Face]:
    with project.store() as store:
        return {face.id: face for face in Ledger(store).faces()}


@pytest.mark.long
def test_three_hundred_faces_become_twenty_four_images_by_keys_alone(project: Project) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tui.cli", "-C", str(project.root)]
    environment = {"PYTHONPATH": str(root), "TERM": "screen-256color"}
    with Terminal(command, columns=120, rows=36, cwd=root, environment=environment) as terminal:
        terminal.wait_for("300 of 300", "0 kept")
        for state, number in (("wrong", 30), ("blurred", 30), ("duplicate", 30)):
            terminal.press("/", "C-u")
            terminal.type(f"is:{state} is:undecided")
            terminal.wait_for(f"/ is:{state} is:undecided", f" {number} of 300")
            terminal.press("Enter", "X")
            terminal.wait_for(f"Reject {number} faces?")
            terminal.press("y")
            terminal.wait_until_gone("Reject")
        terminal.press("/", "C-u")
        terminal.type("is:undecided sort:sharp")
        terminal.wait_for("/ is:undecided sort:sharp", "210 of 300")
        terminal.press("Enter", "g", "g", "y", "y", "x", "y")
        terminal.wait_for("3 kept")
        terminal.press("u", "u", "U")
        terminal.wait_for("2 kept")
        terminal.press("v")
        terminal.wait_for("this, not the other")
        terminal.press("Y")
        terminal.wait_for("✓ keep")
        terminal.press("Escape")
        terminal.wait_for("3 kept")
        by_hand = {number: face.decision for number, face in faces_of(project).items()}
        terminal.press("P")
        terminal.wait_for("Keep these 21 faces?", "confirmed, first of")
        terminal.press("y")
        terminal.wait_for("24 kept", "the mix is met")
        terminal.press("B")
        terminal.wait_for("24 images", "24 captioned")
        terminal.press("q")
        assert terminal.wait_until_ended() == 0
    faces = faces_of(project)
    kept = [face for face in faces.values() if face.decision is Decision.KEEP]
    assert len(kept) == 24
    assert not [face.id for face in kept if wrong(face.id) or blurred(face.id) or copied(face.id)]
    assert max(Counter(face.measures.relations.burst for face in kept if face.measures.relations).pop(45, 0), 0) <= 1
    assert all(
        faces[number].decision is decision for number, decision in by_hand.items() if decision.value != "undecided"
    )
    assert Counter(cut_of(face).framing.value for face in kept) == {"close": 12, "half": 6, "full": 6}
    assert len(DatasetFolder(project).images()) == 24
