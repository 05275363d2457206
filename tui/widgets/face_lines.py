"""Faces as lines: a row of the list, what is known under the picture, the meter of the mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.faces.records.decisions import Decision, Face
from tui.text.meter import bar
from tui.widgets.ink import Ink, Line, end_of, width_of

if TYPE_CHECKING:
    from engine.faces.selection.target_mix import Mix

MARKS: dict[Decision, tuple[str, Ink]] = {
    Decision.KEEP: ("✓", Ink.GOOD),
    Decision.REJECT: ("✗", Ink.BAD),
    Decision.UNDECIDED: ("·", Ink.FAINT),
}

FLAGS = 5
"""Cells for what to be careful about, so that what follows is aligned."""

MATCHED = "match"
"""What is told of a face that only the library's machine takes for the person: nothing to be careful about."""

WIDE = 56
"""From how many cells a row names the file, too."""


def face_line(face: Face, width: int, head: str | None = None) -> Line:
    """A face's row: the decision by shape and colour, date, real pixels, sharpness, framing, what is wrong, the file.

    Args:
        face: whose row.
        width: cells.
        head: where the list is grouped: the label of the group that begins here, or "" inside one.
    """
    from engine.faces.framing import cut_of

    mark, ink = MARKS[face.decision]
    settled = Ink.MUTED if face.decision is Decision.REJECT else Ink.PLAIN
    date = face.taken_at[:10] if face.taken_at else "no date"
    group: Line = [] if head is None else [("┌ " if head else "│ ", Ink.FAINT)]
    if face.problem:
        return [*group, (f"{mark} ", ink), (f"{date:<10} ", Ink.MUTED), (f"! {face.problem}", Ink.ATTENTION)]
    sharp = face.measures.sharp
    known = f"{sharp:>5.0f}" if sharp is not None else "    –"
    cut = cut_of(face)
    line: Line = [
        *group,
        (f"{mark} ", ink),
        (f"{date:<10}", settled),
        (f"{face.face_px or 0:>6,} px", settled),
        (f"{known} ", Ink.ATTENTION if face.measures.blurred else settled),
    ]
    if head and width < WIDE:
        # Where there is no room for both, what begins here is told instead of what is told of each.
        return [*line, (head, Ink.STRONG)]
    line += [(f"{cut.framing:<5}{'+' if cut.by_hand else ' '} ", Ink.MUTED), *_padded(_flags(face))]
    if head:
        line.append((f" {head}", Ink.STRONG))
    elif width >= WIDE:
        line.append((f" {end_of(face.file_name, width - width_of(line) - 1)}", Ink.MUTED))
    return line


def face_caption(face: Face, head: str | None = None) -> Line:
    """What stands under a face's thumbnail, after the mark: the year, the sharpness or what is wrong, the framing.

    Args:
        face: whose caption.
        head: where the faces are grouped: the label of the group that begins here, or "" inside one.
    """
    from engine.faces.framing import cut_of

    if head:
        return [(head.replace(" · ", " "), Ink.STRONG)]
    year = face.taken_at[:4] if face.taken_at else "–"
    if face.problem:
        return [(f"{year} ", Ink.MUTED), ("!", Ink.ATTENTION)]
    flags: Line = [piece for piece in _flags(face) if piece[0] != MATCHED][:1]
    sharp = f"{face.measures.sharp:.0f}" if face.measures.sharp is not None else "–"
    told: Line = [(text.strip(), ink) for text, ink in flags] or [(sharp, Ink.PLAIN)]
    return [(f"{year} ", Ink.MUTED), *told, (f" {cut_of(face).framing}", Ink.MUTED)]


def face_facts(face: Face, whole: bool = False, narrow: bool = False) -> list[Line]:
    """What is known about a face, for under its picture: four lines.

    Args:
        face: whose facts.
        whole: also how much of the photo lies below the face.
        narrow: in some thirty cells.
    """
    from engine.faces.framing import SIDE, body_below, cut_of, own_crop

    mark, ink = MARKS[face.decision]
    word = (face.decision.value, Ink.MUTED if face.decision is Decision.UNDECIDED else ink)
    first: Line = [(f"{mark} ", ink), word, (f"  face {face.id}", Ink.MUTED)]
    crop = own_crop(face)
    if face.problem or crop is None:
        return [first, [("! ", Ink.ATTENTION), (face.problem or "can't be cut", Ink.ATTENTION)]]
    relations, quality = face.measures.relations, face.measures.quality
    if relations is not None and relations.burst_size > 1:
        first.append((f" · {'best' if relations.burst_best else '1'} of {relations.burst_size} in a burst", Ink.MUTED))
    cut = cut_of(face)
    small = crop.side < SIDE
    second: Line = [(f"{'↑ ' if small else ''}crop {crop.side:,} px", Ink.ATTENTION if small else Ink.PLAIN)]
    second.append((f" · {cut.framing}{' by hand' if cut.by_hand else ''}", Ink.PLAIN))
    if whole and (below := body_below(face)) is not None:
        second.append((f" · {below:.1f} below" if narrow else f" · {below:.1f} faces below", Ink.MUTED))
    third: Line = [("not measured", Ink.MUTED)]
    if quality is not None:
        yaw = ("–" if narrow else "not measured") if quality.yaw is None else f"{quality.yaw:.0f}°"
        third = [(f"sharp {quality.sharp:.0f} · light {quality.light:.0f}", Ink.PLAIN), (f" · yaw {yaw}", Ink.MUTED)]
    return [first, second, third, _who(face)]


