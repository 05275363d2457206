"""How much a forward pass keeps for its backward pass, counted on the meta device as autograd saves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from engine.training.step.fused_lora import make_lean


class _Flash(torch.autograd.Function):
    """What attention that keeps no score matrix keeps, as a card computes it."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out, sums = torch.empty_like(query), torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, out, sums)
        return out


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    out: torch.Tensor = _Flash.apply(query, key, value)  # type: ignore[no-untyped-call]
    return out


def kept_gb(model: Any, work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> float:
    """GB (10⁹ bytes) besides the model's own weights.

    Args:
        model: on the meta device, with its LoRA.
        work: a forward pass.
        monkeypatch: puts an attention in place that the meta device can't choose by itself.
    """
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", _attention)
    make_lean(model)
    own = {each.untyped_storage()._cdata for each in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.device("meta"), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        work()
    return sum(each.nbytes() for each in kept.values()) / 1e9
