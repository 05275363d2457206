"""One LoRA for linears that are one in some files (q, k and v), taken apart and put together. Needs torch.

Put together, ΔW is the three's, one above the other: with one A and the three B one above the other where all share
their A; else with the three A one above the other and B block-diagonal, so that each keeps its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

Matrices = tuple[torch.Tensor, torch.Tensor]
"""down [rank, inputs] and up [outputs, rank]."""


def taken_apart(down: torch.Tensor, up: torch.Tensor, count: int) -> list[Matrices]:
    """Each linear's own matrices: its rows of ``up``, and of the ranks only its own where ``up`` is block-diagonal.

    Raises:
        ValueError: the outputs can't be shared out.
    """
    if up.shape[0] % count or not up.shape[0]:
        raise ValueError(f"{up.shape[0]} outputs are no {count} linears' of one size")
    rows = up.chunk(count)
    ranks = _own_ranks([(each != 0).any(dim=0) for each in rows])
    if ranks is None:
        return [(down, each.contiguous()) for each in rows]
    return [(down[own].contiguous(), each[:, own].contiguous()) for own, each in zip(ranks, rows, strict=True)]


def _own_ranks(used: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
    """The ranks that each linear has for itself; None where two share one."""
    rank, count = len(used[0]), len(used)
    if rank % count == 0 and rank:
        share = torch.arange(rank) // (rank // count)
        equal = [share == number for number in range(count)]
        if not any((each & ~own).any() for each, own in zip(used, equal, strict=True)):
            return equal
    if (torch.stack(list(used)).sum(dim=0) > 1).any() or not all(each.any() for each in used):
        return None
    return list(used)


def put_together(parts: Sequence[Matrices | None]) -> Matrices:
    """The matrices of one linear that does what these do, one above the other; None: its ΔW is 0.

    Raises:
        ValueError: they read inputs of different widths, or give outputs of different ones.
    """
    there = [each for each in parts if each is not None]
    if len({down.shape[1:] for down, _ in there}) != 1 or len({up.shape[0] for _, up in there}) != 1:
        raise ValueError("linears of different sizes")
    first = there[0][0]
    if len(there) == len(parts) and all(torch.equal(first, down) for down, _ in there):
        return first, torch.cat([up for _, up in there])
    outputs = there[0][1].shape[0]
    ups = [torch.zeros(outputs, 0) if each is None else each[1] for each in parts]
    joined = torch.cat([up for _, up in there], dim=1)
    whole = torch.zeros(outputs * len(ups), joined.shape[1], dtype=joined.dtype)
    rank = 0
    for number, up in enumerate(ups):
        whole[number * outputs : (number + 1) * outputs, rank : rank + up.shape[1]] = up
        rank += up.shape[1]
    return torch.cat([down for down, _ in there]), whole
