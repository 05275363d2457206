"""What is told of a face and of the kept ones together: what was measured, and plainly what was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.faces.photo.geometry import Box, Framing
from engine.faces.records.decisions import Face
from engine.faces.records.measurements import FaceQuality, FaceRelations, Light, Measures, View
from engine.faces.selection.target_mix import Mix
from tui.widgets.face_lines import face_facts, meter_line
from tui.widgets.ink import Line

FACE = Face(
    *("m", "j", "James", "p", "f", "/", "a.jpg", Path("a.jpg")),
    Box(0.4, 0.3, 0.1, 0.1),
    *(4000, 3000, 400, "2019-06-01 10:00:00", False),
    id=1,
    measures=Measures(
        FaceQuality(100, 120, 50, 0, 0, 1, 1, yaw=3.0), (), FaceRelations(distance=0.2, wrong=False, space="ours")
    ),
)
MIX = Mix(
    kept=20,
    framings={Framing.CLOSE: 12, Framing.HALF: 5, Framing.FULL: 3},
    target={Framing.CLOSE: 12, Framing.HALF: 6, Framing.FULL: 6},
    years={"2015": 9, "2023": 11},
    lights={Light.GOOD: 15, Light.DARK: 3, None: 2},
    views={View.FRONT: 14, View.TURNED: 3, View.PROFILE: 1, None: 2},
)


def text(line: Line) -> str:
    return "".join(piece for piece, _ in line)


@pytest.mark.parametrize(
    ("face", "says"),
    [
        (FACE, "matched by the machine"),
        (replace(FACE, confirmed=True, measures=Measures()), "confirmed by a person"),
        (replace(FACE, measures=replace(FACE.measures, relations=FaceRelations())), "matched · who: not measured"),
        (replace(FACE, measures=Measures()), "matched · who: not measured"),
    ],
)
def test_a_face_that_nobody_confirmed_is_not_shown_as_sure(face: Face, says: str) -> None:
    assert text(face_facts(face)[-1]) == says


def test_what_was_not_looked_at_is_not_measured() -> None:
    assert text(face_facts(replace(FACE, measures=Measures()))[2]) == "not measured"
    blind = replace(FACE, measures=Measures(FaceQuality(100, 120, 50, 0, 0, 1, 1)))
    assert text(face_facts(blind)[2]) == "sharp 100 · light 120 · yaw not measured"


def test_the_meter_tells_framings_years_heads_light_and_what_is_missing() -> None:
    line = text(meter_line(MIX, 120))
    for piece in ("close ", "12/12", "5/6", "3/6", "2015–2023", "turned 4/18", "lit 15/18", "missing: 1 half, 3 full"):
        assert piece in line
    assert len(line) <= 120


def test_a_narrow_meter_leaves_out_what_it_must_and_never_what_is_missing() -> None:
    for width in range(60, 140):
        line = text(meter_line(MIX, width))
        assert len(line) <= max(width, 74), "bars of three cells, and what is missing"
        assert line.endswith("missing: 1 half, 3 full")
    assert "lit" not in text(meter_line(MIX, 78))


def test_a_framing_that_is_neither_wanted_nor_there_is_not_in_the_meter() -> None:
    only = {Framing.CLOSE: 24, Framing.HALF: 0, Framing.FULL: 0}
    assert "full" not in text(meter_line(replace(MIX, framings={**only, Framing.HALF: 1}, target=only), 120))
    assert "half" in text(meter_line(replace(MIX, framings={**only, Framing.HALF: 1}, target=only), 120))


def test_light_and_heads_of_which_nothing_is_known_are_not_guessed() -> None:
    line = text(meter_line(replace(MIX, lights={None: 20}, views={None: 20}), 140))
    assert "turned –  lit –" in line
