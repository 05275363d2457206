"""Measuring likeness: paints with and without the LoRA and compares with real pictures. Needs torch."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine import events
from engine.base_model import find_base
from engine.errors import PictureError
from engine.jobs.folder import JobFolder
from engine.jobs.worker import Context
from engine.library.address import parse_address
from engine.library.password import find_password
from engine.pictures.describing import describe
from engine.pictures.landing import write_picture
from engine.pictures.pipeline import Brush, Painting, Stopped
from engine.pictures.references import prepare_references
from engine.pictures.scores import IDENTITIES, Likeness, PictureScore, Score, recommend, write_likeness
from engine.project import Project
from engine.prompts.grammar import fill, plain
from engine.training.lora_header import lora_hash

Vectors = NDArray[np.float32]

PIXELS_AT_ONCE = 2 * 1024 * 1024
"""How many pixels are painted side by side: two pictures of SDXL's, many of a small model's."""


class Identity(Protocol):
    """What tells people apart."""

    def embed(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Unit vectors [n, d]; the product of two is their likeness."""


def load_identity(name: str) -> Identity:
    """What compares, by its name in ``IDENTITIES``. Raises PictureError for an unknown name."""
    if name not in IDENTITIES:
        raise PictureError(f"nothing called {name} compares pictures", f"there is: {', '.join(IDENTITIES)}")
    module, found = IDENTITIES[name].split(":")
    return cast(Identity, getattr(importlib.import_module(module), found).load())


def work(context: Context) -> None:
    """Does a likeness job; the result is written to the run's folder."""
    project = Project(context.project)
    settings = project.settings
    context.emit(events.Phase("other people", 0, 1))
    others = _other_people(project)
    context.emit(events.Phase("other people", 1, 1))
    gallery = Gallery(load_identity(context.args["identity"]), context.args["real"], others)
    context.emit(events.Phase("loading the base model", 0, 1))
    painting = Painting(find_base(settings.base))
    context.emit(events.Phase("loading the base model", 1, 1))
    if not gallery.names:
        context.emit(events.Warning("the library has nobody else to compare with"))
    lora = Path(context.args["checkpoint"])
    session = _Session(context, painting, gallery, plain(fill(settings.painting.style, settings.person)))
    brush = Brush(
        steps=settings.painting.steps,
        guidance=settings.painting.guidance,
        sampler=settings.painting.sampler,
        schedule=settings.painting.schedule,
        negative=settings.painting.negative,
    )
    strengths = [float(each) for each in context.args["strengths"]]
    session.total = (1 + len(strengths)) * context.args["seeds"]
    try:
        base, _ = session.paint(brush, "base")
        scores, vectors = [], {}
        for strength in strengths:
            pictures, vectors[strength] = session.paint(replace(brush, lora=lora, strength=strength), f"{strength:g}")
            scores.append(score(str(lora), strength, pictures))
    except Stopped:
        return
    recommended = recommend(scores)
    name, nearest = gallery.nearest_other(vectors[recommended.strength])
    likeness = Likeness(
        prompt=session.prompt,
        scores=tuple(scores),
        base=statistics.median(each.likeness for each in base),
        real=gallery.real_likeness(),
        nearest_other=nearest,
        nearest_other_name=name,
        recommended=recommended,
    )
    write_likeness(JobFolder(Path(context.args["run"])), likeness)


