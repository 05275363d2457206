"""LoRAs on the layers of a model: each layer adds what its own LoRAs make of its input. Needs torch.

A layer with LoRAs is given a class that adds them, and its own class back when it has none. No number of one LoRA is
mixed with those of another, or of another layer, and LoRAs that were on before leave nothing behind. A strength
multiplies all that a LoRA changes, as in A1111 and ComfyUI: with DoRA that is W' - W, its scales included.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from engine.lora.file import LoraPair


class LayerPart(Protocol):
    """A network's part on one layer, as the layer needs it."""

    def added(self, layer: Any, x: torch.Tensor, out: torch.Tensor, /) -> torch.Tensor:
        """What strength 1 adds to the layer's output ``out`` for its input ``x``."""


class LayerLora:
    """A LoRA's part on one layer, as the layer needs it.

    Args:
        pair: the part.
        layer: a linear or a convolution.

    Raises:
        ValueError: it does not fit the layer.
    """

    def __init__(self, pair: LoraPair, layer: Any) -> None:
        weight = layer.weight
        self.scale = pair.scale
        down = pair.down.reshape(_down_shape(pair, layer))
        up = pair.up if weight.dim() == 2 else pair.up[:, :, None, None]
        if pair.up.shape[0] != weight.shape[0]:
            raise ValueError(f"{pair.up.shape[0]} outputs instead of {weight.shape[0]}")
        self.down, self.up = down.to(weight).contiguous(), up.to(weight).contiguous()
        self.bias = None if pair.bias is None else pair.bias.to(weight)
        self.gain = None if pair.magnitude is None else _gain(pair, weight)
        """DoRA's: what each row of W + ΔW, [outputs, 1 …], or each column, [1, inputs …], is multiplied by."""

    @property
    def by_columns(self) -> bool:
        """Whether DoRA's scales are those of inputs."""
        return self.gain is not None and self.gain.shape[0] == 1 and self.down.shape[1] > 1

    def added(self, layer: Any, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """What strength 1 adds to a layer's output.

        Args:
            layer: the layer.
            x: its input.
            out: its own output for that.
        """
        if self.down.device != x.device:
            # The model went to the card when it was used, or off it.
            self._follow(x.device)
        if self.gain is None:
            return self._low(layer, x) * self.scale
        if self.by_columns:
            scaled = x * _beside_channels(self.gain, x, layer)
            return _apply(layer, scaled - x, layer.weight) + self._low(layer, scaled) * self.scale
        gain = _beside_channels(self.gain, out, layer)
        bare = out if layer.bias is None else out - _beside_channels(layer.bias, out, layer)
        return (gain - 1) * bare + gain * self._low(layer, x) * self.scale

    def _follow(self, device: torch.device) -> None:
        self.down, self.up = self.down.to(device), self.up.to(device)
        self.bias = None if self.bias is None else self.bias.to(device)
        self.gain = None if self.gain is None else self.gain.to(device)

    def _low(self, layer: Any, x: torch.Tensor) -> torch.Tensor:
        low = _apply(layer, x, self.down)
        up = F.linear if self.up.dim() == 2 else F.conv2d
        return up(low, self.up, self.bias)


class WithLoras:
    """What a layer's class is mixed with while it has LoRAs."""

    loras: tuple[tuple[LayerPart, float], ...]
    """Each with its strength, in the order in which they are added."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The layer's output, with what its LoRAs add."""
        own: torch.Tensor = super().forward(x, *args, **kwargs)  # type: ignore[misc]
        out = own
        for lora, strength in self.loras:
            out = out + lora.added(self, x, own) * strength
        return out


def set_layer_loras(layer: nn.Module, loras: Sequence[tuple[LayerPart, float]]) -> None:
    """Makes these, and only these, a layer's LoRAs; none gives it its own class back."""
    kind: Any = type(layer)
    plain = kind.__mro__[2] if issubclass(kind, WithLoras) else kind
    if loras:
        layer.__class__ = _with_loras(plain)
        layer.loras = tuple(loras)  # type: ignore[assignment]
    elif kind is not plain:
        layer.__class__ = plain
        del layer.loras


def can_have_lora(layer: object) -> bool:
    """Whether LoRAs go on a layer: a linear or a convolution of images."""
    return isinstance(layer, (nn.Linear, nn.Conv2d))


@cache
def _with_loras(kind: Any) -> Any:
    return type(f"WithLoras{kind.__name__}", (WithLoras, kind), {})


def _down_shape(pair: LoraPair, layer: Any) -> tuple[int, ...]:
    """The shape that a LoRA's first matrix has on a layer. Raises ValueError where it does not fit."""
    wanted = (pair.rank, *layer.weight.shape[1:])
    kernel = pair.down.shape[2:]
    # A linear and a convolution of one pixel are written as one another.
    same = kernel == layer.weight.shape[2:] or {*kernel, *layer.weight.shape[2:]} <= {1}
    if pair.down.shape[1] != wanted[1] or not same:
        raise ValueError(f"{tuple(pair.down.shape[1:])} inputs instead of {wanted[1:]}")
    return wanted


def _gain(pair: LoraPair, weight: torch.Tensor) -> torch.Tensor:
    """DoRA's scales by the length of what they scale: W' = m · (W + ΔW) / ‖W + ΔW‖ (https://arxiv.org/abs/2402.09353).

    By rows as PEFT does it, by columns as LyCORIS does unless ``wd_on_output`` is set.
    """
    whole = weight.detach().float() + pair.delta().to(weight.device).reshape(weight.shape)
    flat = whole.flatten(2) if whole.dim() > 2 else whole[:, :, None]
    assert pair.magnitude is not None
    shape, rows = tuple(pair.magnitude.shape), tuple(weight.shape[:2])
    if shape not in ((rows[0], 1), (1, rows[1])):
        raise ValueError(f"scales of {shape} instead of {rows[0]} or {rows[1]}")
    along = (1, 2) if shape == (rows[0], 1) else (0, 2)
    lengths = flat.norm(dim=along, keepdim=True).squeeze(2)
    gain: torch.Tensor = pair.magnitude.float().to(weight.device) / lengths.clamp(min=torch.finfo(torch.float32).tiny)
    return gain.to(weight.dtype)


def _apply(layer: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A weight where the layer has its own, without its bias."""
    of_convolution = (layer.stride, layer.padding, layer.dilation) if weight.dim() == 4 else ()
    found: torch.Tensor = (F.conv2d if of_convolution else F.linear)(x, weight, None, *of_convolution)
    return found


def _beside_channels(values: torch.Tensor, like: torch.Tensor, layer: Any) -> torch.Tensor:
    """One value a channel, shaped so that they multiply a layer's input or output."""
    return values.reshape(-1) if layer.weight.dim() == 2 else values.reshape(1, -1, *[1] * (like.dim() - 2))
