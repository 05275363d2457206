"""Choosing the faces to learn from: a mix of framings, sharp, varied, never the same moment twice, and why for each."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.faces.crop import crop_of
from engine.faces.framing import FRAMINGS, LEAST_PX, SIDE, cut_of, framings_of, others_inside
from engine.faces.measurement.duplicates import quality_key
from engine.faces.photo.geometry import Cut, Framing
from engine.faces.records.decisions import Action, Decision, Face, Ledger
from engine.faces.records.measurements import SCORABLE_PX, SOFT, Light, View
from engine.faces.selection.filter_fields import STATES
from engine.settings import FacesSettings

FRAMING_WORDS: Mapping[Framing, str] = {
    Framing.BOX: "face",
    Framing.CLOSE: "close-up",
    Framing.HALF: "half body",
    Framing.FULL: "full body",
}

CANDIDATES = 1200
"""How many of the best are looked at for each framing; a library of 100,000 has enough good ones among these."""

A_DAY = 3
"""How many of one day are among them: further ones add little."""


@dataclass(frozen=True)
class Picked:
    """A chosen face, in which framing, and why."""

    face: Face
    framing: Framing
    why: str


@dataclass
class _Chosen:
    """What is chosen so far, as far as it decides what adds variety."""

    photos: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    years: Counter[str] = field(default_factory=Counter)
    views: Counter[View] = field(default_factory=Counter)
    lights: Counter[Light] = field(default_factory=Counter)
    hashes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, face: Face) -> None:
        """Counts a face in."""
        self.photos[face.photo_uid] += 1
        self.days[_day(face)] += 1
        self.years[_year(face)] += 1
        if (view := face.measures.view) is not None:
            self.views[view] += 1
        if (light := face.measures.light) is not None:
            self.lights[light] += 1
        if (quality := face.measures.quality) is not None:
            self.hashes.append((quality.photo_hash, quality.face_hash))


def target_of(settings: FacesSettings) -> dict[Framing, int]:
    """The mix of framings that the settings ask for."""
    return {Framing.CLOSE: settings.close, Framing.HALF: settings.half, Framing.FULL: settings.full}


def quotas(count: int, target: Mapping[Framing, int]) -> dict[Framing, int]:
    """The target's mix for ``count`` faces, by largest remainder; close-ups alone where the target is empty."""
    total = sum(target.values())
    if not total:
        return {framing: count if framing is Framing.CLOSE else 0 for framing in FRAMINGS}
    exact = {framing: count * target.get(framing, 0) / total for framing in FRAMINGS}
    whole = {framing: math.floor(share) for framing, share in exact.items()}
    rest = sorted(FRAMINGS, key=lambda framing: whole[framing] - exact[framing])
    for framing in rest[: count - sum(whole.values())]:
        whole[framing] += 1
    return whole


def pick(faces: Sequence[Face], count: int, target: Mapping[Framing, int] | None = None) -> list[Picked]:
    """Chooses up to ``count`` faces under the target's mix of framings. Decides nothing itself.

    Those kept already come first and fill their framing's quota. Rejected and broken ones never come, nor do blurred
    ones, those that are probably somebody else, those that are on their photo twice, copies, and more than one of a
    burst or of a photo. The framing that fewest faces have room for is filled first; then, one by one, the face that
    adds most: real pixels, sharpness, light and certainty, and a year, a day, a view and a picture that are not there
    yet. Where a framing has no more faces, its seats go to the others, and the reason says so.

    Args:
        faces: all of the person's.
        count: how many there are to be in the end.
        target: how many of each framing; its mix counts. Left out: that of the settings' defaults.
    """
    wanted = quotas(count, target or target_of(FacesSettings()))
    kept = [face for face in faces if face.decision is Decision.KEEP and face.problem is None][:count]
    chosen, picked = _Chosen(), []
    for face in kept:
        framing = cut_of(face).framing
        picked.append(Picked(face, framing, "kept already"))
        wanted[framing] = wanted.get(framing, 0) - 1
        chosen.add(face)
    open_ = {framing: _best_of(framing, _candidates(faces)) for framing in FRAMINGS}
    rare = Counter(face.measures.view for face in {face.id: face for some in open_.values() for face in some}.values())
    lacking: list[Framing] = []
    while len(picked) < count:
        available = [framing for framing in FRAMINGS if open_[framing]]
        if not available:
            break
        needed = [framing for framing in available if wanted[framing] > 0]
        framing = min(needed or available, key=lambda each: (len(open_[each]) / max(1, wanted[each]), wanted[each]))
        if not needed:
            framing = max(available, key=lambda each: (wanted[each], len(open_[each])))
            lacking = lacking or [each for each in FRAMINGS if wanted[each] > 0 for _ in range(wanted[each])]
        best = max(open_[framing], key=lambda face: (_gain(face, framing, chosen), -face.id))
        why = _why(best, framing, chosen, rare)
        if not needed and lacking:
            why += f", as there is no {FRAMING_WORDS[lacking.pop()]}"
        picked.append(Picked(best, framing, why))
        chosen.add(best)
        wanted[framing] -= 1
        for each in FRAMINGS:
            open_[each] = [face for face in open_[each] if face is not best]
    return picked


def keep_picked(ledger: Ledger, picked: Iterable[Picked]) -> Action:
    """Keeps what was picked, each in its framing, as one action that one undo takes back. Who was decided on, and how
    a person cut it, stays as it is."""
    new = [each for each in picked if each.face.decision is Decision.UNDECIDED]
    cuts = {each.face.id: Cut(each.framing) for each in new if each.face.cut is None}
    return ledger.decide([each.face.id for each in new], Decision.KEEP, cuts, "pick")


