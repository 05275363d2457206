"""Where drawn faces are: the demo's own detector, for one that knows photographs sees few drawings.

A window of 32 × 32 pixels is described by which way its edges run and by its colours, and one vector weighs that: a
linear classifier on histograms of oriented gradients (Dalal and Triggs, CVPR 2005), fitted on drawn photos. It looks at
the picture at many sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

from engine.demo.drawing import EYES_AT, FACE_SHARE, draw_photo, random_scene, seat
from engine.demo.heads import EYE_LINE
from engine.demo.identity import HEAD
from engine.demo.people import random_person
from engine.demo.scenery import draw_background

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("faces.safetensors")

CELL = 4
"""Pixels a side of what one histogram counts."""
CELLS = 8
"""Cells a side of a window."""
WAYS = 8
"""Directions of an edge that are told apart, over half a turn."""
VALUES = WAYS + 3
"""Numbers a cell: edges, and red, green, blue."""

EDGE_FLOOR, COLOUR_FLOOR = 0.02, 0.05
"""What keeps a plain surface from being blown up when windows are brought to one strength."""

LONGEST = 256
"""Pixels of the longer side at which a picture is looked at, at most."""
ENLARGED = 2.0
"""Small pictures are not looked at larger than this."""
STEP = 0.84
"""From one size of the picture to the next."""
LEAST = 0.07
"""The smallest head that is looked for, as a share of the shorter side."""
OVERLAP = 0.3
"""Intersection over union from which two windows can't be two heads."""
SAME_HEAD = 0.5
"""Intersection over union from which windows say together where a head is."""

HEAD_SIDE = (HEAD[2] - HEAD[0]) / FACE_SHARE
"""A window's side, in heights of the face that it is around."""


@dataclass(frozen=True)
class DrawnFace:
    """A drawn face: its box as (x, y, w, h), fractions of the picture, square in pixels; its score, 0 to 1."""

    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class DrawnDetector:
    """``weights`` is [704], ``bias`` [1]; their product with a window is above 0 on a head."""

    weights: Floats
    bias: Floats

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> DrawnDetector:
        """The fitted detector that comes with Limner."""
        return _loaded(path)

    def save(self, path: Path = WEIGHTS) -> None:
        """Write it as one small safetensors file."""
        save_file({"weights": self.weights, "bias": self.bias}, path)

    def find(self, picture: Image.Image, least: float = 0.5) -> tuple[DrawnFace, ...]:
        """The faces on a picture whose score is at least ``least``, the largest first."""
        found: list[tuple[float, float, float, float]] = []
        for shown, scale in _sizes(picture.convert("RGB")):
            scores = self._scores(_described(shown))
            for row, column in np.argwhere(scores > _logit(least)):
                x, y = column * CELL / scale, row * CELL / scale
                found.append((float(scores[row, column]), x, y, CELLS * CELL / scale))
        faces = [_face(window, picture.size) for window in _apart(found)]
        return tuple(sorted(faces, key=lambda face: -face.box[2]))

    def _scores(self, cells: Floats) -> Floats:
        """The score of every window [rows, columns], as ``_windows`` would describe it, without describing each."""
        if min(cells.shape[:2]) < CELLS:
            return np.zeros((0, 0), np.float32)
        weights = self.weights.reshape(CELLS * CELLS, VALUES)
        edges, colours = cells[..., :WAYS], cells[..., WAYS:]
        count = CELLS * CELLS
        strength = np.sqrt(np.maximum(_summed((edges**2).sum(axis=2)), 0) / (count * WAYS))
        mean = _summed(colours.sum(axis=2)) / (count * 3)
        spread = np.sqrt(np.maximum(_summed((colours**2).sum(axis=2)) / (count * 3) - mean**2, 0))
        edge = _weighed(edges @ weights[:, :WAYS].T) / (strength + EDGE_FLOOR)
        colour = (_weighed(colours @ weights[:, WAYS:].T) - mean * weights[:, WAYS:].sum()) / (spread + COLOUR_FLOOR)
        return np.asarray(edge + colour + self.bias[0], np.float32)


@cache
def _loaded(path: Path) -> DrawnDetector:
    tensors = load_file(path)
    return DrawnDetector(weights=tensors["weights"], bias=tensors["bias"])


def head_window(box: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float]:
    """Left, top and side, in pixels, of the window around a face's box."""
    x, y, w, h = box
    face = h * size[1]
    whole = face / FACE_SHARE
    left = (x + w / 2) * size[0] - (0.5 - HEAD[0]) * whole
    top = (y + h / 2) * size[1] + EYE_LINE * face - (EYES_AT - HEAD[1]) * whole
    return left, top, HEAD_SIDE * face


