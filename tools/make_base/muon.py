"""The optimizer Muon (https://kellerjordan.github.io/posts/muon/) in float32. Imports torch.

`torch.optim.Muon` computes in bfloat16, which is slow on CPUs without instructions for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FACTORS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration, as the source has them."""


def nearly_orthogonal(matrices: Tensor) -> Tensor:
    """Matrices [n, rows, columns] with their singular values brought near 1 by five iterations."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = FACTORS
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    made: Tensor = x.mT if tall else x
    return made


class Muon:
    """Momentum made orthogonal, for matrices that have gradients; those of the same shape are computed together."""

    def __init__(self, matrices: Sequence[nn.Parameter], momentum: float = 0.95, decay: float = 0.01) -> None:
        shapes = sorted({tuple(matrix.shape) for matrix in matrices})
        self.groups = [[matrix for matrix in matrices if tuple(matrix.shape) == shape] for shape in shapes]
        self.buffers = [torch.zeros(len(group), *group[0].shape) for group in self.groups]
        self.momentum, self.decay = momentum, decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move each matrix about as far as AdamW does with the same rate (https://arxiv.org/abs/2502.16982)."""
        for group, buffer in zip(self.groups, self.buffers, strict=True):
            gradient = torch.stack([matrix.grad for matrix in group if matrix.grad is not None])
            buffer.lerp_(gradient, 1 - self.momentum)
            moves = nearly_orthogonal(gradient.lerp(buffer, self.momentum))
            far = 0.2 * max(moves.shape[1:]) ** 0.5
            for matrix, move in zip(group, moves, strict=True):
                matrix.mul_(1 - rate * self.decay).add_(move, alpha=-rate * far)
