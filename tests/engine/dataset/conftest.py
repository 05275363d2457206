"""A built dataset: three images of one face, as the tests of captions and tags need it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.faces.photo.geometry import Box, Framing
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.found_face import FoundFace
from engine.project import Project
from tests.support.astronaut import FACE, astronaut, save
from tests.support.story import TAKEN, build_once


@pytest.fixture
def built(project: Project, tmp_path: Path) -> Project:
    """Images 0001 to 0003, close-ups, template captions."""
    photo = tmp_path / "photos" / "a.jpg"
    save(photo, astronaut())
    os.utime(photo, (TAKEN, TAKEN))
    found = [
        FoundFace(
            marker_uid=f"ms{number}",
            person_uid="js1",
            person="James",
            photo_uid=f"ps{number}",
            file_uid=f"fs{number}",
            file_root="/",
            file_name="a.jpg",
            path=photo,
            box=Box(*FACE),
            image_width=512,
            image_height=512,
            face_px=round(FACE[3] * 512),
            taken_at=f"201{number}-06-02 15:58:24",
            confirmed=True,
        )
        for number in range(3)
    ]
    with project.store() as store:
        ledger = Ledger(store)
        ledger.record("js1", found)
        ledger.decide([1, 2, 3], Decision.KEEP)
    project.change({"person.uid": "js1"})
    build_once(project, tmp_path, Framing.CLOSE)
    return project
