"""Looks at painted pictures with one person in mind: likeness, not scorable, a copy. Job processes only, no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import DatasetError, PictureError
from engine.faces.measurement.quality import dhash
from engine.faces.photo.geometry import Box
from engine.faces.photo.loading import open_header, upright_srgb
from engine.pictures.likeness.identity import General, Identity, Looked, Unscorable, Vectors, load_identity
from engine.pictures.likeness.references import kept_references
from engine.pictures.likeness.scale import IdentityScale
from engine.pictures.likeness.scores import Measure, identity_for
from engine.project import Project
from engine.training.data.examples import Example, read_examples

HASH_SIDE = 8
HASH_NEAR = 10
"""Bits of 64 in which two pictures differ at most when one is the other recompressed, brighter or a little cropped;
different photos differ in 22 or more. Drawn people all sit alike before plain backgrounds: where the person's own
photos lie nearer to each other than this, a copy must lie nearer still."""
HASH_SAME = 2
"""Bits that recompressing alone may change."""


@dataclass(frozen=True)
class Judged:
    """One picture, with the person in mind."""

    looked: Looked
    likeness: float | None
    """0 to 100; None: not scorable."""
    cosine: float | None
    nearest: str | None
    """Whom it is nearest to, the empty name being the person."""
    copy_of: str | None
    """The training image that it repeats."""

    @property
    def problem(self) -> Unscorable | None:
        """Why it is not scorable."""
        return self.looked.problem


class Judge:
    """Knows a person's photos and the library's other people.

    Args:
        identity: what compares.
        real: the person's photos, and where the face is where that is known.
        others: names to other people's photos.

    Raises:
        PictureError: a photo can't be read, or none of the person's can be compared.
    """

    def __init__(
        self, identity: Identity, real: Sequence[tuple[Path, Box | None]], others: Mapping[str, Sequence[Path]]
    ) -> None:
        self._identity = identity
        looked = [(path, *_look(identity, path, box)) for path, box in real]
        self.left_out = Counter(str(seen.problem) for _, seen, _ in looked if seen.problem)
        kept = [(path, seen.vector, print_) for path, seen, print_ in looked if seen.vector is not None]
        if not kept:
            why = ", ".join(f"{count} {problem}" for problem, count in self.left_out.most_common())
            raise PictureError(f"no training image shows a face that can be measured ({why})", "keep sharper faces")
        self._photos = [path for path, _, _ in kept]
        self._prints = [print_ for _, _, print_ in kept]
        self._print_near = max(HASH_SAME, min(HASH_NEAR, _least_apart(self._prints) - 1))
        vectors = np.stack([vector for _, vector, _ in kept])
        self.scale = IdentityScale(
            vectors, {name: _vectors(identity, some) for name, some in others.items()}, self.general
        )

    @property
    def general(self) -> General:
        """What holds for people in general."""
        return self._identity.general

    def judge(self, picture: Image.Image) -> Judged:
        """Whose face a picture shows."""
        looked = self._identity.look(picture)
        if looked.vector is None:
            return Judged(looked, None, None, None, None)
        scale, vector = self.scale, looked.vector
        copied = self._copied(picture, vector)
        return Judged(looked, scale.likeness(vector), scale.cosine(vector), scale.nearest(vector), copied)

    @property
    def identity(self) -> Identity:
        """What compares."""
        return self._identity

    def measure(self) -> Measure:
        """What likeness is measured on."""
        scale = self.scale.scale
        return Measure(
            identity=self._identity.name,
            photos=scale.photos,
            left_out=dict(self.left_out),
            typical=scale.typical,
            photos_spread=scale.spread,
            typical_is_own=scale.own,
            other=scale.other,
            other_name=scale.other_name,
        )

    def doubts(self) -> list[str]:
        """What a person should know before trusting the numbers."""
        scale, said = self.scale.scale, []
        if not scale.own:
            said.append(f"only {scale.photos} training images can be compared: the scale for people in general is used")
        if scale.other_name is None:
            said.append("there is nobody else to compare with: likeness 0 is where people in general begin to differ")
        said += [
            f"{name} is as close as the person's own photos and was left out: the same person under another name?"
            for name in self.scale.doubles
        ]
        return said

    def _copied(self, picture: Image.Image, vector: Vectors) -> str | None:
        """The training image that a picture repeats: the same face, in a picture that looks the same at a glance."""
        near = self.scale.too_near(vector)
        if not near:
            return None
        own = dhash(picture.convert("RGB"), HASH_SIDE)
        apart = {at: (own ^ self._prints[at]).bit_count() for at in near}
        closest = min(near, key=lambda at: apart[at])
        return self._photos[closest].name if apart[closest] <= self._print_near else None


def judge_for(project: Project, others: Mapping[str, Sequence[Path]] | None = None) -> Judge:
    """The judge of a project's person.

    Args:
        project: the project.
        others: other people's photos; None: those that were cut from the library before.

    Raises:
        DatasetError: there are no training images.
        PictureError: they can't be compared.
    """
    identity = load_identity(identity_for(project.settings.base))
    examples = [each for each in read_examples(project) if not each.regularisation]
    return Judge(identity, [_photo(each) for each in examples], kept_references(project) if others is None else others)


def judge_if_any(project: Project) -> Judge | None:
    """The judge of a project's person; None where there is nothing to compare with."""
    try:
        return judge_for(project)
    except (DatasetError, PictureError):
        return None


def judge_of_samples(root: Path) -> Callable[[Image.Image], float | None]:
    """What tells the likeness, 0 to 100, of pictures that a run paints. Raises what ``judge_for`` raises.

    The other people are those that were cut from the library before: a run never asks for its password.
    """
    judge = judge_for(Project(root))
    return lambda picture: judge.judge(picture).likeness


Known = tuple[tuple[str, int], ...]


def known_photos(project: Project) -> Known:
    """Which files a judge would look at, and when each was changed: as long as this stays, so does the judge."""
    images = [*project.dataset.glob("*/*"), *(project.cache / "people").glob("*/*.png")]
    return tuple(sorted((str(each), each.stat().st_mtime_ns) for each in images if each.is_file()))


def _photo(example: Example) -> tuple[Path, Box | None]:
    return example.image, example.face


def _look(identity: Identity, path: Path, box: Box | None = None) -> tuple[Looked, int]:
    """A photo's face and dHash."""
    try:
        with open_header(path) as image:
            picture = upright_srgb(image).convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"{path} can't be read", "build the dataset again") from error
    return identity.look(picture, box), dhash(picture, HASH_SIDE)


def _vectors(identity: Identity, paths: Sequence[Path]) -> Vectors:
    found = [vector for path in paths if (vector := _look(identity, path)[0].vector) is not None]
    return np.stack(found) if found else np.zeros((0, 0), np.float32)


def _least_apart(prints: Sequence[int]) -> int:
    """In how many bits the two that are most alike differ; all of them where there is only one."""
    apart = [(one ^ other).bit_count() for at, one in enumerate(prints) for other in prints[:at]]
    return min(apart, default=HASH_SIDE**2)
