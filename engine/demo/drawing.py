"""Drawn pictures of drawn people: square portraits, and photos that tell where each face is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

import numpy as np
from PIL import Image

from engine.demo.heads import EXPRESSIONS, EYE_LINE, FEET, SHIRTS, draw_person
from engine.demo.pen import Pen
from engine.demo.people import DrawnPerson
from engine.demo.scenery import BACKGROUNDS, draw_background

FACE_SHARE = 0.42
"""The face's height as a share of a portrait's side: a close crop of a photo has the side face height / 0.42."""
EYES_AT = 0.40
"""Where the eyes are in a portrait, as a fraction of its side from the top."""

LIGHTS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"daylight": (1.0, 1.0, 1.0), "warm light": (1.0, 0.96, 0.86), "evening light": (0.9, 0.91, 1.0)}
)


@dataclass(frozen=True)
class Scene:
    """What changes from one picture to the next.

    `shift` moves the eyes, in sides of the portrait. `horizon`, `phase` and `scale` are those of `draw_background`,
    with `scale` in sides of the portrait.
    """

    background: str
    light: str
    expression: str
    shirt: str
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    horizon: float = 0.6
    phase: float = 0.0
    scale: float = 1.6


@dataclass(frozen=True)
class Sitter:
    """Someone in a photo. `x` is the face's centre and `y` the eyes, as fractions from the top left; `face` is the
    height of the face in pixels."""

    person: DrawnPerson
    x: float
    y: float
    face: float
    expression: str
    shirt: str


@dataclass(frozen=True)
class DrawnPhoto:
    """A drawn photo and its faces: (name, x, y, w, h) with the box as fractions from the top left, square in pixels."""

    image: Image.Image
    faces: tuple[tuple[str, float, float, float, float], ...]


def random_scene(rng: Random) -> Scene:
    """A scene for a portrait, with the small differences of zoom and place that real crops have."""
    return Scene(
        background=rng.choice(BACKGROUNDS),
        light=rng.choices(list(LIGHTS), (0.7, 0.15, 0.15))[0],
        expression=rng.choice(EXPRESSIONS),
        shirt=rng.choice(list(SHIRTS)),
        zoom=rng.uniform(0.92, 1.08),
        shift=(rng.uniform(-0.03, 0.03), rng.uniform(-0.025, 0.025)),
        horizon=rng.uniform(0.45, 0.85),
        phase=rng.random(),
        scale=rng.uniform(0.9, 2.2),
    )


def scene_words(scene: Scene) -> tuple[str, ...]:
    """What a caption can say of a scene, as in ("smiling", "blue background", "red shirt")."""
    words = (scene.expression, f"{scene.background} background", f"{scene.shirt} shirt")
    return words if scene.light == "daylight" else (*words, scene.light)


def _lit(image: Image.Image, light: str) -> Image.Image:
    factors = LIGHTS[light]
    if factors == (1.0, 1.0, 1.0):
        return image
    return image.point([min(255, round(value * factor)) for factor in factors for value in range(256)])


def draw_portrait(person: DrawnPerson, scene: Scene, size: int = 64) -> Image.Image:
    """A square head-and-shoulders portrait of `size` pixels, framed as a close crop of a photo."""
    finer = 4 if size <= 256 else 2
    side = size * finer
    face = FACE_SHARE * side * scene.zoom
    eyes_x, eyes_y = (0.5 + scene.shift[0]) * side, (EYES_AT + scene.shift[1]) * side
    image = draw_background(scene.background, (side, side), scene.horizon, scene.phase, scene.scale * side)
    draw_person(Pen(image, (eyes_x, eyes_y - EYE_LINE * face), face), person, scene.expression, scene.shirt)
    return _lit(image.resize((size, size), Image.Resampling.LANCZOS), scene.light)


def seat(
    people: Sequence[DrawnPerson], rng: Random, width: int, height: int, face: float | None = None
) -> tuple[Sitter, ...]:
    """Find each of `people` a place side by side in a photo of `width` x `height` pixels.

    `face` is about how high their faces are, in pixels; they are smaller where so many would not fit.
    """
    widest = min(width / (2.1 * len(people)), height * FACE_SHARE)
    wanted = min(face or rng.uniform(0.55, 1.0) * widest, widest)
    order = rng.sample(range(len(people)), len(people))
    sitters = []
    for person, place in zip(people, order, strict=True):
        own = min(widest, wanted * rng.uniform(0.92, 1.04))
        room = 0.5 / len(people) - 0.6 / FACE_SHARE * own / width
        feet_below = 0.96 - (FEET - EYE_LINE) * own / height
        hair_below = EYES_AT / FACE_SHARE * own / height
        sitters.append(
            Sitter(
                person=person,
                x=(place + 0.5) / len(people) + rng.uniform(-1, 1) * max(0.0, min(room, 0.18)),
                y=max(hair_below, feet_below, rng.uniform(0.36, 0.42)),
                face=own,
                expression=rng.choice(EXPRESSIONS),
                shirt=rng.choice(list(SHIRTS)),
            )
        )
    return tuple(sitters)


def draw_photo(sitters: Sequence[Sitter], scene: Scene, width: int, height: int) -> DrawnPhoto:
    """A photo of `width` x `height` pixels of `sitters`, before the background and in the light of `scene`.

    The same hand draws it as `draw_portrait`, so that a close crop of a face looks like a portrait.
    """
    finer = 2
    size = (width * finer, height * finer)
    image = draw_background(scene.background, size, scene.horizon, scene.phase, 0.7 * size[1])
    faces = []
    for sitter in sorted(sitters, key=lambda one: one.face):
        centre_x, centre_y = sitter.x * width, sitter.y * height - EYE_LINE * sitter.face
        pen = Pen(image, (centre_x * finer, centre_y * finer), sitter.face * finer)
        draw_person(pen, sitter.person, sitter.expression, sitter.shirt)
        left, top = centre_x - sitter.face / 2, centre_y - sitter.face / 2
        box = (left / width, top / height, sitter.face / width, sitter.face / height)
        faces.append((sitter.person.name, *box))
    return DrawnPhoto(_lit(image.reduce(finer), scene.light), tuple(faces))


def crop_portrait(
    image: Image.Image, box: tuple[float, float, float, float], size: int = 64, *,
    zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0),
) -> Image.Image:  # fmt: skip
    """The close crop of a face: the picture that `draw_portrait` would draw of it.

    `box` is (x, y, w, h) as fractions of the upright `image`; what lies outside of it repeats the nearest edge.
    """
    x, y, w, h = box
    face = h * image.height
    side = face / FACE_SHARE / zoom
    left = (x + w / 2) * image.width - (0.5 + shift[0]) * side
    top = (y + h / 2) * image.height + EYE_LINE * face - (EYES_AT + shift[1]) * side
    reach = max(0, math.ceil(max(-left, -top, left + side - image.width, top + side - image.height)))
    if reach:
        image = Image.fromarray(np.pad(np.asarray(image), ((reach, reach), (reach, reach), (0, 0)), mode="edge"))
    edges = (left + reach, top + reach, left + reach + side, top + reach + side)
    return image.resize((size, size), Image.Resampling.LANCZOS, box=edges)
