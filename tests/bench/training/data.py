"""Random data to take steps with."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.training.data.tensors import TrainingData

IMAGES, CAPTIONS = 8, 3


def random_data(
    latent: tuple[int, ...], texts: Mapping[str, tuple[int, ...]], image: Mapping[str, torch.Tensor]
) -> TrainingData:
    """Eight images of one bucket and three captions.

    Args:
        latent: its shape, (c, h, w).
        texts: what the denoiser sees of a caption: names, and shapes without the number of captions.
        image: what it is told of an image, the same of each.
    """
    return TrainingData(
        latents=(torch.randn(IMAGES, *latent),),
        masks=(),
        bucket=torch.zeros(IMAGES, dtype=torch.int64),
        row=torch.arange(IMAGES),
        repeats=torch.ones(IMAGES, dtype=torch.int64),
        regularisation=torch.zeros(IMAGES, dtype=torch.bool),
        held_out=torch.zeros(IMAGES, dtype=torch.bool),
        captions=torch.zeros(IMAGES, 1, dtype=torch.int64),
        image={name: each.expand(IMAGES, *each.shape).clone() for name, each in image.items()},
        text={name: torch.randn(CAPTIONS, *shape) for name, shape in texts.items()},
        tokens=None,
    )
