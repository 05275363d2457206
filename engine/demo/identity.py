"""How alike two drawn faces are: the likeness score of the demo's people.

A face recognition model knows photographs, not drawings. This small measure knows the drawings: a picture of 32x32
pixels times one matrix, which was fitted so that the same drawn person stays close and different ones lie apart,
whatever the background, the light, the shirt and the expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import DrawnPerson, random_person

Floats = NDArray[np.float32]

SIDE = 32
"""Pixels of the picture that is compared."""
HEAD = (0.17, 0.05, 0.83, 0.71)
"""The part of a close crop that is compared: the head, with little of the background and no shirt."""
COMPONENTS = 200
DIMENSIONS = 24
WEIGHTS = Path(__file__).with_name("identity.safetensors")


@dataclass(frozen=True)
class DrawnIdentity:
    """`mean` is [3072]; `matrix` [3072, 24] turns the difference from it into an embedding."""

    mean: Floats
    matrix: Floats

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> DrawnIdentity:
        """The fitted measure that comes with Limner."""
        return _loaded(path)

    def save(self, path: Path = WEIGHTS) -> None:
        """Write it as one small safetensors file."""
        save_file({"mean": self.mean, "matrix": self.matrix}, path)

    def embed(self, pictures: Sequence[Image.Image]) -> Floats:
        """Unit vectors [n, 24] of close crops, framed as `engine.demo.drawing.crop_portrait` does.

        The product of two of them is their likeness: near 1 for the same person, around 0 for different ones.
        """
        if not pictures:
            return np.zeros((0, self.matrix.shape[1]), np.float32)
        return _unit((_pixels(pictures) - self.mean) @ self.matrix)

    def centre(self, pictures: Sequence[Image.Image]) -> Floats:
        """The unit vector [24] in the middle of one person's pictures."""
        return _unit(self.embed(pictures).mean(axis=0))


@cache
def _loaded(path: Path) -> DrawnIdentity:
    tensors = load_file(path)
    return DrawnIdentity(mean=tensors["mean"], matrix=tensors["matrix"])


def _pixels(pictures: Sequence[Image.Image]) -> Floats:
    """[n, 3072], 0 to 1."""

    def head(picture: Image.Image) -> Image.Image:
        left, top, right, bottom = HEAD
        box = (left * picture.width, top * picture.height, right * picture.width, bottom * picture.height)
        return picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)

    return np.stack([np.asarray(head(picture), np.float32).reshape(-1) / 255 for picture in pictures])


def _unit(vectors: NDArray[Any]) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


def jittered_portrait(person: DrawnPerson, rng: Random) -> Image.Image:
    """A portrait framed as loosely as the crops of real photos come out."""
    scene = random_scene(rng)
    zoom = rng.uniform(0.9, 1.1)
    shift = (rng.uniform(-0.035, 0.035), rng.uniform(-0.035, 0.035))
    return draw_portrait(person, replace(scene, zoom=zoom, shift=shift))


def fit(people: int = 1200, pictures: int = 8, seed: int = 77) -> DrawnIdentity:
    """Fit the measure on drawn strangers: principal components, then what tells people apart (whitened LDA)."""
    rng = Random(seed)
    strangers = [random_person(rng) for _ in range(people)]
    drawn = _pixels([jittered_portrait(person, rng) for person in strangers for _ in range(pictures)])
    mean = drawn.mean(axis=0)
    centred = (drawn - mean).astype(np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    principal = directions[:COMPONENTS].T
    grouped = (centred @ principal).reshape(people, pictures, COMPONENTS)
    centres = grouped.mean(axis=1)
    inside = (grouped - centres[:, None]).reshape(-1, COMPONENTS)
    spread, axes = np.linalg.eigh(inside.T @ inside / len(inside) + 1e-4 * np.eye(COMPONENTS))
    whiten = axes / np.sqrt(spread)
    _, _, apart = np.linalg.svd((centres - centres.mean(axis=0)) @ whiten, full_matrices=False)
    matrix = principal @ whiten @ apart[:DIMENSIONS].T
    return DrawnIdentity(mean=mean.astype(np.float32), matrix=matrix.astype(np.float32))


if __name__ == "__main__":
    fit().save()
