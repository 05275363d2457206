"""Which modules of a file are LoKr, and of what sizes, from its header. No torch.

LyCORIS' names (``lycoris/modules/lokr.py``): ``lokr_w1`` [a, b] or ``lokr_w1_a`` [a, rank] and ``lokr_w1_b`` [rank, b];
``lokr_w2`` [c, d], of a convolution [c, d, height, width], or ``lokr_w2_a`` [c, rank] and ``lokr_w2_b`` [rank,
d · height · width], or with Tucker's ``lokr_t2`` [rank, rank, height, width] ``lokr_w2_a`` [rank, c] and ``lokr_w2_b``
[rank, d].
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.kronecker import LokrShape, factorization

LEFT, RIGHT, THIRD = ".lokr_w1", ".lokr_w2", ".lokr_t2"
LEFT_PAIR, RIGHT_PAIR = (".lokr_w1_a", ".lokr_w1_b"), (".lokr_w2_a", ".lokr_w2_b")

SUFFIXES = (LEFT, *LEFT_PAIR, RIGHT, *RIGHT_PAIR, THIRD)
"""How the names of a module's tensors end."""

LARGEST_SIDE = 10_000_000
"""No linear has so many inputs; nobody is to look for the factors of more."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class LokrParts(LokrShape):
    """The matrices of one module of a file; ``right`` is [c, d · height · width]."""

    left_rank: int | None = None
    """Of w1's two matrices; None: w1 is whole."""
    tucker: bool = False
    """Whether w2 is made of three."""

    @property
    def size(self) -> tuple[int, int]:
        """Inputs and outputs of what it is for; of a convolution its inputs by its kernel."""
        return self.left[1] * self.right[1], self.left[0] * self.right[0]

    @property
    def whole(self) -> bool:
        """Whether both are, so that alpha says nothing."""
        return self.rank is None and self.left_rank is None

    @property
    def scaling_rank(self) -> int:
        """What alpha is divided by: w2's rank where both have one, 0 where none has."""
        return self.rank or self.left_rank or 0


def lokr_modules(shapes: Shapes) -> dict[str, LokrParts]:
    """Each module that has both its matrices, whole or in parts, by its name in the file."""
    names = dict.fromkeys(
        name.removesuffix(end) for end in (LEFT, LEFT_PAIR[0]) for name in shapes if name.endswith(end)
    )
    return {name: parts for name in names if (parts := _parts(shapes, name)) is not None}


def _parts(shapes: Shapes, name: str) -> LokrParts | None:
    third = shapes.get(name + THIRD)
    left, right = _sides(shapes, name, LEFT, LEFT_PAIR), _sides(shapes, name, RIGHT, RIGHT_PAIR)
    if left is None or right is None or (third is not None and len(third) < 2):
        return None
    (rows, columns, rank), tucker = right, third is not None and right[2] is not None
    if tucker and third is not None:
        first, second = (shapes[name + end] for end in RIGHT_PAIR)
        rows, columns, rank = first[1], second[1] * math.prod(third[2:]), first[0]
    return LokrParts((left[0], left[1]), (rows, columns), rank, left[2], tucker)


def _sides(shapes: Shapes, name: str, whole: str, pair: tuple[str, str]) -> tuple[int, int, int | None] | None:
    """Rows, columns and the rank of a matrix that is whole or made of two; None where there is none."""
    if (shape := shapes.get(name + whole)) is not None:
        return (shape[0], math.prod(shape[1:]), None) if len(shape) >= 2 else None
    first, second = (shapes.get(name + each) for each in pair)
    if first is None or second is None or len(first) < 2 or len(second) < 2:
        return None
    return first[0], math.prod(second[1:]), first[1]


def factor_of(modules: Iterable[LokrShape]) -> int | None:
    """The ``factor`` by which all of these were divided; None: there is none, or no module.

    Where a side has no such factor LyCORIS takes a smaller one: the largest that is seen is tried first.
    """
    shapes = {(each.left, each.right) for each in modules}
    if any(max(left[0] * right[0], left[1] * right[1]) > LARGEST_SIDE for left, right in shapes):
        return None
    seen = sorted({side for left, _ in shapes for side in left if side > 0}, reverse=True)
    return next(
        (factor for factor in (*seen[:8], -1) if shapes and all(_divides(*each, factor) for each in shapes)), None
    )


def _divides(left: tuple[int, int], right: tuple[int, int], factor: int) -> bool:
    sides = tuple(zip(left, right, strict=True))
    return all(
        one * other > 0 and sorted(factorization(one * other, factor)) == sorted((one, other)) for one, other in sides
    )


def network_args(factor: int) -> str:
    """LyCORIS' arguments as sd-scripts writes them, text as they are given to it."""
    return json.dumps({"algo": "lokr", "factor": str(factor)})
