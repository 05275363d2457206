"""The orders that a caption's parts come in. Pure text.

A caption is parts between commas. Those at its beginning stay there: as many as ``keep_tokens`` says, or all before a
``|||`` (kohya sd-scripts, ``library/train_util.py``, ``process_caption``). Each order is encoded once before the run,
so there is a bounded number of them.
"""

from __future__ import annotations

import math
import random

from engine.settings import TrainingSettings

SEPARATOR = "|||"
"""Divides the parts that stay from those that are shuffled; it is never seen by the model."""


def as_written(caption: str) -> str:
    """The caption without the separator."""
    if SEPARATOR not in caption:
        return caption
    return ", ".join(part for side in caption.split(SEPARATOR) for part in _parts(side))


def orders(caption: str, settings: TrainingSettings) -> list[str]:
    """The orders that a run sees a caption in, all different, the one that was written first.

    They come from the run's seed and the caption alone.
    """
    if not settings.caption_shuffle:
        return [as_written(caption)]
    fixed, loose = _divided(caption, settings.keep_tokens)
    found = {as_written(caption): None}
    randomness = random.Random(f"{settings.seed}/{caption}")
    # As many as there can be, where that is fewer; parts that come twice give fewer still.
    wanted = min(settings.caption_variants, math.factorial(min(len(loose), 8)))
    for _ in range(20 * wanted):
        if len(found) >= wanted:
            break
        randomness.shuffle(loose)
        found[", ".join([*fixed, *loose])] = None
    return list(found)


def _divided(caption: str, keep: int) -> tuple[list[str], list[str]]:
    if SEPARATOR in caption:
        # A second separator begins a part that stays at the end in kohya's trainer; here it only goes.
        fixed, _, loose = caption.partition(SEPARATOR)
        return _parts(fixed), _parts(loose.replace(SEPARATOR, ","))
    parts = _parts(caption)
    return parts[:keep], parts[keep:]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
