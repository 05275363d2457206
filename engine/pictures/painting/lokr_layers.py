"""A LoKr's part on a layer of a model, computed without ever making ΔW. Needs torch.

(w1 ⊗ w2) x is w1 · X · w2ᵀ, with the input x as a matrix X of [b, d]; of a convolution w2 is one itself, and w1 mixes
its groups of channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from engine.lora.lokr import Lokr


class LayerLokr:
    """A LoKr's part on one layer, as the layer needs it.

    Args:
        lokr: the part.
        layer: a linear or a convolution.

    Raises:
        ValueError: it does not fit the layer.
    """

    def __init__(self, lokr: Lokr, layer: Any) -> None:
        weight = layer.weight
        kernel, ((_, b), (_, columns)) = tuple(weight.shape[2:]), lokr.sizes
        wanted = math.prod(weight.shape[1:])
        if b * columns != wanted or columns % math.prod(kernel):
            raise ValueError(f"{b * columns} inputs instead of {wanted}")
        if lokr.outputs != weight.shape[0]:
            raise ValueError(f"{lokr.outputs} outputs instead of {weight.shape[0]}")
        # Tucker's three are one from here on.
        matrices = [lokr.right()] if len(lokr.w2) != 2 else [lokr.w2[1].flatten(1), lokr.w2[0]]
        self.scale, self.rows = lokr.scale, lokr.rows
        self.left = lokr.left().to(weight).contiguous()
        first = matrices[0].reshape(matrices[0].shape[0], -1, *kernel)
        second = [each.reshape(*each.shape, *[1] * len(kernel)) for each in matrices[1:]]
        self.right = [each.to(weight).contiguous() for each in (first, *second)]
        """w2, or its two matrices in the order in which an input goes through them."""

    def added(self, layer: Any, x: torch.Tensor, _out: torch.Tensor) -> torch.Tensor:
        """What strength 1 adds to a layer's output.

        Args:
            layer: the layer.
            x: its input.
        """
        if self.left.device != x.device:
            # The model went to the card when it was used, or off it.
            self.left, self.right = self.left.to(x.device), [each.to(x.device) for each in self.right]
        whole = self._of_linear(x) if layer.weight.dim() == 2 else self._of_convolution(layer, x)
        if self.rows is not None:
            whole = whole[..., slice(*self.rows)] if layer.weight.dim() == 2 else whole[:, slice(*self.rows)]
        return whole * self.scale

    def _of_linear(self, x: torch.Tensor) -> torch.Tensor:
        cut = x.reshape(*x.shape[:-1], self.left.shape[1], -1)
        mixed = self.left @ F.linear(cut, self.right[0])
        for each in self.right[1:]:
            mixed = F.linear(mixed, each)
        return mixed.flatten(-2)

    def _of_convolution(self, layer: Any, x: torch.Tensor) -> torch.Tensor:
        groups = self.left.shape[1]
        low = F.conv2d(
            x.reshape(x.shape[0] * groups, -1, *x.shape[2:]),
            self.right[0],
            None,
            layer.stride,
            layer.padding,
            layer.dilation,
        )
        mixed = self.left @ low.reshape(x.shape[0], groups, -1)
        mixed = mixed.reshape(-1, low.shape[1], *low.shape[2:])
        for each in self.right[1:]:
            mixed = F.conv2d(mixed, each)
        return mixed.reshape(x.shape[0], -1, *low.shape[2:])
