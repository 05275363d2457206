"""Faces to decide on, without a library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.faces.photo.geometry import Box
from engine.faces.records.found_face import FoundFace


@pytest.fixture
def found() -> Callable[..., FoundFace]:
    def make(number: int, **changes: object) -> FoundFace:
        face = FoundFace(
            marker_uid=f"ms{number}",
            person_uid="js1",
            person="James",
            photo_uid=f"ps{number}",
            file_uid=f"fs{number}",
            file_root="/",
            file_name=f"2019/IMG_{number}.jpg",
            path=Path(f"/photos/2019/IMG_{number}.jpg"),
            box=Box(0.4, 0.3, 0.1, 0.1),
            image_width=4000,
            image_height=3000,
            face_px=400,
            taken_at=f"2019-06-{number % 28 + 1:02d} 15:58:24",
            confirmed=True,
        )
        return replace(face, **changes)  # type: ignore[arg-type]

    return make
