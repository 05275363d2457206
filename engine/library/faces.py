"""Faces as every library tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from engine.errors import LibraryError

FOLDER_ROOT = "folder"
"""The ``file_root`` of a photo in a plain folder that has no index."""

IMMICH_ROOT = "immich"
"""The ``file_root`` of a photo in Immich."""

GROUPED_ROOTS = frozenset({FOLDER_ROOT, IMMICH_ROOT})
"""Roots of libraries that do not tell of each face whether somebody confirmed it: those of a person were grouped."""

MOST_MEMORY = 1_000_000_000
"""Bytes that the faces of one person may take: some 800,000 of them."""

A_ROW = 1000
"""Bytes that a face takes beside its longer texts."""


@dataclass(frozen=True)
class LibraryFace:
    """One face marker of a person, with its file and photo."""

    marker_uid: str
    person_uid: str
    person: str
    box: tuple[float, float, float, float]
    """x, y, w, h in fractions of the upright picture, origin top left; x + w may pass 1."""
    confirmed: bool
    """Whether a person said so; else the library matched it."""
    file_uid: str
    file_root: str
    """``/`` originals, ``sidecar``, ``import``, ``examples``; ``FOLDER_ROOT`` and ``IMMICH_ROOT`` elsewhere."""
    file_name: str
    """Relative to its root."""
    file_width: int | None
    """Pixels of the upright picture, as indexed; None where the index has none."""
    file_height: int | None
    photo_uid: str
    taken_at: str | None
    """``2019-06-02 15:58:24``, in the photo's own time where the index has it."""
    neighbours: int
    """Other faces in the same picture."""
    file_hash: str = ""
    """SHA-1 of the file's bytes in hex, as indexed; empty where the library has none."""
    file_size: int | None = None
    """Bytes of the file, as indexed."""
    caution: str = ""
    """What of this face the library says can't be relied on."""
    measured_on: tuple[int, int] | None = None
    """Width and height of the upright picture that the box was measured on, where the file itself was not."""
    to_prove: bool = False
    """Whether the box may be of an edited copy: the file has to show a face in it."""


@dataclass(frozen=True)
class Marker:
    """A face on a file, whoever it is."""

    marker_uid: str
    file_uid: str
    box: tuple[float, float, float, float]


_Row = TypeVar("_Row", LibraryFace, Marker)


def bounded(rows: Iterator[_Row]) -> Iterator[_Row]:
    """The same rows. Raises LibraryError once they would take more memory than any person's faces do."""
    room = MOST_MEMORY
    for row in rows:
        room -= A_ROW + len(row.marker_uid) + len(row.file_uid)
        if isinstance(row, LibraryFace):
            room -= len(row.person_uid) + len(row.person) + len(row.file_root) + len(row.file_name)
            room -= len(row.photo_uid) + len(row.file_hash) + len(row.caution)
        if room < 0:
            raise LibraryError(
                "the library lists more faces of one person than fit into memory", "check what is between you and it"
            )
        yield row


@dataclass(frozen=True)
class Embedding:
    """Where a face lies in the space of a recognition model."""

    marker_uid: str
    space: str
    """Names the space: the model where the index tells it, and the length. Different spaces are never compared."""
    values: bytes
    """Unit length, float16, little-endian."""
