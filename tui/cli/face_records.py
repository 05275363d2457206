"""A face as commands report it: as a record for ``--json``, and in words for a table."""

from __future__ import annotations

from typing import Any

from engine.faces.records.decisions import Face

HEAD = ("id", "decision", "px", "sharp", "framing", "taken", "by", "file", "note")
"""The columns of a table of faces."""


def face_record(face: Face) -> dict[str, Any]:
    """All that is known of a face; null: not known, or not measured."""
    return {
        "id": face.id,
        "person": face.person,
        "path": face_path(face),
        "box": [face.box.x, face.box.y, face.box.w, face.box.h],
        "face_px": face.face_px,
        "taken_at": face.taken_at,
        "confirmed": face.confirmed,
        "decision": face.decision.value,
        "problem": face.problem,
        "warning": face.warning,
        "gone": face.gone,
        "twice": face.twice,
        "marker": face.marker_uid,
        "photo": face.photo_uid,
        "width": face.image_width,
        "height": face.image_height,
        **_measures(face),
    }


def _measures(face: Face) -> dict[str, Any]:
    """What is known beyond the box; null: not measured."""
    from engine.faces.framing import cut_of, framings_of, own_crop

    quality, relations, crop = face.measures.quality, face.measures.relations, own_crop(face)
    return {
        "framing": cut_of(face).framing.value if crop else None,
        "framings": [framing.value for framing in framings_of(face)],
        "crop": list(crop.corners) if crop else None,
        "sharp": quality.sharp if quality else None,
        "light": quality.light if quality else None,
        "yaw": quality.yaw if quality else None,
        "view": view.value if (view := face.measures.view) else None,
        "others": len(neighbours) if (neighbours := face.measures.neighbours) is not None else None,
        "burst": relations.burst_size if relations else None,
        "copy_of": relations.copy_of if relations else None,
        "mirrored": relations.mirrored if relations else None,
        "distance": relations.distance if relations else None,
        "space": relations.space if relations else None,
        "wrong": relations.wrong if relations else None,
    }


def face_path(face: Face) -> str:
    """The photo's path; its name in the library where it is not known."""
    return str(face.path) if face.path else face.file_name


def face_row(face: Face) -> tuple[object, ...]:
    """A face in a table, under ``HEAD``."""
    sure = "confirmed" if face.confirmed else "matched"
    settled = (face.id, face.decision.value, face.face_px or 0, _sharp(face), _framing(face))
    return (*settled, face.taken_at or "", sure, face.file_name, _note(face))


def _sharp(face: Face) -> str:
    return "" if face.measures.sharp is None else f"{face.measures.sharp:.0f}"


def _framing(face: Face) -> str:
    from engine.faces.framing import cut_of

    return "" if face.problem else cut_of(face).framing.value


def _note(face: Face) -> str:
    relations = face.measures.relations
    found = [
        "blurred" if face.measures.blurred else "",
        "gone from the library" if face.gone else "",
        "somebody else?" if relations and relations.wrong else "",
        "who? twice on this photo" if face.twice else "",
        f"{'mirrored ' if relations.mirrored else ''}copy of {relations.copy_of}"
        if relations and relations.copy_of
        else "",
        f"burst of {relations.burst_size}" if relations and relations.burst_size > 1 else "",
    ]
    return face.problem or ", ".join(filter(None, [*found, face.warning or ""]))
