"""Into which matrices LoKr divides a linear's weight, and how many numbers a network trains. No torch.

ΔW = w1 ⊗ w2: a small matrix [a, b] and a larger one [c, d] make one of [a·c, b·d]. Sources: LyCORIS
``lycoris/functional/general.py`` and ``lycoris/modules/lokr.py``, peft ``tuners/lokr/layer.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Linears = Mapping[tuple[int, int], int]
"""(inputs, outputs) to how many linears have that size."""


def factorization(dimension: int, factor: int) -> tuple[int, int]:
    """Two factors of a side: ``factor`` and the rest where it divides the side, else two near each other.

    As peft has it; LyCORIS has the smaller one first also where ``factor`` is more than the side's square root.

    Args:
        dimension: the side, 1 or more.
        factor: 1 or more: the first one is at most so much; -1: without such a limit.
    """
    if factor > 0 and dimension % factor == 0:
        return factor, dimension // factor
    most = math.isqrt(dimension)
    first = next(each for each in range(most if factor < 0 else min(factor, most), 0, -1) if dimension % each == 0)
    return first, dimension // first


@dataclass(frozen=True)
class LokrShape:
    """The matrices of one linear."""

    left: tuple[int, int]
    """w1, [a, b]; it is always whole."""
    right: tuple[int, int]
    """w2, [c, d]."""
    rank: int | None
    """Of w2's two matrices, [c, rank] and [rank, d]; None: w2 is whole."""

    @property
    def weights(self) -> int:
        """How many numbers are trained."""
        (a, b), (c, d) = self.left, self.right
        return a * b + (c * d if self.rank is None else self.rank * (c + d))

    @property
    def multiplications(self) -> int:
        """Of a token: w1 between the two matrices of w2, or before or after the whole of it."""
        (a, b), (c, d) = self.left, self.right
        if self.rank is not None:
            return self.rank * (b * d + a * b + a * c)
        return a * d * (b + c) if self.left_first else b * c * (d + a)

    @property
    def kept(self) -> int:
        """Numbers that are kept of a token for the backward pass, besides the linear's input."""
        (a, b), (c, d) = self.left, self.right
        return self.rank * (a + b) if self.rank is not None else min(a * d, b * c)

    @property
    def left_first(self) -> bool:
        """Whether w1 comes before a w2 that is whole: what is between the two is smaller so."""
        (a, b), (c, d) = self.left, self.right
        return a * d < b * c


def lokr_shape(inputs: int, outputs: int, rank: int, factor: int) -> LokrShape:
    """The matrices of a linear: w2 is whole where the rank is half its longer side or more.

    Args:
        inputs: of the linear.
        outputs: of the linear.
        rank: what w2 is to have.
        factor: what the sides are divided by, as in ``factorization``.
    """
    (a, c), (b, d) = factorization(outputs, factor), factorization(inputs, factor)
    return LokrShape((a, b), (c, d), rank if 2 * rank < max(c, d) else None)


def trained_weights(linears: Linears, rank: int, factor: int | None) -> int:
    """How many numbers a network on these linears trains.

    Args:
        linears: their sizes.
        rank: the network's.
        factor: a LoKr's; None: a LoRA.
    """
    if factor is None:
        return rank * _of_rank_1(linears)
    return sum(lokr_shape(*size, rank, factor).weights * count for size, count in linears.items())


def rank_alike(linears: Linears, rank: int, factor: int | None) -> float:
    """The rank of the LoRA that has as much arithmetic as a network on these linears. Arguments as above."""
    if factor is None:
        return rank
    own = sum(lokr_shape(*size, rank, factor).multiplications * count for size, count in linears.items())
    return own / _of_rank_1(linears)


def kept_besides(linears: Linears, rank: int, factor: int | None) -> int:
    """Numbers that a LoKr keeps of a token more than a LoRA of its rank does. Arguments as above."""
    if factor is None:
        return 0
    return sum((lokr_shape(*size, rank, factor).kept - rank) * count for size, count in linears.items())


def _of_rank_1(linears: Linears) -> int:
    return sum((inputs + outputs) * count for (inputs, outputs), count in linears.items())
