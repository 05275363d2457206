"""All that is trained, in one tensor, so that it is moved by a few kernels and not by thousands. Needs torch.

SDXL's LoRA is 1,444 small matrices: clipping and moving each by itself costs more time than their arithmetic. Here they
are views of one float32 tensor, and so are their gradients. Where the base model is bf16, the model multiplies with a
copy in bf16 that is made anew after each step, all at once, so that nothing is cast inside of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from engine.lora.module_names import Part
from engine.settings import Optimizer

Named = dict[Part, dict[str, torch.Tensor]]
"""Tensors of each part, by their names in it."""


class FlatParameters:
    """The trained parameters of one or more models, which become views from here on.

    Args:
        parts: their tensors by name.
        groups: the same in their order; each group has a learning rate of its own.
        dtype: what the models multiply in.
    """

    def __init__(
        self,
        parts: Mapping[Part, Mapping[str, torch.Tensor]],
        groups: Sequence[Sequence[torch.nn.Parameter]],
        dtype: torch.dtype,
    ) -> None:
        self._parameters = [each for group in groups for each in group]
        self._shapes = [each.shape for each in self._parameters]
        self._counts = [len(group) for group in groups if group]
        names = {each.data_ptr(): (part, name) for part, state in parts.items() for name, each in state.items()}
        self._names = [names[each.data_ptr()] for each in self._parameters]
        self.flat = torch.cat([each.detach().float().flatten() for each in self._parameters])
        """All weights, float32 [n]."""
        self.gradient = torch.zeros_like(self.flat)
        """Their gradient, float32 [n]."""
        self._gradients = self._views(self.gradient)
        self._halved = dtype is not torch.float32
        self._used = self.flat.to(dtype) if self._halved else self.flat
        self._received = torch.zeros_like(self._used)
        self._places = self._views(self._received)
        for parameter, view in zip(self._parameters, self._views(self._used), strict=True):
            parameter.data = view

    def param_groups(self, kind: Optimizer) -> list[dict[str, Any]]:
        """What an optimizer moves: one tensor a group, or every matrix for one that looks at rows and columns."""
        weights, gradients = _grouped(self._views(self.flat), self._counts), _grouped(self._gradients, self._counts)
        if kind is not Optimizer.ADAFACTOR:
            sizes = [sum(each.numel() for each in group) for group in weights]
            weights = [[each] for each in torch.split(self.flat, sizes)]
            gradients = [[each] for each in torch.split(self.gradient, sizes)]
        groups = zip(weights, gradients, strict=True)
        return [{"params": [_moved(*pair) for pair in zip(*group, strict=True)]} for group in groups]

    def collect_grads(self, whole: bool) -> None:
        """Takes what a backward pass left in the models.

        Copied by one kernel for dozens of matrices; gradients that autograd itself adds up in place take one each.

        Args:
            whole: whether the pass is all of its step, so that nothing is to be added to it.
        """
        straight = whole and not self._halved
        into, into_views = (self.gradient, self._gradients) if straight else (self._received, self._places)
        places, found = [], []
        for place, each in zip(into_views, self._parameters, strict=True):
            if each.grad is not None:
                places.append(place)
                found.append(each.grad)
                each.grad = None
        if len(found) < len(into_views):
            # Some layer had no part in it.
            into.zero_()
        if found:
            torch._foreach_copy_(places, found)

    def accumulate(self, first: bool, whole: bool) -> None:
        """Makes what was collected last the gradient if it is the step's first, else adds it."""
        if whole and not self._halved:
            return
        if first:
            self.gradient.copy_(self._received)
        else:
            self.gradient.add_(self._received)

    def zero_grad(self) -> None:
        """Lets go of what a backward pass left in the models."""
        for each in self._parameters:
            each.grad = None

    @torch.no_grad()
    def clip(self, largest: float | None) -> torch.Tensor:
        """Scales the gradient down to this norm, as ``clip_grad_norm_`` does; returns what the norm was."""
        norm: torch.Tensor = torch.linalg.vector_norm(self.gradient)
        # Asked of a card, the question would make the CPU wait for it; scaling by 1 changes nothing.
        if largest and (self.gradient.device.type != "cpu" or norm > largest):
            self.gradient.mul_((largest / (norm + 1e-6)).clamp_(max=1.0))
        return norm

    def sync_compute_copy(self) -> None:
        """Lets the models see what was done to ``flat``."""
        if self._halved:
            self._used.copy_(self.flat)

    def named(self, flat: torch.Tensor | None = None) -> Named:
        """The weights of each part by name, views; or those of another tensor that lies as ``flat`` does."""
        found: Named = {}
        for (part, name), view in zip(self._names, self._views(self.flat if flat is None else flat), strict=True):
            found.setdefault(part, {})[name] = view
        return found

    @torch.no_grad()
    def load_state(self, parts: Mapping[Part, Mapping[str, torch.Tensor]]) -> None:
        """Makes these the weights; what is not among them stays as it is.

        Raises:
            ValueError: there is no place for one of them.
        """
        places = {(part, name): place for part, state in self.named().items() for name, place in state.items()}
        given = {(part, name): each for part, state in parts.items() for name, each in state.items()}
        for where, each in given.items():
            if where not in places or places[where].shape != each.shape:
                raise ValueError(f"the state does not fit this model: {where[1]}")
            places[where].copy_(each)
        self.sync_compute_copy()

    def _views(self, flat: torch.Tensor) -> list[torch.Tensor]:
        pieces = torch.split(flat, [shape.numel() for shape in self._shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]


def _grouped(tensors: Sequence[torch.Tensor], counts: Sequence[int]) -> list[list[torch.Tensor]]:
    rest = iter(tensors)
    return [[next(rest) for _ in range(count)] for count in counts]


def _moved(weight: torch.Tensor, gradient: torch.Tensor) -> torch.nn.Parameter:
    """A parameter that shares the weight's memory and always has this gradient."""
    parameter = torch.nn.Parameter(weight)
    parameter.grad = gradient
    return parameter
