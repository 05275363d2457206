"""Whose the faces on a photo are, by the regions that other programs wrote into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.faces.photo.geometry import Box
from engine.faces.photo.stored import StoredPhoto
from engine.faces.regions.region_list import Kind, Region, RegionList
from engine.faces.regions.upright import basis_of, upright_box
from engine.library.spelling import folded

ONE_REGION = 0.5
"""From how much overlap on two regions are of one face, such as those of a program that writes both ways."""

TIMES_AS_LARGE = 6
"""How many times as large as the face a region may be, and the other way round: some programs draw around the whole
head, some around eyes and mouth."""

NOT_SEEN = "named in the photo, but no face was found there: turned or edited since?"
OTHER_SHAPE = (
    "named in the photo for a picture of another shape, and no face was found there: cropped or turned since, the box"
    " is probably wrong"
)
"""What is said of a face of which nothing is known but its region."""


@dataclass(frozen=True)
class DrawnFace:
    """A named region where no face was found."""

    box: Box
    """In fractions of the upright picture."""
    name: str
    caution: str


@dataclass(frozen=True)
class Named:
    """Whose faces are, and which are nobody's."""

    names: Mapping[int, str] = field(default_factory=dict)
    """Names of faces, by their place among those that were found."""
    pets: frozenset[int] = frozenset()
    """Places of what was taken for a face and is a pet's."""
    drawn: tuple[DrawnFace, ...] = ()


@dataclass(frozen=True)
class _Placed:
    region: Region
    """Its box on the upright picture."""
    doubted: bool


def name_faces(lists: Sequence[RegionList], photo: StoredPhoto, faces: Sequence[Box]) -> Named:
    """Puts the names of a photo's regions to its faces.

    A region and a face that meet are one, each of at most one other. What is drawn twice counts once. Regions that
    nobody gave a name are left out.

    Args:
        lists: what the photo or its sidecar tells.
        photo: the photo's header.
        faces: the boxes of the faces that were found, in fractions of the upright picture.
    """
    placed = _once([each for listed in lists for each in _place(listed, photo, faces)])
    wanted = [each for each in placed if each.region.name or each.region.kind is Kind.PET]
    pairs = sorted(
        (-each.region.box.overlap(face), number, place)
        for number, each in enumerate(wanted)
        for place, face in enumerate(faces)
        if meet(each.region.box, face)
    )
    met: dict[int, int] = {}
    for _, number, place in pairs:
        if number not in met and place not in met.values():
            met[number] = place
    kinds = {place: wanted[number].region for number, place in met.items()}
    names = {place: region.name for place, region in kinds.items() if region.kind is Kind.FACE}
    pets = frozenset(place for place, region in kinds.items() if region.kind is Kind.PET)
    left = [each for number, each in enumerate(wanted) if number not in met and each.region.kind is Kind.FACE]
    return Named(names, pets, tuple(_drawn(left, names.values())))


def meet(region: Box, face: Box) -> bool:
    """Whether a region and a face that was found are of one: each holds the other's middle, and neither is more than
    ``TIMES_AS_LARGE`` times as large; or they overlap by a third."""
    one, two = region.w * region.h, face.w * face.h
    near = region.holds_middle_of(face) and face.holds_middle_of(region)
    return (near and max(one, two) <= TIMES_AS_LARGE * min(one, two)) or region.overlap(face) >= 1 / 3


def _place(listed: RegionList, photo: StoredPhoto, faces: Sequence[Box]) -> list[_Placed]:
    """The regions on the upright picture. Where the faces prove it the other way of turning them is taken."""
    basis = basis_of(listed, photo)
    first = _turned(listed, basis.orientation)
    if any(_seen(each, faces) for each in first):
        return [_Placed(each, basis.doubted) for each in first]
    for orientation in basis.others:
        other = _turned(listed, orientation)
        if all(_seen(each, faces) for each in other):
            return [_Placed(each, doubted=False) for each in other]
    return [_Placed(each, basis.doubted) for each in first]


def _turned(listed: RegionList, orientation: int) -> list[Region]:
    return [replace(each, box=upright_box(each.box, orientation)) for each in listed.regions]


def _seen(region: Region, faces: Sequence[Box]) -> bool:
    return any(meet(region.box, face) for face in faces)


def _once(placed: Iterable[_Placed]) -> list[_Placed]:
    """Each region once, the first that is there; a later one may bring the name."""
    found: list[_Placed] = []
    for each in placed:
        same = next((n for n, other in enumerate(found) if _is_one(other.region, each.region)), None)
        if same is None:
            found.append(each)
        elif not found[same].region.name and found[same].region.kind is Kind.FACE:
            named = replace(found[same].region, name=each.region.name, kind=each.region.kind)
            found[same] = replace(found[same], region=named)
    return found


def _is_one(one: Region, other: Region) -> bool:
    return one.box.overlap(other.box) >= ONE_REGION


def _drawn(left: Iterable[_Placed], known: Iterable[str]) -> Iterable[DrawnFace]:
    """Faces of the regions that met none. Who is on the photo already was drawn a second time, before it was turned."""
    names = {folded(name) for name in known}
    for each in left:
        if folded(each.region.name) not in names:
            names.add(folded(each.region.name))
            yield DrawnFace(each.region.box, each.region.name, OTHER_SHAPE if each.doubted else NOT_SEEN)
