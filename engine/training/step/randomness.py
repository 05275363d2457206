"""All random draws of a step, from the run's seed and the step's number alone. Needs torch.

They are drawn on the CPU and for the whole step at once, so that they are the same on every device, however the step's
images are shared out among passes and processes, and after every kill.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from engine.settings import TrainingSettings
from engine.training.data.epoch_order import step_seed

Draw = Callable[[int, torch.Generator, Sequence[int]], torch.Tensor]

ORDERS = 1 << 20
"""A caption's order is drawn below it; far more than there are, so that each is as likely."""


@dataclass(frozen=True)
class StepRandomness:
    """The random draws of n images."""

    timesteps: torch.Tensor
    """[n], as the base model's noise has them; drawn on the CPU."""
    noises: torch.Tensor
    """[n, c, h, w], unit variance (and the noise offset, if there is one); drawn on the CPU."""
    dropped: tuple[bool, ...]
    """Which images see an empty caption."""
    orders: tuple[int, ...]
    """Which order of its caption's parts each image sees; any numbers, taken round those that there are."""

    def of(self, positions: Sequence[int]) -> StepRandomness:
        """Those of some of the images, by their places in the step."""
        index = list(positions)
        if index == list(range(len(self.dropped))):
            return self
        return StepRandomness(
            self.timesteps[index],
            self.noises[index],
            tuple(self.dropped[each] for each in index),
            tuple(self.orders[each] for each in index),
        )

    def to(self, device: str) -> StepRandomness:
        """The same on a device. To a card it travels from pinned memory, so that the CPU does not wait for it."""
        if device == "cpu":
            return self
        timesteps, noises = (
            (each.pin_memory() if device == "cuda" else each).to(device, non_blocking=True)
            for each in (self.timesteps, self.noises)
        )
        return replace(self, timesteps=timesteps, noises=noises)


def step_randomness(
    settings: TrainingSettings, step: int, count: int, shape: Sequence[int], draw: Draw
) -> StepRandomness:
    """The random draws of a step.

    Args:
        settings: the run's.
        step: counted from 1.
        count: images in it.
        shape: of one latent, (c, h, w).
        draw: the noise's: times for so many images of a shape.
    """
    seed = step_seed(settings.seed, step)
    captions = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    at = draw(count, generator, shape)
    noises = torch.randn((count, *shape), generator=generator)
    if settings.noise_offset:
        # https://www.crosslabs.org/blog/diffusion-with-offset-noise
        noises += settings.noise_offset * torch.randn((count, shape[0], 1, 1), generator=generator)
    dropped = tuple(captions.random() < settings.caption_dropout for _ in range(count))
    return StepRandomness(at, noises, dropped, tuple(captions.randrange(ORDERS) for _ in range(count)))
