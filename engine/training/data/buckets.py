"""Aspect buckets: the few sizes that a dataset's images are brought to, so that those of one step fit together.

As kohya's trainer does it (sd-scripts ``library/model_util.py``, ``make_bucket_resolutions``; NovelAI,
https://blog.novelai.net/novelai-improvements-on-stable-diffusion-e10d38db82ac): sides in steps, no more pixels than the
resolution's square, the size whose shape is nearest. Pure arithmetic.
"""

from __future__ import annotations

import math

from engine.errors import TrainingError
from engine.models.shape import BaseShape
from engine.settings import TrainingSettings

Size = tuple[int, int]
"""Width and height in pixels."""

LONGEST = 2
"""A bucket's longer side is at most so many times the resolution, its shorter one at least half of it."""


def resolution_of(settings: TrainingSettings, shape: BaseShape) -> int:
    """The resolution of a run: as set, else what the base model was made for.

    Raises:
        TrainingError: one that this base model can't do.
    """
    resolution = settings.resolution or shape.resolution
    if resolution % shape.grain:
        raise TrainingError(
            f"training.resolution {resolution} is invalid", f"this base model needs a multiple of {shape.grain}"
        )
    return resolution


def step_of(settings: TrainingSettings, shape: BaseShape) -> int:
    """By how much the sides of buckets differ: as set, else a sixteenth of the resolution (64 at 1024).

    Raises:
        TrainingError: a step that this base model can't do.
    """
    if settings.bucket_step is None:
        return max(1, round(resolution_of(settings, shape) / 16 / shape.grain)) * shape.grain
    if settings.bucket_step % shape.grain:
        raise TrainingError(
            f"training.bucket_step {settings.bucket_step} is invalid",
            f"this base model needs a multiple of {shape.grain}",
        )
    return settings.bucket_step


def bucket_sizes(resolution: int, step: int) -> list[Size]:
    """Every bucket of a resolution, its square among them, by width.

    Args:
        resolution: pixels a side of the square.
        step: pixels by which sides differ; also the unit that every side but the square's is a multiple of.
    """
    area, least = resolution * resolution, max(step, math.ceil(resolution / LONGEST / step) * step)
    sizes = {(resolution, resolution)}
    for width in range(least, resolution * LONGEST + 1, step):
        height = min(area // width, resolution * LONGEST) // step * step
        if height >= least:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)


def bucket_for(size: Size, resolution: int, step: int, upscale: bool = True) -> Size:
    """The bucket of an image.

    Args:
        size: the upright image's width and height.
        resolution: pixels a side of the square.
        step: pixels by which sides differ.
        upscale: whether an image with fewer pixels is enlarged; else its bucket is its own size, rounded down.
    """
    width, height = size
    shape = math.log(width / height)
    near = min(
        bucket_sizes(resolution, step), key=lambda each: (abs(math.log(each[0] / each[1]) - shape), -each[0] * each[1])
    )
    if upscale or (width >= near[0] and height >= near[1]):
        return near
    # Not more pixels than the bucket has, and not enlarged.
    scale = min(1.0, math.sqrt(near[0] * near[1] / (width * height)))
    return (max(step, int(width * scale) // step * step), max(step, int(height * scale) // step * step))
