"""One drawn person: head, hair, shoulders and body.

Lengths are in face heights (hairline to chin), from the centre of the face: the hairline is at -0.5, the chin at
0.5, the eyes at `EYE_LINE`. The face's box is the square from -0.5 to 0.5.
"""

from __future__ import annotations

from engine.demo.pen import Pen, Point, arc, curve
from engine.demo.people import EYES, HAIR, SKIN, Colour, DrawnPerson

EYE_LINE = -0.04
FEET = 6.3
"""How far below the face's centre someone stands."""
SHIRTS: dict[str, Colour] = {
    "red": (200, 48, 52),
    "blue": (44, 84, 178),
    "green": (36, 128, 84),
    "black": (38, 38, 44),
    "white": (240, 240, 242),
    "purple": (128, 64, 164),
}
EXPRESSIONS = ("smiling", "serious", "surprised")
INK = (26, 24, 30)
TROUSERS = (62, 66, 84)


def _shade(colour: Colour, factor: float) -> Colour:
    """A darker colour: `factor` is below 1."""
    r, g, b = (round(c * factor) for c in colour)
    return r, g, b


def _shine(colour: Colour) -> Colour:
    """Where the light falls on hair."""
    r, g, b = (round(c + (255 - c) * 0.2) for c in colour)
    return r, g, b


def draw_person(pen: Pen, person: DrawnPerson, expression: str, shirt: str) -> None:
    """Draw `person` with the face's centre at the pen's origin, from the feet up to the hair."""
    _draw_hair_behind(pen, person)
    _draw_body(pen, person, SHIRTS[shirt])
    _draw_face(pen, person)
    if person.facial_hair:
        _draw_facial_hair(pen, person)
    _draw_mouth(pen, person, expression)
    _draw_eyes(pen, person, expression)
    _draw_hair_in_front(pen, person)
    _draw_brows(pen, person, expression)
    if person.glasses:
        _draw_glasses(pen, person)


def _half_width(person: DrawnPerson) -> float:
    return 0.41 * person.face_width


def _draw_body(pen: Pen, person: DrawnPerson, shirt: Colour) -> None:
    half = 1.0 if person.class_word == "man" else 0.86
    skin = SKIN[person.skin]
    for side in (-1, 1):
        pen.block(min(0, side * 0.56), 3.0, max(0, side * 0.56), 6.2, TROUSERS, 0.08)
        pen.oval(side * 0.34, 6.2, 0.34, 0.14, INK)
        pen.oval(side * half * 0.9, 3.1, 0.15, 0.2, skin)
    outline = [
        (-half, 3.0), *curve((-half, 1.35), (-half, 0.92), (-half * 0.62, 0.84)),
        *curve((-0.3, 0.76), (0, 0.7), (0.3, 0.76)), *curve((half * 0.62, 0.84), (half, 0.92), (half, 1.35)),
        (half, 3.0),
    ]  # fmt: skip
    pen.shape(outline, shirt)
    for side in (-1, 1):
        pen.line([(side * half * 0.72, 1.4), (side * half * 0.74, 3.0)], 0.035, _shade(shirt, 0.74))
    shadow = _shade(skin, 0.8)
    pen.oval(0, 0.78, 0.31, 0.18, _shade(shirt, 0.76))
    pen.oval(0, 0.76, 0.25, 0.15, skin)
    pen.block(-0.2, 0.2, 0.2, 0.78, skin)
    pen.shape([(-0.2, 0.4), *curve((-0.2, 0.56), (0, 0.74), (0.2, 0.56)), (0.2, 0.4)], shadow)