class Gallery:
    """Everybody's real pictures, as directions: a person is the middle of theirs."""

    def __init__(self, identity: Identity, real: Sequence[str], others: Mapping[str, Sequence[str]]) -> None:
        self._identity = identity
        self._real = identity.embed(_open(real))
        self.names = list(others)
        self._person = _middle(self._real)
        self._others = [_middle(identity.embed(_open(paths))) for paths in others.values()]

    def embed(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Unit vectors [n, d] of pictures."""
        return self._identity.embed(pictures)

    def likeness(self, vectors: Vectors) -> list[float]:
        """How like the person each of the vectors [n, d] is."""
        return [float(each) for each in vectors @ self._person]

    def nearest(self, vector: Vectors) -> str | None:
        """Whom of all people a vector [d] is nearest to; the empty name is the person."""
        if not self._others:
            return None
        everybody = ["", *self.names]
        return everybody[int(np.argmax(np.stack([self._person, *self._others]) @ vector))]

    def nearest_other(self, vectors: Vectors) -> tuple[str | None, float | None]:
        """The other person whom the vectors [n, d] are most like in the median, and how much."""
        if not self._others:
            return None, None
        medians = np.median(np.stack(self._others) @ vectors.T, axis=1)
        best = int(np.argmax(medians))
        return self.names[best], float(medians[best])

    def real_likeness(self) -> float:
        """The median likeness of each real picture to the middle of all the others."""
        if len(self._real) < 2:
            return 1.0
        without = (_unit(self._real.sum(axis=0) - each) for each in self._real)
        return statistics.median(float(each @ middle) for each, middle in zip(self._real, without, strict=True))


class _Session:
    """Paints the same seeds with one brush after another."""

    def __init__(self, context: Context, painting: Painting, gallery: Gallery, prompt: str) -> None:
        self.prompt = prompt
        self.total = 0
        self._context, self._painting, self._gallery = context, painting, gallery
        self._folder = Path(context.args["run"]) / "samples" / context.folder.id
        self._done = 0

    def paint(self, brush: Brush, name: str) -> tuple[list[PictureScore], Vectors]:
        """The scores of all seeds, and their vectors [n, d]."""
        seeds = list(range(1, int(self._context.args["seeds"]) + 1))
        width, height = self._painting.size(brush)
        together = max(1, PIXELS_AT_ONCE // (width * height))
        hashes = {brush.lora.stem: lora_hash(brush.lora)} if brush.lora else {}
        scores: list[PictureScore] = []
        vectors: list[Vectors] = []
        for start in range(0, len(seeds), together):
            some = seeds[start : start + together]
            self._context.emit(events.Phase("likeness", self._done, self.total))
            pictures = self._painting.paint(self.prompt, some, brush, self._context.should_stop)
            vectors.append(self._gallery.embed(pictures))
            for seed, picture, vector in zip(some, pictures, vectors[-1], strict=True):
                about = describe(self.prompt, seed, brush, picture.size, self._painting.base.title, hashes)
                path = write_picture(picture, self._folder / f"{name}-{seed}.png", about)
                likeness = self._gallery.likeness(vector[None])[0]
                scores.append(PictureScore(str(path), seed, likeness, self._gallery.nearest(vector)))
                self._context.emit(events.Sample(str(path), self.prompt, seed, likeness=likeness))
            self._done += len(some)
        self._context.emit(events.Phase("likeness", self._done, self.total))
        return scores, np.concatenate(vectors)


def score(checkpoint: str, strength: float, pictures: Sequence[PictureScore]) -> Score:
    """One checkpoint at one strength, from its pictures."""
    values = [each.likeness for each in pictures]
    first, third = (float(each) for each in np.quantile(values, (0.25, 0.75)))
    compared = [each for each in pictures if each.nearest is not None]
    return Score(
        checkpoint=checkpoint,
        strength=strength,
        median=statistics.median(values),
        spread=third - first,
        rank_1=sum(each.nearest == "" for each in compared) / len(compared) if compared else None,
        pictures=tuple(pictures),
    )


def _other_people(project: Project) -> dict[str, list[str]]:
    url = project.settings.library.url
    password = find_password(parse_address(url, project.root)) if url else None
    return {name: [str(path) for path in paths] for name, paths in prepare_references(project, password).items()}


def _open(paths: Sequence[str]) -> list[Image.Image]:
    opened = []
    for path in paths:
        try:
            with Image.open(path) as image:
                opened.append(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise PictureError(f"{path} can't be read", "build the dataset again") from error
    return opened


def _middle(vectors: Vectors) -> Vectors:
    return _unit(vectors.mean(axis=0))


def _unit(vector: NDArray[Any]) -> Vectors:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