def _face(window: tuple[float, float, float, float], size: tuple[int, int]) -> DrawnFace:
    """The face in a window, which is (score, left, top, side) in pixels."""
    score, left, top, side = window
    face = side / HEAD_SIDE
    whole = face / FACE_SHARE
    x = left + (0.5 - HEAD[0]) * whole
    y = top + (EYES_AT - HEAD[1]) * whole - EYE_LINE * face
    box = ((x - face / 2) / size[0], (y - face / 2) / size[1], face / size[0], face / size[1])
    return DrawnFace(box, round(1 / (1 + math.exp(-score)), 4))


def _sizes(picture: Image.Image) -> Iterator[tuple[Image.Image, float]]:
    """The picture at falling sizes, and the scale of each."""
    window = CELL * CELLS
    shorter = min(picture.size)
    scale = min(window / (LEAST * shorter), LONGEST / max(picture.size), ENLARGED)
    while shorter * scale >= window:
        size = max(window, round(picture.width * scale)), max(window, round(picture.height * scale))
        yield picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), scale
        scale *= STEP


def _described(picture: Image.Image) -> Floats:
    """[rows, columns, 11]: of each cell which way its edges run, and its colours."""
    pixels = np.asarray(picture, np.float32) / 255
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    pixels = pixels[: rows * CELL, : columns * CELL]
    grey = pixels.mean(axis=2)
    down, across = np.gradient(grey)
    length = np.sqrt(np.hypot(across, down))
    way = ((np.arctan2(down, across) % np.pi) / np.pi * WAYS).astype(np.intp) % WAYS
    edges = np.zeros((*grey.shape, WAYS), np.float32)
    np.put_along_axis(edges, way[..., None], length[..., None], axis=2)
    both = np.concatenate([edges, pixels], axis=2).reshape(rows, CELL, columns, CELL, VALUES).mean(axis=(1, 3))
    return np.asarray(both, np.float32)


def _windows(cells: Floats) -> tuple[Floats, NDArray[Any]]:
    """Every window [n, 704], its edges and its colours brought to one strength, and its corner [n, 2] in pixels."""
    rows, columns = cells.shape[0] - CELLS + 1, cells.shape[1] - CELLS + 1
    if rows < 1 or columns < 1:
        return np.zeros((0, CELLS * CELLS * VALUES), np.float32), np.zeros((0, 2))
    views = np.lib.stride_tricks.sliding_window_view(cells, (CELLS, CELLS), axis=(0, 1))
    flat = views.transpose(0, 1, 3, 4, 2).reshape(rows * columns, CELLS * CELLS, VALUES).astype(np.float32)
    edges, colours = flat[..., :WAYS], flat[..., WAYS:]
    edges = edges / (np.sqrt((edges**2).mean(axis=(1, 2), keepdims=True)) + EDGE_FLOOR)
    colours = colours - colours.mean(axis=(1, 2), keepdims=True)
    colours = colours / (colours.std(axis=(1, 2), keepdims=True) + COLOUR_FLOOR)
    down, across = np.mgrid[:rows, :columns]
    corners = np.stack([across.reshape(-1), down.reshape(-1)], axis=1) * CELL
    return np.concatenate([edges, colours], axis=2).reshape(rows * columns, -1), corners


def _weighed(products: Floats) -> Floats:
    """Of products [rows, columns, 64] of each cell with each place in a window the sum over each window."""
    rows, columns = products.shape[0] - CELLS + 1, products.shape[1] - CELLS + 1
    places = [(down, across) for down in range(CELLS) for across in range(CELLS)]
    parts = [products[y : y + rows, x : x + columns, at] for at, (y, x) in enumerate(places)]
    return np.asarray(np.sum(parts, axis=0))


def _summed(values: Floats) -> Floats:
    """The sum over each window of one value a cell."""
    views = np.lib.stride_tricks.sliding_window_view(values, (CELLS, CELLS))
    return np.asarray(views.sum(axis=(2, 3)))


