"""Which face of the project each training image shows, also where the library gives its faces other ids now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.dataset.files.manifest import Entry, Manifest
from engine.faces.records.decisions import Face, Ledger
from engine.storage.database import Store


def faces_of(entries: Iterable[Entry], faces: Iterable[Face], markers: Mapping[str, set[int]]) -> dict[int, Face]:
    """The face of each image that was cut from a photo, by the image's number.

    An image knows its face by number and by the marker that it had when it was cut. The number alone says nothing in
    another database; where the face once had the marker, both speak of it.

    Args:
        entries: the images.
        faces: all faces of the project, also those that are gone.
        markers: every marker that faces ever had, as ``Ledger.markers`` tells.
    """
    by_id = {face.id: face for face in faces}
    by_marker = {face.marker_uid: face for face in by_id.values()}
    found: dict[int, Face] = {}
    for entry in entries:
        had = [by_id[number] for number in sorted(markers.get(entry.marker, ())) if number in by_id]
        same = next((face for face in had if face.id == entry.face), None)
        if face := same or by_marker.get(entry.marker) or next(iter(had), None):
            found[entry.number] = face
    return found


def faces_of_images(store: Store, manifest: Manifest) -> dict[int, Face]:
    """As ``faces_of``, for a project's database."""
    ledger = Ledger(store)
    return faces_of(manifest.entries, ledger.faces(gone=True), ledger.markers())
