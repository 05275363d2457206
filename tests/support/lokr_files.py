"""LoKr of every kind as LyCORIS writes it, with what each is to do to a module (ΔW) by its formula, written out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from engine.kronecker import factorization

KINDS = ("whole", "w2 of two", "both of two", "w1 of two", "Tucker")


@dataclass(frozen=True)
class MadeLokr:
    """One module's tensors by how their names end, without alpha."""

    tensors: Mapping[str, torch.Tensor]
    alpha: float
    shape: tuple[int, ...]
    """The weight's."""

    @property
    def scale(self) -> float:
        """alpha / rank, unless both matrices are whole."""
        ranks = [self.tensors[each].shape[0] for each in ("lokr_w2_b", "lokr_w1_b") if each in self.tensors]
        return self.alpha / ranks[0] if ranks else 1.0

    def delta(self) -> torch.Tensor:
        """ΔW, [outputs, inputs · height · width]: each number of w1 times the whole of w2."""
        named = {name.removeprefix("lokr_"): each.float() for name, each in self.tensors.items()}
        w1 = named["w1"] if "w1" in named else named["w1_a"] @ named["w1_b"]
        if "t2" in named:
            w2 = torch.einsum("ijkl,ip,jr->prkl", named["t2"], named["w2_a"], named["w2_b"])
        else:
            w2 = named["w2"] if "w2" in named else named["w2_a"] @ named["w2_b"]
        w2 = w2.flatten(1)
        rows = [torch.cat([number * w2 for number in row], dim=1) for row in w1]
        return torch.cat(rows) * self.scale


def make_lokr(weight: torch.Tensor, kind: str, factor: int = 4, rank: int = 2, seed: int = 0) -> MadeLokr:
    """A module's LoKr of a kind, alpha half of the rank; Tucker's is one of two where the weight has no kernel."""
    chance = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        # In numbers that float16 holds, so that a file of them rounds nothing.
        return (torch.randn(shape, generator=chance) * 0.3).half().float()

    kernel = tuple(weight.shape[2:])
    (a, c), (b, d) = factorization(weight.shape[0], factor), factorization(weight.shape[1], factor)
    left = {"lokr_w1": drawn(a, b)}
    if kind in ("both of two", "w1 of two"):
        left = {"lokr_w1_a": drawn(a, rank), "lokr_w1_b": drawn(rank, b)}
    if kind in ("whole", "w1 of two"):
        right = {"lokr_w2": drawn(c, d, *kernel)}
    elif kind == "Tucker" and kernel:
        right = {"lokr_w2_a": drawn(rank, c), "lokr_w2_b": drawn(rank, d), "lokr_t2": drawn(rank, rank, *kernel)}
    else:
        right = {"lokr_w2_a": drawn(c, rank), "lokr_w2_b": drawn(rank, d * math.prod(kernel))}
    return MadeLokr(left | right, rank / 2, tuple(weight.shape))


def spelt_lokr(
    lokr: Mapping[tuple[str, str], MadeLokr], name: Callable[[str, str], str], alphas: bool = True
) -> dict[str, torch.Tensor]:
    """The tensors of a file, in half precision as they mostly are.

    Args:
        lokr: by part and module.
        name: of a module in the file.
        alphas: whether each module has a tensor for its alpha.
    """
    tensors: dict[str, torch.Tensor] = {}
    for place, made in lokr.items():
        spelt = name(*place)
        tensors |= {f"{spelt}.{end}": each.half().contiguous() for end, each in made.tensors.items()}
        if alphas:
            tensors[f"{spelt}.alpha"] = torch.tensor(made.alpha)
    return tensors