def _candidates(faces: Sequence[Face]) -> list[Face]:
    """The faces that may be chosen: one of each moment, the best that a person did not reject."""
    by_id = {face.id: face for face in faces}
    moments: dict[int, list[Face]] = defaultdict(list)
    for face in faces:
        moments[_moment(face, by_id)].append(face)
    photos = {face.photo_uid for face in faces if face.decision is Decision.KEEP}
    found: list[Face] = []
    for some in moments.values():
        if any(face.decision is Decision.KEEP for face in some):
            continue
        usable = [face for face in some if _usable(face, by_id) and face.photo_uid not in photos]
        if usable:
            found.append(max(usable, key=quality_key))
    return list({face.photo_uid: face for face in sorted(found, key=quality_key)}.values())


def _moment(face: Face, by_id: Mapping[int, Face]) -> int:
    """What names the moment that a face shows: its burst, or the picture that it copies, or itself."""
    relations = face.measures.relations
    if relations is None:
        return face.id
    original = by_id.get(relations.copy_of, face) if relations.copy_of is not None else face
    burst = original.measures.relations.burst if original.measures.relations else None
    return burst if burst is not None else relations.burst if relations.burst is not None else original.id


def _usable(face: Face, by_id: Mapping[int, Face]) -> bool:
    if (
        face.problem
        or face.gone
        or face.twice
        or face.decision is not Decision.UNDECIDED
        or (face.face_px or 0) < SCORABLE_PX
    ):
        return False
    relations = face.measures.relations
    original = by_id.get(relations.copy_of) if relations is not None and relations.copy_of is not None else None
    if original is not None and original.decision is Decision.REJECT:
        return False
    return not (face.measures.blurred or (relations is not None and relations.wrong))


def _best_of(framing: Framing, faces: Sequence[Face]) -> list[Face]:
    """The best faces that have room for a framing, a few of each day."""
    able = [face for face in faces if framing in ((face.cut.framing,) if face.cut else framings_of(face))]
    able.sort(key=lambda face: (-_quality(face, framing), face.id))
    days: Counter[str] = Counter()
    found = []
    for face in able:
        days[_day(face)] += 1
        if days[_day(face)] <= A_DAY or not face.taken_at:
            found.append(face)
    return found[:CANDIDATES]


def _quality(face: Face, framing: Framing) -> float:
    """How good a training image a face makes in a framing; 0 is good, every point less is plainly worse."""
    measures, crop = face.measures, crop_of(face, framing)
    if crop is None:
        return -math.inf
    points = max(-2.0, min(0.0, math.log2(crop.side / SIDE)))
    points -= 1.5 * ((face.face_px or 0) < LEAST_PX[framing])
    points += 0.0 if face.confirmed else -0.8
    points -= 0.8 * (face.warning is not None) + 3.0 * bool(STATES["edge"].of(face))
    points -= 1.5 * bool(others_inside(face, crop))
    if measures.sharp is None:
        return points - 1.0
    points += 0.5 * max(-1.5, min(1.0, math.log2(max(measures.sharp, 1.0) / SOFT)))
    return points - 0.6 * (measures.light is not Light.GOOD)


def _gain(face: Face, framing: Framing, chosen: _Chosen) -> float:
    """Quality, and what the face adds to those chosen."""
    points = _quality(face, framing)
    points -= 5.0 * chosen.photos[face.photo_uid] + 1.2 * chosen.days[_day(face)]
    points += 0.8 / (1 + chosen.years[_year(face)])
    if (view := face.measures.view) is not None:
        points += 1.2 / (1 + chosen.views[view])
    if (quality := face.measures.quality) is not None and chosen.hashes:
        unlike = (
            (quality.photo_hash ^ photo).bit_count() / 128 + (quality.face_hash ^ own).bit_count() / 32
            for photo, own in chosen.hashes
        )
        points += min(1.0, min(unlike))
    return points


def _why(face: Face, framing: Framing, chosen: _Chosen, views: Mapping[View | None, int]) -> str:
    """``close-up: best of a burst of 9, confirmed, first of 2015, sharp 212, crop 1,204 px``."""
    relations, crop = face.measures.relations, crop_of(face, framing)
    parts: list[str] = []
    if (view := face.measures.view) is not None and not chosen.views[view] and view is not View.FRONT:
        parts.append(f"{'only' if views[view] == 1 else 'first'} {view}")
    if relations is not None and relations.burst_size > 1:
        parts.append(f"{'best' if relations.burst_best else 'one'} of a burst of {relations.burst_size}")
    parts.append("confirmed" if face.confirmed else "matched")
    if not face.taken_at:
        parts.append("without a date")
    elif not chosen.years[_year(face)]:
        parts.append(f"first of {_year(face)}")
    else:
        another = "another photo" if chosen.days[_day(face)] else "another day"
        parts.append(f"{another} of {_day(face) if chosen.days[_day(face)] else _year(face)}")
    sharp = face.measures.sharp
    parts.append("not measured" if sharp is None else f"{'sharp' if sharp >= SOFT else 'soft'} {sharp:.0f}")
    if crop is not None:
        parts.append(f"crop {crop.side:,} px" + (", enlarged" if crop.side < SIDE else ""))
    return f"{FRAMING_WORDS[framing]}: {', '.join(parts)}"


def _day(face: Face) -> str:
    return (face.taken_at or "")[:10]


def _year(face: Face) -> str:
    return (face.taken_at or "")[:4]