def _draw_face(pen: Pen, person: DrawnPerson) -> None:
    half, skin = _half_width(person), SKIN[person.skin]
    for side in (-1, 1):
        pen.oval(side * half * 1.0, 0.03, 0.085, 0.12, _shade(skin, 0.86))
    pen.shape(_face_outline(person, 0, 360), skin)
    for side in (-1, 1):
        pen.oval(side * half * 0.66, 0.17, 0.085, 0.06, (226, 84, 76, 58))
    if person.hair_style == "bald":
        pen.oval(-half * 0.36, -0.42, 0.1, 0.05, (255, 255, 255, 80))
    wide = 0.062 * person.nose
    nose = [(0.01, -0.02), *arc(0, 0.13, wide, 0.05, -40, 220), (-0.015, -0.02)]
    pen.shape(nose, _shade(skin, 0.8))


def _face_outline(person: DrawnPerson, start: float, end: float, larger: float = 1.0) -> list[Point]:
    half = _half_width(person)
    return arc(0, -0.07, half * larger, 0.57 * larger, start, end, person.jaw)


def _draw_mouth(pen: Pen, person: DrawnPerson, expression: str) -> None:
    lips = (196, 62, 78) if person.class_word == "woman" else _shade(SKIN[person.skin], 0.58)
    if person.facial_hair == "beard":
        lips = (198, 84, 78)
    if expression == "smiling":
        pen.shape(arc(0, 0.255, 0.19, 0.14, -4, 184), lips)
        pen.shape(arc(0, 0.27, 0.155, 0.085, 0, 180), (255, 255, 255))
    elif expression == "surprised":
        pen.oval(0, 0.32, 0.09, 0.105, lips)
        pen.oval(0, 0.325, 0.055, 0.07, (82, 24, 30))
    else:
        pen.line([(-0.13, 0.31), (0.13, 0.31)], 0.055, lips)


def _draw_eyes(pen: Pen, person: DrawnPerson, expression: str) -> None:
    tall = 0.115 if expression == "surprised" else 0.095
    for side in (-1, 1):
        x = side * 0.19
        if person.class_word == "woman":
            pen.line(curve((x - 0.12, EYE_LINE - 0.03), (x, EYE_LINE - 0.16), (x + 0.12, EYE_LINE - 0.03)), 0.04, INK)
            pen.line([(x + side * 0.11, EYE_LINE - 0.04), (x + side * 0.17, EYE_LINE - 0.09)], 0.03, INK)
        pen.oval(x, EYE_LINE, 0.115, tall, (255, 255, 255))
        pen.oval(x, EYE_LINE, 0.074, 0.08, EYES[person.eyes])
        pen.oval(x, EYE_LINE, 0.038, 0.042, INK)
        pen.oval(x + 0.028, EYE_LINE - 0.03, 0.02, 0.02, (255, 255, 255))


def _draw_brows(pen: Pen, person: DrawnPerson, expression: str) -> None:
    colour = _shade(HAIR[person.hair], 0.72)
    y = EYE_LINE - (0.27 if expression == "surprised" else 0.2)
    for side in (-1, 1):
        x = side * 0.19
        brow = curve((x - side * 0.11, y + 0.015), (x + side * 0.02, y - 0.05), (x + side * 0.13, y + 0.025))
        pen.line(brow, 0.045 * person.brow, colour)


def _draw_glasses(pen: Pen, person: DrawnPerson) -> None:
    for side in (-1, 1):
        pen.line([(side * 0.34, EYE_LINE), (side * _half_width(person), EYE_LINE - 0.02)], 0.035, INK)
        pen.oval(side * 0.2, EYE_LINE, 0.165, 0.155, (255, 255, 255, 44))
        pen.ring(side * 0.2, EYE_LINE, 0.175, 0.165, 0.042, INK)
    pen.line(curve((-0.04, EYE_LINE - 0.03), (0, EYE_LINE - 0.06), (0.04, EYE_LINE - 0.03)), 0.042, INK)


