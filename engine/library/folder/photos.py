"""Photos of a plain folder and their faces, and how they are known again: by content, whatever they are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.library.folder.walk import FolderPhoto

LEAST_OVERLAP = 0.4
"""From how much overlap on two boxes on one photo are of one face that was found anew."""

Box = tuple[float, float, float, float]
"""x, y, w, h in fractions of the upright photo."""


@dataclass(frozen=True)
class SeenFace:
    """A face that was found on a photo of a folder."""

    uid: str
    box: tuple[float, float, float, float]
    """x, y, w, h in fractions of the upright photo."""
    score: float
    """How sure the detector is, 0 to 1."""
    space: str | None = None
    embedding: bytes | None = None
    """Unit length, float16, little-endian; None: too small, too blurred or too unsure to say who it is by it."""
    name: str = ""
    """Who it is by a region of the photo or its sidecar; empty: none says."""
    drawn: bool = False
    """Whether the box is a region's, and no face was found there."""
    pet: bool = False
    """Whether a region says that it is a pet's: it is nobody's then."""
    caution: str = ""
    """What of it can't be relied on."""


@dataclass(frozen=True)
class SeenPhoto:
    """A photo of a folder that was looked at; ``problem`` says why it can't be used."""

    photo: FolderPhoto
    size: tuple[int, int] | None
    taken_at: str | None
    faces: tuple[SeenFace, ...] = ()
    problem: str | None = None
    hash: str = ""
    """SHA-1 of its bytes; empty: it can't be read."""
    warnings: tuple[str, ...] = ()
    """What of it can't be read, though it can be used."""


@dataclass(frozen=True)
class ReadNames:
    """A known photo whose names were read again."""

    photo: FolderPhoto
    faces: tuple[SeenFace, ...]
    """All faces on it: those that were found before, and what regions draw."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownPhoto:
    """A photo that was looked at, and where it was then."""

    id: int
    folder: str
    name: str
    stamp: str
    hash: str
    """Empty: an older Limner looked at it."""

    @property
    def size(self) -> str:
        """Its bytes, as the stamp has them."""
        return self.stamp.partition(" ")[0]


def face_uid(content: str, box: Box) -> str:
    """Names a face by its photo's content and its place there; the same one when it is found again, wherever the photo
    lies and whatever it is called."""
    return uid_of(content, *(f"{each:.2f}" for each in box))


def drawn_uid(content: str, box: Box) -> str:
    """Names a face that nothing is known of but a region's box."""
    return uid_of(content, "drawn", *(f"{each:.2f}" for each in box))


def uid_of(*parts: str) -> str:
    """A face's uid, made of what names it."""
    return f"fm{digest_of(*parts)}"


def digest_of(*parts: str) -> str:
    """16 hex digits of some texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def pairs_of(
    changed: Iterable[FolderPhoto], loose: Iterable[KnownPhoto], hashes: Mapping[str, str], folder: str
) -> tuple[dict[str, KnownPhoto], list[KnownPhoto]]:
    """Which known photos some that are new or changed are.

    Args:
        changed: photos of ``folder``.
        loose: known photos that are not where they were, or something else is there.
        hashes: the SHA-1 of each of ``changed``, by name.
        folder: where they lie.

    Returns:
        The known photo of each that was found again, by its name now; and the known ones that are left.
    """
    found: dict[str, KnownPhoto] = {}
    left = {each.id: each for each in loose}
    some = [photo for photo in changed if photo.name in hashes]
    for key_of, key_now in _keys(folder):
        here: dict[object, list[KnownPhoto]] = {}
        for each in left.values():
            if (key := key_of(each)) is not None:
                here.setdefault(key, []).append(each)
        for photo in some:
            same = here.get(key_now(photo, hashes[photo.name]), []) if photo.name not in found else []
            if same:
                found[photo.name] = first = same.pop(0)
                del left[first.id]
    return found, list(left.values())


_Key = tuple[Callable[[KnownPhoto], object], Callable[[FolderPhoto, str], object]]


def _keys(folder: str) -> tuple[_Key, ...]:
    """What a known photo and one of now have in common that are one, the surest first. Copies have one content: those
    that kept their place or their name come first. An older Limner kept no content but size and time, which moving a
    file leaves as they are; copying leaves size and name."""
    return (
        (lambda old: (old.folder, old.name, old.hash) if old.hash else None, lambda new, has: (folder, new.name, has)),
        (lambda old: (old.name, old.hash) if old.hash else None, lambda new, has: (new.name, has)),
        (lambda old: old.hash or None, lambda _, has: has),
        (lambda old: None if old.hash else (old.name, old.stamp), lambda new, _: (new.name, new.stamp)),
        (lambda old: None if old.hash else old.stamp, lambda new, _: new.stamp),
        (
            lambda old: None if old.hash or old.folder == folder else (old.name, old.size),
            lambda new, _: (new.name, new.stamp.partition(" ")[0]),
        ),
    )


def told_apart(faces: Collection[SeenFace]) -> list[SeenFace]:
    """Two faces whose boxes round to the same get a uid each: the first by its exact box keeps the uid that it would
    have alone, so that what was decided on it stays; the others' are made from it, the same ones each time."""
    alike: dict[str, list[SeenFace]] = {}
    for face in faces:
        alike.setdefault(face.uid, []).append(face)
    found = []
    for uid, several in alike.items():
        first, *rest = sorted(several, key=lambda face: face.box)
        found += [first, *(replace(face, uid=uid_of(uid, str(n))) for n, face in enumerate(rest, 2))]
    return found


def still_there(known: Iterable[tuple[str, Box]], faces: Sequence[SeenFace]) -> list[SeenFace]:
    """The faces with the uids that they had, where they are still about where they were.

    Args:
        known: uid and box of the faces that were found before.
        faces: those that were found now.
    """
    pairs = sorted((-_overlap(box, face.box), number, uid) for uid, box in known for number, face in enumerate(faces))
    uids: dict[int, str] = {}
    for apart, number, uid in pairs:
        if -apart >= LEAST_OVERLAP and number not in uids and uid not in uids.values():
            uids[number] = uid
    return [replace(face, uid=uids.get(number, face.uid)) for number, face in enumerate(faces)]


def _overlap(one: Box, other: Box) -> float:
    """How much of what two boxes cover together both cover, 0 to 1."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    either = one[2] * one[3] + other[2] * other[3] - both
    return both / either if either > 0 else 0.0
