"""The words of the filter line: which numbers, states and choices a face has, and what each means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.faces.framing import FRAMINGS
from engine.faces.records.decisions import Decision, Face
from engine.faces.records.measurements import SOFT, Light, View

EDGE = 0.002
"""How near to the picture's edge, as a share of it, a box counts as cut by it."""


@dataclass(frozen=True)
class Number:
    """A number that can be compared; None: not known, and then no comparison fits."""

    about: str
    of: Callable[[Face], float | None]


@dataclass(frozen=True)
class State:
    """What holds of a face or doesn't; what is not measured doesn't hold."""

    about: str
    of: Callable[[Face], bool | None]


def _year(face: Face) -> int | None:
    return int(face.taken_at[:4]) if face.taken_at else None


def _at_edge(face: Face) -> bool:
    box = face.box
    return min(box.x, box.y) <= EDGE or max(box.x + box.w, box.y + box.h) >= 1 - EDGE


NUMBERS: Mapping[str, Number] = {
    "px": Number("the face's larger side in real pixels", lambda face: face.face_px),
    "sharp": Number("sharpness on the face: below 12 blurred, below 40 soft", lambda face: face.measures.sharp),
    "year": Number("the year it was taken", _year),
    "light": Number(
        "mean brightness of the face, 0 to 255",
        lambda face: quality.light if (quality := face.measures.quality) else None,
    ),
    "contrast": Number(
        "contrast on the face", lambda face: quality.contrast if (quality := face.measures.quality) else None
    ),
    "yaw": Number("degrees the face is turned to the side, 0 to 90", lambda face: _yaw(face)),
    "dist": Number(
        "distance from the confirmed faces, 0 to 2",
        lambda face: relations.distance if (relations := face.measures.relations) else None,
    ),
    "burst": Number("how many were taken within seconds", lambda face: _burst_size(face)),
    "id": Number("the face's number", lambda face: face.id),
}
"""Numbers read off a face; ``COMPUTED_NUMBERS`` are worked out for all faces at once."""

COMPUTED_NUMBERS: Mapping[str, str] = {
    "crop": "the crop's side in real pixels; 1024 needs no enlarging",
    "body": "face heights of picture below the chin",
}

STATES: Mapping[str, State] = {
    "keep": State("kept", lambda face: face.decision is Decision.KEEP),
    "reject": State("rejected", lambda face: face.decision is Decision.REJECT),
    "undecided": State("not decided on", lambda face: face.decision is Decision.UNDECIDED),
    "confirmed": State("confirmed by a person", lambda face: face.confirmed),
    "matched": State("matched by the machine", lambda face: not face.confirmed),
    "duplicate": State(
        "the same picture as a better one",
        lambda face: face.measures.relations is not None and face.measures.relations.copy_of is not None,
    ),
    "blurred": State("too little detail", lambda face: face.measures.blurred),
    "soft": State("not quite sharp", lambda face: face.measures.sharp is not None and face.measures.sharp < SOFT),
    "wrong": State(
        "probably somebody else",
        lambda face: face.measures.relations is not None and face.measures.relations.wrong is True,
    ),
    "burst": State("one of several within seconds", lambda face: _burst_size(face) not in (None, 1)),
    "best": State(
        "the best of its burst, or in none",
        lambda face: face.measures.relations is not None and face.measures.relations.burst_best,
    ),
    "edge": State("cut by the picture's edge", _at_edge),
    "cropped": State("cropped by hand", lambda face: face.cut is not None and face.cut.by_hand),
    "broken": State("its photo can't be used", lambda face: face.problem is not None),
    "doubtful": State("its box may be wrong", lambda face: face.warning is not None),
    "mirrored": State(
        "a better picture mirrored",
        lambda face: face.measures.relations is not None and face.measures.relations.mirrored,
    ),
    "twice": State("the person is on its photo twice, and neither is decided", lambda face: face.twice),
    "gone": State("decided, and no longer in the library", lambda face: face.gone),
    "unmeasured": State("not measured", lambda face: face.measures.quality is None),
}
"""States read off a face; ``COMPUTED_STATES`` are worked out for all faces at once."""

HIDDEN = "gone"
"""Faces that are shown only where the line names this state."""

COMPUTED_STATES: Mapping[str, str] = {
    "wide": "room for a half body",
    "upscaled": "its crop has fewer than 1024 pixels",
    "crowded": "another face in its crop",
    "alone": "no other face in its crop",
}

CHOICES: Mapping[str, tuple[str, ...]] = {
    "framing": tuple(each.value for each in FRAMINGS),
    "can": tuple(each.value for each in FRAMINGS),
    "lit": tuple(each.value for each in Light),
    "view": tuple(each.value for each in View),
}
"""What may stand after ``framing:`` (as it is cut), ``can:`` (has room for), ``lit:`` and ``view:``."""

CHOICE_ABOUT: Mapping[str, str] = {
    "framing": "its framing",
    "can": "framings its photo has room for",
    "lit": "how the face is lit",
    "view": "how far the face is turned",
}

SORTS: Mapping[str, str] = {
    "date": "oldest first",
    "px": "largest first",
    "name": "by file name",
    "sharp": "sharpest first",
    "light": "darkest first",
    "dist": "farthest from the person first",
    "burst": "largest burst first",
    "crop": "most real pixels first",
    "yaw": "most turned first",
}
"""What may stand after ``sort:``."""

GROUPS: Mapping[str, str] = {"day": "by day", "year": "by year", "burst": "by burst", "framing": "by framing"}
"""What may stand after ``group:``."""


def _yaw(face: Face) -> float | None:
    quality = face.measures.quality
    return None if quality is None or quality.yaw is None else abs(quality.yaw)


def _burst_size(face: Face) -> int | None:
    return face.measures.relations.burst_size if face.measures.relations else None
