"""Paints faces anew and keeps whichever of before and after is more like the person. Needs torch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from PIL import Image

from engine.faces.photo.geometry import Box
from engine.pictures.likeness.identity import Identity
from engine.pictures.likeness.judge import Judge
from engine.pictures.orders.face_fix import FaceFix, lay_back, part_around
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import Callbacks, GenerationParams, PromptSeed
from engine.settings import PersonSettings


class Judging(Protocol):
    """Says how like the person a picture is."""

    def likeness(self, picture: Image.Image) -> float | None:
        """0 to 100; None: not scorable."""


@dataclass(frozen=True)
class JudgedBy:
    """A judge, as the face fix asks it."""

    judge: Judge

    def likeness(self, picture: Image.Image) -> float | None:
        """0 to 100; None: not scorable."""
        return self.judge.judge(picture).likeness


@dataclass(frozen=True)
class Fixed:
    """What became of a picture."""

    kept: Image.Image
    other: Image.Image | None
    """The one that was not kept; None: no face was painted anew."""
    after: bool
    """Whether the one that is kept is the one with the new faces."""
    faces: int
    """How many faces were painted anew."""
    why: str
    """What was done, in a few words."""
    likeness: tuple[float | None, float | None] = (None, None)
    """Before and after, 0 to 100."""


class FaceFixer:
    """Finds faces, paints them anew, compares.

    Args:
        painting: the loaded base model.
        identity: finds faces.
        judging: compares; None: nothing can, the new faces are kept.
    """

    def __init__(self, painting: Painting, identity: Identity, judging: Judging | None) -> None:
        self._painting, self._identity, self._judging = painting, identity, judging

    def fix(
        self, picture: Image.Image, subject: PromptSeed, params: GenerationParams, fix: FaceFix, callbacks: Callbacks
    ) -> Fixed:
        """Paints the faces of one picture anew.

        Args:
            picture: it.
            subject: its prompt, with the trigger word in it, its negative prompt and its seed; the second face's seed
                is the next one, and so on.
            params: what it was painted with.
            fix: how.
            callbacks: who looks on.

        Raises:
            What ``Painting.paint_together`` raises.
        """
        picture = picture.convert("RGB")
        native = self._painting.native
        faces = [box for box, score in self._identity.find(picture) if score >= fix.confidence]
        parts = [part for box in _largest(faces, fix.most) if (part := part_around(box, picture.size, fix, native))]
        if not parts:
            why = "no face found" if not faces else "the face fills the picture"
            return Fixed(picture, None, False, 0, why)
        after = picture
        for number, part in enumerate(parts):
            cut = after.crop(part.corners).resize((native, native), Image.Resampling.LANCZOS)
            painted = self._paint(cut, replace(subject, seed=(subject.seed + number) % 2**32), params, fix, callbacks)
            after = lay_back(after, part, painted, fix, native)
        return self._better(picture, after, len(parts))

    def _paint(
        self, cut: Image.Image, subject: PromptSeed, params: GenerationParams, fix: FaceFix, callbacks: Callbacks
    ) -> Image.Image:
        side = self._painting.native
        own = replace(params, width=side, height=side, hires=None, denoise=fix.denoise)
        with tempfile.TemporaryDirectory(prefix="limner-face-") as folder:
            source = Path(folder) / "face.png"
            cut.save(source)
            [painted] = self._painting.paint_together([replace(subject, source=source)], own, callbacks)
        return painted

    def _better(self, before: Image.Image, after: Image.Image, faces: int) -> Fixed:
        """The likelier one is kept. A face that could not be compared before and can be now was mended."""
        if self._judging is None:
            return Fixed(after, before, True, faces, "nothing to compare with")
        old, new = self._judging.likeness(before), self._judging.likeness(after)
        if old is not None and (new is None or new < old):
            return Fixed(before, after, False, faces, "the likeness would fall", (old, new))
        return Fixed(after, before, True, faces, "the likeness did not fall", (old, new))


def with_trigger(prompt: str, person: PersonSettings) -> str:
    """The prompt of a face: without the trigger word it would become anybody's."""
    if person.trigger in prompt:
        return prompt
    return f"{person.trigger} {person.class_word}, {prompt}"


def _largest(boxes: list[Box], most: int) -> list[Box]:
    boxes = sorted(boxes, key=lambda box: -box.w * box.h)
    return boxes[:most] if most else boxes
