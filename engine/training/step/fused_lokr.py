"""A linear with its LoKr, without ever making ΔW. Needs torch and peft.

peft makes ΔW = w1 ⊗ w2 whole at each pass: another weight as large as the frozen one, kept for the backward pass, and
a product with all of it three times. Here the input is taken as a matrix X of [b, d], and (w1 ⊗ w2) x is w1 · X · w2ᵀ:
a LoRA's arithmetic and memory (https://en.wikipedia.org/wiki/Kronecker_product#Matrix_equations).
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lokr.layer import Linear

from engine.kronecker import LokrShape
from engine.training.step.fused_lora import ADAPTER, ONLY


class FusedLokrLinear(Linear):  # type: ignore[misc]
    """peft's linear with one LoKr; whatever else peft can do with it is done by peft."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The linear's output, the LoKr's part added. Nothing is left out by chance, as peft's drawing does."""
        if args or kwargs or self.disable_adapters or self.merged or self.active_adapters != ONLY:
            found: torch.Tensor = super().forward(x, *args, **kwargs)
            return found
        out: torch.Tensor = self.base_layer(x)
        w1 = self.lokr_w1[ADAPTER]
        # [..., b, d]: w1 mixes the b, w2 makes c of the d.
        cut = x.reshape(*x.shape[:-1], w1.shape[1], -1)
        if ADAPTER not in self.lokr_w2:
            mixed = w1 @ (cut @ self.lokr_w2_b[ADAPTER].t()) @ self.lokr_w2_a[ADAPTER].t()
        else:
            w2 = self.lokr_w2[ADAPTER]
            shape = LokrShape(tuple(w1.shape), tuple(w2.shape), None)
            mixed = (w1 @ cut) @ w2.t() if shape.left_first else w1 @ (cut @ w2.t())
        return out.add(mixed.flatten(-2), alpha=self.scaling[ADAPTER])


def make_lean(model: Any) -> None:
    """Lets a model's linears compute their LoKr so."""
    for each in model.modules():
        if type(each) is Linear and ADAPTER in each.lokr_w1 and type(each.base_layer) is torch.nn.Linear:
            each.__class__ = FusedLokrLinear
