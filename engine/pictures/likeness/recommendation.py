"""Which checkpoint to paint with: the earliest that is as like the person as the best, and at which strength.

"As like" means within the noise: had other seeds been painted, the two might have changed places. How much medians
change with the seeds is told by drawing the pictures again and again from those that there are (Efron's bootstrap,
1979), the same prompts and seeds for both, so that what a seed does to all checkpoints does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import PictureError
from engine.pictures.likeness.scores import PictureScore, Recommended, Score

DRAWS = 1000
SEED = 0
"""The same pictures always lead to the same advice."""

ONE_SIDED = 1.645
"""Standard deviations within which 95 of 100 differences lie that are none."""

LEAST_NOISE = 1.0
"""Likeness closer than this is alike, however sure the numbers are."""
MOST_NOISE = 10.0
"""Further apart is not alike, however few pictures there are."""

FEWEST_SEEDS = 2
"""What one seed says of a checkpoint, another may say the opposite of."""

MANY_COPIES = 0.25
"""The share of pictures that may repeat training images before a checkpoint is not recommended, if there is another."""


def score(checkpoint: str, strength: float, pictures: Sequence[PictureScore]) -> Score:
    """One checkpoint at one strength, from its pictures, at least one."""
    cosines = [each.cosine for each in pictures if each.cosine is not None]
    values = [each.value for each in pictures if each.value is not None]
    faceless = sum(each.problem == "no face" for each in pictures)
    compared = [each for each in pictures if each.nearest is not None]
    return Score(
        checkpoint=checkpoint,
        strength=strength,
        median=float(np.median(cosines)) if cosines else None,
        spread=_quartiles_apart(cosines),
        likeness=float(np.median(values)) if values else None,
        likeness_spread=_quartiles_apart(values),
        no_face=faceless / len(pictures),
        not_scorable=sum(each.problem is not None for each in pictures) - faceless,
        copies=sum(each.copy_of is not None for each in pictures),
        rank_1=sum(each.nearest == "" for each in compared) / len(compared) if compared else None,
        pictures=tuple(pictures),
    )


def recommend(scores: Sequence[Score], base: Score | None = None) -> Recommended:
    """The earliest checkpoint, at its lowest strength, within the noise of the closest match.

    Args:
        scores: by checkpoint in the order of training.
        base: the base model's, to be told beside it.

    Raises:
        PictureError: no picture of any of them shows a face that can be compared.
    """
    usable = [each for each in scores if each.likeness is not None and each.median is not None]
    if not usable:
        fix = "look at the pictures; paint with more steps, or other prompts"
        raise PictureError("none of the pictures shows a face that can be measured", fix)
    own = [each for each in usable if each.copies <= MANY_COPIES * len(each.pictures)] or usable
    best = max(own, key=lambda each: each.likeness or 0.0)
    alike = [each for each in own if _behind(best, each) <= _noise(best, each)]
    first = alike[0].checkpoint
    chosen = min((each for each in alike if each.checkpoint == first), key=lambda each: each.strength)
    if (against := _against(best, base)) is not None:
        return Recommended(best.checkpoint, best.strength, against, advised=False)
    return Recommended(chosen.checkpoint, chosen.strength, _why(chosen, best, base, len(own) < len(usable)))


def _against(best: Score, base: Score | None) -> str | None:
    """Why nothing is recommended, not even the closest match; None where something is."""
    likeness = best.likeness or 0.0
    if round(likeness) <= 0:
        return "its likeness is 0 of 100: not recognisable, train longer or look at the pictures"
    seeds = {each.seed for each in best.pictures}
    if len(seeds) < FEWEST_SEEDS:
        return f"one seed is too little to judge a checkpoint by ({likeness:.0f} of 100): give --seeds 4"
    if base is not None and base.likeness is not None and likeness <= base.likeness:
        return f"its likeness is {likeness:.0f} of 100, and {base.likeness:.0f} without any LoRA: train longer"
    return None


def _why(chosen: Score, best: Score, base: Score | None, copied: bool) -> str:
    why = f"likeness {chosen.likeness:.0f} of 100"
    if base is not None and base.likeness is not None:
        why += f", {base.likeness:.0f} without the LoRA"
    if chosen is best:
        why += "; nothing earlier or weaker comes close"
    else:
        name = Path(best.checkpoint).stem
        why += (
            f"; the closest match, {name} at {best.strength:g}, has {best.likeness:.0f}: within the noise of"
            f" {_noise(best, chosen):.0f}, and less training leaves more to the prompt"
        )
    return why + ("; those that repeat training images are left out" if copied else "")


def _behind(best: Score, other: Score) -> float:
    return (best.likeness or 0.0) - (other.likeness or 0.0)


def _noise(best: Score, other: Score) -> float:
    """How far two scores may lie apart and be alike, in points of likeness."""
    if best is other:
        return LEAST_NOISE
    both = _paired(best, other)
    draws = np.random.default_rng(SEED).integers(0, both.shape[1], (DRAWS, both.shape[1]))
    medians = np.median(both[:, draws], axis=2)
    spread = float(np.std(medians[0] - medians[1]))
    return min(MOST_NOISE, max(LEAST_NOISE, ONE_SIDED * spread))


def _paired(one: Score, other: Score) -> NDArray[np.float64]:
    """[2, n]: the likeness of the same prompts and seeds. Where a picture has none, the score's median stands in."""
    tables = [{(each.prompt, each.seed): each.value for each in score.pictures} for score in (one, other)]
    keys = [key for key in tables[0] if key in tables[1]] or list(tables[0])
    rows = []
    for table, score_ in zip(tables, (one, other), strict=True):
        found = [table.get(key) for key in keys]
        rows.append([score_.likeness or 0.0 if each is None else each for each in found])
    return np.asarray(rows)


def _quartiles_apart(values: Sequence[float]) -> float | None:
    if not values:
        return None
    first, third = np.quantile(values, (0.25, 0.75))
    return float(third - first)
