"""Which images a run sees, in which sizes and how often: decided from the examples and the settings. No torch."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import DatasetError
from engine.models.shape import BaseShape
from engine.settings import TrainingSettings
from engine.training.data.buckets import Size, bucket_for, resolution_of, step_of
from engine.training.data.examples import Example


@dataclass(frozen=True)
class TrainingItem:
    """What the plan and the order of a run know of one image."""

    bucket: int = 0
    """The number of its bucket."""
    repeats: int = 1
    """How often an epoch sees it. Of regularisation images: how often at most, compared with each other."""
    regularisation: bool = False
    """Whether it shows the class and not the person."""
    held_out: bool = False
    """Whether it is only looked at for the validation loss."""


@dataclass(frozen=True)
class TrainingSet:
    """The images of a run, each with what is known of it."""

    examples: tuple[Example, ...]
    seen: tuple[TrainingItem, ...]
    buckets: tuple[Size, ...]
    """Width and height in pixels, by number; the one with the most images first."""
    resolution: int
    """What the buckets were made for, pixels a side."""
    grain: int
    """What the base model's sizes are multiples of."""
    enlarged: int
    """How many images have fewer pixels than their bucket."""
    small: int
    """How many images got a bucket below the resolution, since nothing is enlarged."""

    def at(self, resolution: int) -> TrainingSet:
        """The same images in the same buckets, at another resolution."""
        if resolution == self.resolution:
            return self

        def side(length: int) -> int:
            return max(1, round(length * resolution / self.resolution / self.grain)) * self.grain

        sizes = tuple((side(width), side(height)) for width, height in self.buckets)
        return replace(self, buckets=sizes, resolution=resolution)

    def warnings(self) -> list[str]:
        """What a person should know before the run."""
        told = []
        if self.enlarged:
            told.append(f"{_images(self.enlarged)} smaller than trained on, enlarged: they teach their softness")
        if self.small:
            told.append(f"{_images(self.small)} small and trained smaller, since training.bucket_upscale is off")
        return told


def make_training_set(examples: Sequence[Example], settings: TrainingSettings, shape: BaseShape) -> TrainingSet:
    """Decides which images are held out, which bucket each goes into, and how often each is seen.

    Raises:
        DatasetError: an image can't be read, or as many are held out as there are.
        TrainingError: a resolution or a bucket step that the base model can't do.
    """
    used = [each for each in examples if settings.regularisation or not each.regularisation]
    resolution, step = resolution_of(settings, shape), step_of(settings, shape)
    real = [each.size() for each in used]
    if settings.buckets:
        fitted = [bucket_for(size, resolution, step, settings.bucket_upscale) for size in real]
    else:
        fitted = [(resolution, resolution)] * len(used)
    buckets = [size for size, _ in sorted(Counter(fitted).items(), key=lambda each: (-each[1], each[0]))]
    numbers = {size: number for number, size in enumerate(buckets)}
    held_out = _held_out(used, settings)
    seen = tuple(
        TrainingItem(numbers[size], each.repeats or settings.repeats, each.regularisation, number in held_out)
        for number, (each, size) in enumerate(zip(used, fitted, strict=True))
    )
    enlarged = sum(width < size[0] or height < size[1] for (width, height), size in zip(real, fitted, strict=True))
    small = sum(size[0] * size[1] < 0.75 * resolution * resolution for size in fitted) if settings.buckets else 0
    return TrainingSet(tuple(used), seen, tuple(buckets), resolution, shape.grain, enlarged, small)


def _held_out(examples: Sequence[Example], settings: TrainingSettings) -> frozenset[int]:
    """The numbers of the images that are held out: another seed, other images."""
    candidates = [number for number, each in enumerate(examples) if not each.regularisation]
    wanted = (
        settings.validation_split if settings.validation_split >= 1 else settings.validation_split * len(candidates)
    )
    count = round(wanted) if wanted >= 1 else int(wanted > 0)
    if count >= len(candidates) > 0 and count:
        raise DatasetError(
            f"training.validation_split takes {count} of {len(candidates)} images, and none is left to train on",
            "lower it, or add images",
        )
    return frozenset(random.Random(f"{settings.seed}/held out").sample(candidates, count))


def _images(count: int) -> str:
    return f"{count} image is" if count == 1 else f"{count} images are"
