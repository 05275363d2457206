"""The loss on held-out images: always the same noise at the same timesteps, so that it moves only with the LoRA.

It is weighed as the training loss is, so that the two compare: where this one rises while the other falls, the images
are learnt by heart. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from engine.training.data.batch import Batch
from engine.training.data.tensors import TrainingData
from engine.training.planning.cadence import HELD_OUT_TIMESTEPS
from engine.training.step.randomness import StepRandomness

SEED = 1_000_003
"""Of the noise, the same for every run, so that runs compare; no step draws from it."""


def validation_batches(
    data: TrainingData, spread: Callable[[int, Sequence[int]], torch.Tensor], most: int, images: int | None = None
) -> Iterator[tuple[Batch, StepRandomness]]:
    """What is looked at after an epoch: each held-out image with its caption at ``HELD_OUT_TIMESTEPS`` timesteps.

    Args:
        data: on its device.
        spread: the noise's: so many times, evenly spread, for images of a shape.
        most: how many fit into one pass.
        images: only the first of them; None: all.
    """
    held_out = [number for number, each in enumerate(data.seen) if each.held_out]
    for image in held_out[:images]:
        noises = torch.randn(
            (HELD_OUT_TIMESTEPS, *data.shape(image)), generator=torch.Generator().manual_seed(SEED + image)
        )
        at = spread(HELD_OUT_TIMESTEPS, data.shape(image))
        for start in range(0, HELD_OUT_TIMESTEPS, most):
            part = slice(start, min(start + most, HELD_OUT_TIMESTEPS))
            count = part.stop - start
            randomness = StepRandomness(at[part], noises[part], (False,) * count, (0,) * count)
            yield data.batch([image] * count, randomness.dropped, randomness.orders), randomness