def _draw_facial_hair(pen: Pen, person: DrawnPerson) -> None:
    half, hair = _half_width(person), HAIR[person.hair]
    if person.facial_hair == "beard":
        jaw = _face_outline(person, 0, 180, 1.04)
        cheeks = [
            *curve((-half * 1.04, 0.02), (-half * 0.8, 0.2), (-0.17, 0.17)),
            *curve((0.17, 0.17), (half * 0.8, 0.2), (half * 1.04, 0.02)),
        ]
        pen.shape([*jaw, *cheeks], hair)
    lip = [
        *curve((-0.22, 0.28), (-0.12, 0.14), (0, 0.19)), *curve((0, 0.19), (0.12, 0.14), (0.22, 0.28)),
        *curve((0.22, 0.28), (0.1, 0.27), (0, 0.255)), *curve((0, 0.255), (-0.1, 0.27), (-0.22, 0.28)),
    ]  # fmt: skip
    pen.shape(lip, _shade(hair, 0.86))


def _draw_hair_behind(pen: Pen, person: DrawnPerson) -> None:
    half, hair = _half_width(person), HAIR[person.hair]
    behind = _shade(hair, 0.84)
    if person.hair_style == "long":
        outline = [
            (-half * 1.28, 0.86), *arc(0, -0.14, half * 1.3, 0.62, 180, 360, 2.3), (half * 1.28, 0.86),
            *curve((half * 1.28, 0.86), (half * 0.8, 1.0), (half * 0.5, 0.86)),
            *curve((-half * 0.5, 0.86), (-half * 0.8, 1.0), (-half * 1.28, 0.86)),
        ]  # fmt: skip
        pen.shape(outline, behind)
    elif person.hair_style == "curly":
        for x, y in arc(0, -0.18, half * 1.12, 0.5, 148, 392)[::3]:
            pen.oval(x, y, 0.2, 0.19, behind)
        pen.oval(0, -0.3, half * 1.08, 0.44, behind)
    elif person.hair_style == "bun":
        pen.oval(0, -0.78, 0.21, 0.18, behind)
        pen.oval(-0.06, -0.83, 0.08, 0.05, _shine(behind))
        pen.oval(0, -0.16, half * 1.1, 0.56, behind)
    elif person.hair_style == "short":
        pen.oval(0, -0.22, half * 1.1, 0.5, behind)


def _draw_hair_in_front(pen: Pen, person: DrawnPerson) -> None:
    half, hair = _half_width(person), HAIR[person.hair]
    top = arc(0, -0.2, half * 1.08, 0.52, 172, 368, 2.2)
    if person.hair_style == "curly":
        hairline = curve((half, -0.36), (0, -0.56), (-half, -0.36))
        pen.shape([*arc(0, -0.24, half * 1.02, 0.46, 188, 352), *hairline], hair)
        for x, y in arc(0, -0.24, half * 0.98, 0.38, 196, 344)[::4]:
            pen.oval(x, y, 0.135, 0.12, hair)
        for x, y in arc(0, -0.24, half * 0.9, 0.46, 205, 335)[::6]:
            pen.oval(x - 0.03, y - 0.06, 0.045, 0.03, _shine(hair))
    elif person.hair_style == "short":
        fringe = [
            *curve((half * 1.06, -0.1), (half * 0.86, -0.34), (half * 0.5, -0.42)),
            *curve((half * 0.5, -0.42), (-half * 0.3, -0.28), (-half * 0.72, -0.36)),
            *curve((-half * 0.72, -0.36), (-half * 0.95, -0.3), (-half * 1.06, -0.1)),
        ]
        pen.shape([*top, *fringe], hair)
        pen.line(curve((-half * 0.55, -0.55), (-half * 0.1, -0.66), (half * 0.4, -0.58)), 0.04, _shine(hair))
    elif person.hair_style in ("long", "bun"):
        low = 0.12 if person.hair_style == "long" else -0.08
        right = [(half * 1.12, low), *curve((half * 0.92, low), (half * 0.8, -0.36), (half * 0.12, -0.47))]
        left = [*curve((half * 0.12, -0.47), (-half * 0.86, -0.36), (-half * 0.92, low)), (-half * 1.12, low)]
        pen.shape([*top, *right, *left], hair)
        pen.line(curve((-half * 0.75, -0.42), (-half * 0.4, -0.62), (half * 0.1, -0.64)), 0.04, _shine(hair))