def _apart(windows: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """One window a head: the best, laid in the middle of those that say the same, each weighed by its score."""
    kept: list[tuple[float, float, float, float]] = []
    for window in sorted(windows, reverse=True):
        if all(_overlap(window, other) < OVERLAP for other in kept):
            same = np.array([each for each in windows if _overlap(window, each) >= SAME_HEAD])
            weights = np.maximum(same[:, 0], 0) ** 2
            x, y, side = np.average(same[:, 1:], axis=0, weights=weights) if weights.sum() > 0 else window[1:]
            kept.append((window[0], float(x), float(y), float(side)))
    return kept


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    _, x, y, side = one
    _, other_x, other_y, other_side = other
    across = min(x + side, other_x + other_side) - max(x, other_x)
    down = min(y + side, other_y + other_side) - max(y, other_y)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (side**2 + other_side**2 - shared)


def _logit(share: float) -> float:
    share = min(1 - 1e-6, max(1e-6, share))
    return math.log(share / (1 - share))


def fit(photos: int = 700, rounds: int = 3, seed: int = 78) -> DrawnDetector:
    """Fits the detector on drawn photos of strangers, three times over, each time with what it took for a head."""
    rng = Random(seed)
    heads: list[Floats] = []
    others: list[Floats] = []
    detector: DrawnDetector | None = None
    for _ in range(rounds):
        for _ in range(photos // rounds):
            good, bad = _examples(rng, detector)
            heads += good
            others += bad
        detector = _fitted(np.stack(heads), np.stack(others))
    assert detector is not None
    return detector


def _examples(rng: Random, detector: DrawnDetector | None) -> tuple[list[Floats], list[Floats]]:
    """Windows of one drawn photo: on heads, and beside them."""
    width, height = rng.choice(((320, 240), (240, 320), (256, 256), (64, 64), (96, 96)))
    if rng.random() < 0.15:
        scene = random_scene(rng)
        empty = draw_background(scene.background, (width, height), scene.horizon, scene.phase, 0.7 * height)
        photo, boxes = empty.convert("RGB"), []
    else:
        people = [random_person(rng) for _ in range(1 if width < 200 else rng.choice((1, 1, 2, 3)))]
        tall = rng.uniform(0.3, 0.45) * height if width < 200 else rng.uniform(0.1, 0.42) * height
        drawn = draw_photo(seat(people, rng, width, height, tall), random_scene(rng), width, height)
        photo, boxes = drawn.image.convert("RGB"), [box for _, *box in drawn.faces]
    windows = [head_window(box, photo.size) for box in boxes]
    good: list[Floats] = []
    for left, top, side in windows:
        for _ in range(4):
            nudged = side * rng.uniform(0.9, 1.12)
            x = left + (side - nudged) / 2 + side * rng.uniform(-0.06, 0.06)
            y = top + (side - nudged) / 2 + side * rng.uniform(-0.06, 0.06)
            good.append(_look(photo, x, y, nudged, rng))
    bad: list[Floats] = []
    for _ in range(12):
        side = rng.uniform(0.12, 0.95) * min(photo.size)
        x, y = rng.uniform(-0.1, 1) * photo.width, rng.uniform(-0.1, 1) * photo.height
        if x + side < photo.width * 1.1 and y + side < photo.height * 1.1 and _beside(x, y, side, windows):
            bad.append(_look(photo, x, y, side, rng))
    if detector is not None:
        for face in detector.find(photo, 0.2):
            x, y, side = head_window(face.box, photo.size)
            if _beside(x, y, side, windows):
                bad.append(_look(photo, x, y, side, rng))
    return good, bad


def _beside(x: float, y: float, side: float, windows: Sequence[tuple[float, float, float]]) -> bool:
    return all(_overlap((0, x, y, side), (0, *window)) < 0.35 for window in windows)


def _look(photo: Image.Image, left: float, top: float, side: float, rng: Random) -> Floats:
    """A window's description, as soft as painted pictures are now and then."""
    window = CELL * CELLS
    reach = math.ceil(max(0.0, -left, -top, left + side - photo.width, top + side - photo.height))
    if reach:
        photo = Image.fromarray(np.pad(np.asarray(photo), ((reach, reach), (reach, reach), (0, 0)), mode="edge"))
    box = (left + reach, top + reach, left + reach + side, top + reach + side)
    side_px = rng.choice((window, window, window, 20, 26))
    cut = photo.resize((side_px, side_px), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    looked: Floats = _windows(_described(cut.resize((window, window), Image.Resampling.BILINEAR)))[0][0]
    return looked


def _fitted(heads: Floats, others: Floats) -> DrawnDetector:
    """Logistic regression with a little shrinkage, by Newton's method."""
    looks = np.concatenate([heads, others]).astype(np.float64)
    looks = np.concatenate([looks, np.ones((len(looks), 1))], axis=1)
    wanted = np.concatenate([np.ones(len(heads)), np.zeros(len(others))])
    weights = np.zeros(looks.shape[1])
    shrink = np.full(looks.shape[1], 3.0)
    shrink[-1] = 0.0
    for _ in range(12):
        chance = 1 / (1 + np.exp(-np.clip(looks @ weights, -30, 30)))
        curve = np.maximum(chance * (1 - chance), 1e-6)
        slope = looks.T @ (wanted - chance) - shrink * weights
        weights += np.linalg.solve((looks * curve[:, None]).T @ looks + np.diag(shrink + 1e-9), slope)
    return DrawnDetector(weights[:-1].astype(np.float32), weights[-1:].astype(np.float32))


if __name__ == "__main__":
    fit().save()