METER_CELLS = (10, 6, 4, 3)
"""Cells of a bar in the meter, the widest first."""


def meter_line(mix: Mix, width: int) -> Line:
    """``close ██████── 8/12  half ███─── 3/6  2015–2024  turned 3/20  lit 22/24  missing: 4 close``.

    Turned and well lit are told of those of which it was measured. In a narrow line bars are shorter, and what finds no
    room is left out; what is missing never is.
    """
    missing = ", ".join(mix.missing)
    last: Line = [(f"  missing: {missing}" if missing else "  the mix is met", Ink.ATTENTION if missing else Ink.GOOD)]
    others = _others_of(mix)
    room = next((cells for cells in METER_CELLS if _cells(_bars(mix, cells), *others, last) <= width), METER_CELLS[-1])
    line = _bars(mix, room)
    for piece in others:
        if _cells(line, piece, last) <= width:
            line += piece
    return line + last


def _bars(mix: Mix, cells: int) -> Line:
    """Framings that are wanted or there, each with a bar."""
    line: Line = []
    for framing, wanted in mix.target.items():
        kept = mix.framings[framing]
        if not wanted and not kept:
            continue
        line += [(f"{'  ' if line else ''}{framing} ", Ink.MUTED), *bar(kept / wanted if wanted else 1.0, cells)]
        line.append((f" {kept}/{wanted}", Ink.GOOD if kept >= wanted else Ink.PLAIN))
    return line


def _others_of(mix: Mix) -> list[Line]:
    """Years, heads that are turned, faces that are well lit: most important first."""
    if not mix.kept:
        return []
    years: Line = [(f"  {min(mix.years)}–{max(mix.years)}", Ink.MUTED)] if mix.years else []
    turned = f"{mix.turned}/{mix.measured}" if mix.measured else "–"
    lit = f"{mix.well_lit}/{mix.light_measured}" if mix.light_measured else "–"
    return [years, [(f"  turned {turned}", Ink.MUTED)], [(f"  lit {lit}", Ink.MUTED)]]


def _cells(*lines: Line) -> int:
    return sum(len(text) for line in lines for text, _ in line)


def _padded(flags: Line) -> Line:
    return [*flags, (" " * max(0, FLAGS - sum(len(text) for text, _ in flags)), Ink.PLAIN)]


def _flags(face: Face) -> Line:
    """What to be careful about, each with a word or a shape."""
    relations = face.measures.relations
    found: list[tuple[str, Ink]] = []
    if face.gone:
        found.append(("gone ", Ink.ATTENTION))
    if face.twice or (relations is not None and relations.wrong):
        found.append(("who? ", Ink.ATTENTION))
    if face.measures.blurred:
        found.append(("blur ", Ink.ATTENTION))
    if relations is not None and relations.copy_of is not None:
        found.append(("copy ", Ink.ATTENTION))
    elif relations is not None and relations.burst_size > 1:
        found.append(
            (
                f"≈{relations.burst_size}{'* ' if relations.burst_best else '  '}",
                Ink.ACTIVE if relations.burst_best else Ink.MUTED,
            )
        )
    if face.warning:
        found.append(("box? ", Ink.ATTENTION))
    if not face.confirmed and not found:
        found.append((MATCHED, Ink.MUTED))
    return found


def _who(face: Face) -> Line:
    relations = face.measures.relations
    sure = "confirmed by a person" if face.confirmed else "matched by the machine"
    if face.gone:
        return [("gone from the library; its decision is kept", Ink.ATTENTION)]
    if face.warning:
        return [("≈ ", Ink.ATTENTION), (face.warning, Ink.ATTENTION)]
    if relations is not None and relations.wrong:
        return [(f"who? far from the others ({relations.distance:.2f})", Ink.ATTENTION)]
    if face.twice:
        return [("who? twice on this photo: one is somebody else, or a mirror", Ink.ATTENTION)]
    if relations is not None and relations.copy_of is not None:
        return [(f"the same picture as face {relations.copy_of}", Ink.ATTENTION)]
    if not face.confirmed and (relations is None or relations.wrong is None):
        # Nobody said that it is the person, and nothing could be compared.
        return [("matched", Ink.PLAIN), (" · who: not measured", Ink.MUTED)]
    return [(sure, Ink.PLAIN)]
