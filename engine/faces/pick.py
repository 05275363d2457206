"""A first choice of faces: the usable ones, confirmed before matched, over as many days as there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.faces.ledger import Decision, Face

SMALLEST = 128
"""Face pixels under which a face comes last: a close-up of 1024 pixels would be enlarged more than threefold."""


def pick(faces: Sequence[Face], count: int) -> list[tuple[Face, str]]:
    """Chooses up to ``count`` faces, each with why.

    Those kept already come first; rejected ones and those with a problem never come. Then one by one: a photo that
    is not chosen from yet, a face that is not tiny, confirmed before matched, without a warning, from the day and
    then the year that is chosen least, and the largest of what remains. Decides nothing itself.
    """
    usable = [face for face in faces if face.problem is None and face.decision is not Decision.REJECT]
    chosen = [(face, "kept already") for face in usable if face.decision is Decision.KEEP][:count]
    left = [face for face in usable if face.decision is Decision.UNDECIDED]
    photos = Counter(face.photo_uid for face, _ in chosen)
    days = Counter(_day(face) for face, _ in chosen)
    years = Counter(_year(face) for face, _ in chosen)

    def cost(face: Face) -> tuple[int | bool, ...]:
        pixels = face.face_px or 0
        return (
            *(photos[face.photo_uid], pixels < SMALLEST, not face.confirmed, face.warning is not None),
            *(days[_day(face)], years[_year(face)], -pixels, face.id),
        )

    while left and len(chosen) < count:
        best = min(left, key=cost)
        left.remove(best)
        chosen.append((best, _why(best, photos, days, years)))
        photos[best.photo_uid] += 1
        days[_day(best)] += 1
        years[_year(best)] += 1
    return chosen


def _why(face: Face, photos: Counter[str], days: Counter[str], years: Counter[str]) -> str:
    """``confirmed, 812 px, first of 2015``."""
    if photos[face.photo_uid]:
        place = "again from a photo chosen already"
    elif not face.taken_at:
        place = "without a date"
    elif not years[_year(face)]:
        place = f"first of {_year(face)}"
    elif not days[_day(face)]:
        place = f"another day of {_year(face)}"
    else:
        place = f"another photo of {_day(face)}"
    sure = "confirmed" if face.confirmed else "matched"
    small = ", small" if (face.face_px or 0) < SMALLEST else ""
    return f"{sure}, {face.face_px or 0:,} px{small}, {place}"


def _day(face: Face) -> str:
    return (face.taken_at or "")[:10]


def _year(face: Face) -> str:
    return (face.taken_at or "")[:4]
