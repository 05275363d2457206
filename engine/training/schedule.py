"""What a run does when: the order of the images, and the learning rate of each step. Pure arithmetic.

Both depend on nothing but the settings and the number of the epoch or step, so that a run that is resumed goes on
exactly as if it had never stopped.
"""

from __future__ import annotations

import math
import random

from engine.settings import Schedule, TrainingSettings


def epoch_batches(images: int, repeats: int, batch: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, as indexes of images: each image ``repeats`` times, in an order of its own.

    Args:
        images: how many there are.
        repeats: how often each comes.
        batch: images a step; the last batch may be smaller.
        seed: the run's seed.
        epoch: the epoch's number.
    """
    order = [index for index in range(images) for _ in range(repeats)]
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [order[start : start + batch] for start in range(0, len(order), batch)]


def learning_rate(settings: TrainingSettings, step: int, steps: int) -> float:
    """The learning rate of a step: a linear rise over the warm-up, then the schedule down to 0 (or level).

    Args:
        settings: the training settings.
        step: counted from 1.
        steps: how many there are in all.
    """
    warmup = round(settings.warmup * steps)
    if step <= warmup:
        return settings.learning_rate * step / warmup
    share = (step - 1 - warmup) / max(1, steps - warmup)
    match settings.schedule:
        case Schedule.CONSTANT:
            factor = 1.0
        case Schedule.LINEAR:
            factor = 1 - share
        case Schedule.COSINE:
            factor = 0.5 * (1 + math.cos(math.pi * share))
    return settings.learning_rate * factor


def step_seed(seed: int, step: int) -> int:
    """The seed of one step's noise, timesteps and caption dropout, different for each step and run."""
    return random.Random(f"{seed}/step/{step}").getrandbits(63)
