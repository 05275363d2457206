"""A linear with its LoRA, computed in as few kernels as it takes. Needs torch and peft.

peft writes y = Wx + s·B(Ax) as five kernels forward and eight or nine back, most of which only pass over large tensors
to scale and add. Here the matrix products do that themselves: three forward, five back, and nothing else is kept.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

ADAPTER = "limner"
"""The adapter's name inside the model."""

ONLY = [ADAPTER]
"""What is active where nobody has put another LoRA beside it."""


class FusedLoraLinear(Linear):  # type: ignore[misc]
    """peft's linear with one LoRA; whatever else peft can do with it is done by peft."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The linear's output, the LoRA's part added."""
        if args or kwargs or self.disable_adapters or self.merged or self.active_adapters != ONLY:
            found: torch.Tensor = super().forward(x, *args, **kwargs)
            return found
        base, down, up = self.base_layer, self.lora_A[ADAPTER].weight, self.lora_B[ADAPTER].weight
        return _Adapted.apply(x, base.weight, base.bias, down, up, self.scaling[ADAPTER])  # type: ignore[no-untyped-call, no-any-return]


def make_lean(model: Any) -> None:
    """Lets a model's linears compute their LoRA so; those with dropout or another adapter stay as they are."""
    for each in model.modules():
        if type(each) is not Linear or list(each.lora_A) != [ADAPTER] or each.lora_variant:
            continue
        if type(each.base_layer) is torch.nn.Linear and isinstance(each.lora_dropout[ADAPTER], torch.nn.Identity):
            each.__class__ = FusedLoraLinear


class _Adapted(torch.autograd.Function):
    """x [..., inputs] to [..., outputs]; W and its bias are frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        low = rows @ down.t()
        # Multiplied, scaled and added at once.
        out = linear(rows, weight, bias).addmm_(low, up.t(), alpha=scale)
        ctx.save_for_backward(rows, low, weight, down, up)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], out.shape[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, low, weight, down, up = ctx.saved_tensors
        of_out = gradient.reshape(-1, gradient.shape[-1])
        of_low = of_out @ up
        # With beta 0 the first argument gives no more than a shape.
        of_up = torch.addmm(up, of_out.t(), low, beta=0, alpha=ctx.scale)
        of_down = torch.addmm(down, of_low.t(), rows, beta=0, alpha=ctx.scale)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (of_out @ weight).addmm_(of_low, down, alpha=ctx.scale).view(ctx.shape)
        return of_x, None, None, of_down, of_up, None
