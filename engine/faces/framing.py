"""Which framings a face's photo has room for, and which one its face is cut in."""

from __future__ import annotations

from engine.faces.crop import crop_of
from engine.faces.photo.geometry import CLOSE_SHARE, HALF_SHARE, Crop, Cut, Framing
from engine.faces.records.decisions import Face
from engine.faces.records.found_face import FoundFace

SIDE = 1024
"""Pixels a side that a training image has; a smaller crop has to be enlarged."""

FRAMINGS = (Framing.CLOSE, Framing.HALF, Framing.FULL)
"""From the tightest to the widest."""

LEAST_BELOW: dict[Framing, float] = {Framing.CLOSE: 0.0, Framing.HALF: 1.5, Framing.FULL: 5.0}
"""How much of the picture must lie below the chin, in face heights: a half body shows the chest, a full body needs
about six to the feet of somebody who sits or stands a little bent."""

LEAST_PX: dict[Framing, int] = {Framing.CLOSE: 200, Framing.HALF: 128, Framing.FULL: 64}
"""Face pixels under which a framing shows too little of the face to learn it from."""

CROWD = 1 / 3
"""From how large a share of the face's own area another face in the crop disturbs."""


def body_below(face: FoundFace) -> float | None:
    """How much of the picture lies below the chin, in face heights; None where the photo can't be used."""
    if face.problem or not face.image_height:
        return None
    box = face.box.clamped()
    return (1 - box.y - box.h) / box.h if box.h > 0 else None


def framings_of(face: FoundFace) -> tuple[Framing, ...]:
    """The framings that the photo has room for, from the tightest to the widest."""
    return tuple(framing for framing in FRAMINGS if _has_room(face, framing))


def natural_framing(face: FoundFace) -> Framing | None:
    """The framing that the photo gives best: the tightest of which it has 1024 real pixels, else the widest it has
    room for. None where the face can't be used."""
    possible = framings_of(face)
    for framing in possible:
        crop = crop_of(face, framing)
        if crop is not None and crop.side >= SIDE:
            return framing
    return possible[-1] if possible else None


def cut_of(face: Face) -> Cut:
    """How a face is cut: as was said, else in its natural framing."""
    return face.cut or Cut(natural_framing(face) or Framing.CLOSE)


def own_crop(face: Face) -> Crop | None:
    """Where a face is cut, in pixels; None where it can't be used."""
    return crop_of(face, cut_of(face))


def others_inside(face: Face, crop: Crop) -> int | None:
    """How many other faces, large enough to disturb, a crop holds; None where the library did not tell."""
    neighbours, width, height = face.measures.neighbours, face.image_width, face.image_height
    if neighbours is None or not width or not height:
        return None
    own = face.box.clamped()
    return sum(
        other.clamped().w * other.clamped().h >= CROWD * own.w * own.h and crop.share_of(other, width, height) > 0.5
        for other in neighbours
    )


def _has_room(face: FoundFace, framing: Framing) -> bool:
    crop = crop_of(face, framing)
    if crop is None or not face.image_height:
        return False
    _, top, _, bottom = face.box.clamped().pixels(1, face.image_height)
    tall = bottom - top
    share, below = tall / crop.side, (crop.top + crop.side - bottom) / tall
    narrow_enough = {Framing.HALF: share < CLOSE_SHARE, Framing.FULL: share < HALF_SHARE}.get(framing, True)
    return narrow_enough and below >= LEAST_BELOW[framing]
