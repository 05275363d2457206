"""Which faces of before are which faces of now, where a library gives the same faces other ids.

PhotoPrism's ``photoprism faces reset`` deletes all markers and finds them anew, and a full reset gives people, photos
and files other ids as well (PhotoPrism's ``internal/commands/faces.go``, ``reset.go``). A face is known by its marker
where that lives on; else by its file's content and an overlapping box; else by its file's content alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.faces.photo.geometry import Box


@dataclass(frozen=True)
class Place:
    """A face as it can be told from others without its id."""

    marker: str
    file_hash: str
    """SHA-1 of the file's bytes; empty: not known."""
    file: tuple[str, str]
    """Root and name."""
    box: Box
    moment: tuple[object, ...] = ()
    """When it was taken, and the picture's width and height: two photos of one name that have these in common are one
    photo that somebody edited."""


_Key = Callable[[Place], Hashable]
"""What two faces have in common that may be one; None: nothing is known."""


def same_faces(
    before: Sequence[Place], now: Sequence[Place], beside: Mapping[str, Sequence[Box]] | None = None
) -> dict[str, str]:
    """Finds the faces of before, whose markers are gone, among those of now.

    Args:
        before: faces whose markers the library has no more.
        now: faces that may be one of them.
        beside: the other faces on the file of each of ``now``, by its marker: a face that is still there and has become
            somebody else's is not taken for the one beside it.

    Returns:
        The marker of now by the marker of before; each at most once.
    """
    found: dict[str, str] = {}
    overlapping: tuple[_Key, ...] = (
        # Copies of one file have one content: the name tells which of them.
        lambda place: (place.file_hash, place.file) if place.file_hash else None,
        lambda place: place.file_hash or None,
        lambda place: (place.file, place.moment) if place.moment else None,
    )
    for key in overlapping:
        found |= _pairs(_left(before, found), _left_now(now, found), key)
    # Taken in before Limner kept contents.
    unknown = [place for place in _left(before, found) if not place.file_hash]
    found |= _pairs(unknown, _left_now(now, found), lambda place: place.file)
    found |= _alone(_left(before, found), _left_now(now, found), beside or {})
    return found


def _left(before: Sequence[Place], found: Mapping[str, str]) -> list[Place]:
    return [place for place in before if place.marker not in found]


def _left_now(now: Sequence[Place], found: Mapping[str, str]) -> list[Place]:
    taken = set(found.values())
    return [place for place in now if place.marker not in taken]


def _pairs(before: Iterable[Place], now: Iterable[Place], key: _Key) -> dict[str, str]:
    """Faces of one key whose boxes overlap, those that overlap most first."""
    here = _by(now, key)
    alike = [
        (-old.box.overlap(new.box), old.marker, new.marker)
        for old in before
        for new in here.get(key(old), ())
        if old.box.same_face(new.box)
    ]
    found: dict[str, str] = {}
    taken: set[str] = set()
    for _, old, new in sorted(alike):
        if old not in found and new not in taken:
            found[old] = new
            taken.add(new)
    return found


def _alone(before: Iterable[Place], now: Iterable[Place], beside: Mapping[str, Sequence[Box]]) -> dict[str, str]:
    """Faces that are the only one left on a content, however far their boxes lie apart."""
    old, new = _by(before, _content), _by(now, _content)
    found: dict[str, str] = {}
    for content, (first, *others) in old.items():
        here = new.get(content, [])
        if others or len(here) != 1:
            continue
        if not any(first.box.same_face(box) for box in beside.get(here[0].marker, ())):
            found[first.marker] = here[0].marker
    return found


def _by(places: Iterable[Place], key: _Key) -> dict[Hashable, list[Place]]:
    found: dict[Hashable, list[Place]] = defaultdict(list)
    for place in places:
        if (value := key(place)) is not None:
            found[value].append(place)
    return found


def _content(place: Place) -> Hashable:
    return place.file_hash or None
