"""What is left to chance in a step, drawn from the run's seed and the step's number alone. Needs torch.

It is drawn on the CPU and for the whole step at once, so that it is the same on every device, however the step's
images are shared out among passes and processes, and after every kill.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.settings import TrainingSettings
from engine.training.schedule import step_seed


@dataclass(frozen=True)
class Chance:
    """The chance of n images."""

    timesteps: torch.Tensor
    """[n], int64, on the CPU."""
    noises: torch.Tensor
    """[n, 4, h, w], unit variance, on the CPU."""
    dropped: tuple[bool, ...]
    """Which images see an empty caption."""

    def of(self, positions: Sequence[int]) -> Chance:
        """The chance of some of the images, by their places in the step."""
        index = list(positions)
        return Chance(self.timesteps[index], self.noises[index], tuple(self.dropped[each] for each in index))


def step_chance(settings: TrainingSettings, step: int, count: int, shape: Sequence[int], timesteps: int) -> Chance:
    """The chance of a step.

    Args:
        settings: the run's.
        step: counted from 1.
        count: images in it.
        shape: of one latent, (4, h, w).
        timesteps: how many the noise schedule has.
    """
    seed = step_seed(settings.seed, step)
    captions = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    return Chance(
        torch.randint(timesteps, (count,), generator=generator),
        torch.randn((count, *shape), generator=generator),
        tuple(captions.random() < settings.caption_dropout for _ in range(count)),
    )
