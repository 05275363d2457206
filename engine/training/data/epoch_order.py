"""What a run does when: the order of the images, and the learning rate of each step. Pure arithmetic.

Both depend on nothing but the settings and the number of the epoch or step, so that a run that is resumed goes on
exactly as if it had never stopped.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

from engine.settings import Schedule, TrainingSettings
from engine.training.data.training_set import TrainingItem


def epoch_counts(seen: Sequence[TrainingItem]) -> dict[int, int]:
    """How many images of each bucket an epoch sees; the same in every epoch.

    Regularisation images are as many as images of the person, spread over the buckets as they lie there.
    """
    person: Counter[int] = Counter()
    others: Counter[int] = Counter()
    for each in seen:
        if not each.held_out:
            (others if each.regularisation else person)[each.bucket] += each.repeats
    quotas = _apportion(person.total(), others)
    return {bucket: person[bucket] + quotas[bucket] for bucket in sorted(person | others)}


def epoch_batches(seen: Sequence[TrainingItem], batch: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of an epoch, as indexes of images: each image ``repeats`` times, in an order of its own.

    A batch holds images of one bucket; of each bucket the last may be smaller. Where there are more regularisation
    images than an epoch needs, the next epoch goes on with the next ones; where there are fewer, they come again.

    Args:
        seen: what is known of each image.
        batch: images a step.
        seed: the run's seed.
        epoch: the epoch's number, from 1.
    """
    randomness = random.Random(f"{seed}/{epoch}")
    person: dict[int, list[int]] = {}
    others: dict[int, list[int]] = {}
    for index, each in enumerate(seen):
        if not each.held_out:
            (others if each.regularisation else person).setdefault(each.bucket, []).extend([index] * each.repeats)
    quotas = _apportion(sum(map(len, person.values())), Counter({key: len(each) for key, each in others.items()}))
    batches: list[list[int]] = []
    for bucket in sorted(person.keys() | others.keys()):
        order = person.get(bucket, []) + _turn(others.get(bucket, []), quotas[bucket], epoch, f"{seed}/{bucket}")
        randomness.shuffle(order)
        batches += [order[start : start + batch] for start in range(0, len(order), batch)]
    if len(person.keys() | others.keys()) > 1:
        randomness.shuffle(batches)
    return batches


def _turn(images: list[int], count: int, epoch: int, seed: str) -> list[int]:
    """The ``count`` images whose turn it is in an epoch, going round through all of them."""
    if not images:
        return []
    order = list(images)
    random.Random(f"{seed}/regularisation").shuffle(order)
    first = (epoch - 1) * count
    return [order[(first + number) % len(order)] for number in range(count)]


def _apportion(total: int, shares: Counter[int]) -> Counter[int]:
    """``total`` spread over the shares' keys in their proportion, by largest remainders."""
    whole = shares.total()
    if not whole:
        return Counter()
    parts = Counter({key: total * share // whole for key, share in shares.items()})
    by_remainder = sorted(shares, key=lambda key: (-(total * shares[key] % whole), key))
    parts.update(by_remainder[: total - parts.total()])
    return parts


def learning_rate(settings: TrainingSettings, step: int, steps: int) -> float:
    """The learning rate of a step: a linear rise over the warm-up, then the schedule down to 0 (or level).

    Args:
        settings: the training settings.
        step: counted from 1.
        steps: how many there are in all.
    """
    warmup = round(settings.lr_warmup * steps)
    if step <= warmup:
        return settings.learning_rate * step / warmup
    share = (step - 1 - warmup) / max(1, steps - warmup)
    match settings.lr_scheduler:
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
