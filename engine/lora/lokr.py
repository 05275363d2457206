"""The numbers of LoKr: ΔW = (w1 ⊗ w2) · scale, from a file's tensors or a model's, and as tensors again. Needs torch.

Scale is alpha / rank where w1 or w2 is made of two matrices, and 1 where both are whole, whatever alpha says: so it is
in LyCORIS (``lycoris/modules/lokr.py``), ComfyUI (``comfy/weight_adapter/lokr.py``), A1111
(``extensions-builtin/Lora/network_lokr.py``) and diffusers (``_bake_lokr_alpha_``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from engine.errors import LoraFileError
from engine.lora.lokr_header import LEFT, LEFT_PAIR, RIGHT, RIGHT_PAIR, SUFFIXES, THIRD, LokrParts

Matrix = tuple[torch.Tensor, ...]
"""One that is whole, two that are multiplied, or Tucker's [rank, c], [rank, d] and [rank, rank, height, width]."""


@dataclass(frozen=True)
class Lokr:
    """One module's LoKr."""

    w1: Matrix
    """[a, b], or [a, rank] and [rank, b]."""
    w2: Matrix
    """[c, d] or of a convolution [c, d, height, width]; [c, rank] and [rank, d · height · width]; or Tucker's three."""
    scale: float
    """What w1 ⊗ w2 is multiplied by."""
    rows: tuple[int, int] | None = None
    """The first row and the one after the last of w1 ⊗ w2 that are the module's, where a file has one linear for
    several; None: all."""

    @property
    def rank(self) -> int:
        """What alpha is divided by; 0 where both matrices are whole."""
        if len(self.w2) > 1:
            return int(self.w2[1].shape[0])
        return int(self.w1[1].shape[0]) if len(self.w1) > 1 else 0

    def left(self) -> torch.Tensor:
        """w1, [a, b], float32."""
        return _whole(self.w1)

    def right(self) -> torch.Tensor:
        """w2, [c, d · height · width], float32."""
        return _whole(self.w2)

    @property
    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Those of w1 and w2, which are not made for it. Raises ValueError where what they are made of doesn't fit."""
        return _size(self.w1), _size(self.w2)

    @property
    def outputs(self) -> int:
        """How many outputs the module has."""
        if self.rows is not None:
            return self.rows[1] - self.rows[0]
        (a, _), (c, _) = self.sizes
        return a * c

    def delta(self) -> torch.Tensor:
        """ΔW, [outputs, inputs · height · width], in float32."""
        whole = torch.kron(self.left(), self.right()) * self.scale
        return whole if self.rows is None else whole[slice(*self.rows)]

    def scaled(self, scale: float) -> Lokr:
        """The same ΔW with another scale: the rest is multiplied into w1, in its own numbers where they hold it."""
        if scale == self.scale:
            return self
        product = self.w1[0].float() * (self.scale / scale)
        narrow = product.to(self.w1[0].dtype)
        first = narrow if torch.equal(narrow.float(), product) else product
        return replace(self, w1=(first, *self.w1[1:]), scale=scale)

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """As a file has them, without alpha."""
        return dict(zip((name + end for end in _ends(self)), (*self.w1, *self.w2), strict=True))


def lokr_of(tensors: Mapping[str, torch.Tensor], name: str, parts: LokrParts, scale: float) -> Lokr:
    """One module of a file. Nothing is multiplied: of two small ones a matrix may be larger than any memory.

    Raises:
        ValueError: its matrices don't fit together.
    """
    w1 = _matrix(tensors, name, LEFT, LEFT_PAIR)
    w2 = _matrix(tensors, name, RIGHT, RIGHT_PAIR)
    if parts.tucker:
        w2 = (*w2, tensors[name + THIRD])
    found = Lokr(w1, w2, scale)
    if found.sizes != (parts.left, parts.right) or 0 in (*parts.left, *parts.right):
        raise ValueError(f"the matrices of {name}")
    return found


def shared(lokr: Lokr, count: int) -> list[Lokr]:
    """The LoKr of each of the linears that a file has as one: their rows of it. Raises ValueError."""
    if count == 1:
        return [lokr]
    each, rest = divmod(lokr.outputs, count)
    if rest:
        raise ValueError(f"{lokr.outputs} outputs are no {count} linears' of one size")
    return [replace(lokr, rows=(number * each, (number + 1) * each)) for number in range(count)]


def put_together(parts: list[Lokr | None]) -> Lokr:
    """The LoKr that ``shared`` took these rows of. Raises ValueError where they are of no one LoKr."""
    first = parts[0]
    if first is None or first.rows is None:
        raise ValueError("each is a LoKr of its own")
    whole = replace(first, rows=None)
    same = all(each is not None and all(map(_same, (*each.w1, *each.w2), (*whole.w1, *whole.w2))) for each in parts)
    wanted = [own.rows for own in shared(whole, len(parts))]
    if not same or [each.rows if each is not None else None for each in parts] != wanted:
        raise ValueError("they are rows of different ones")
    return whole


def lokrs_of_peft(state: Mapping[str, torch.Tensor], alpha: float) -> dict[str, Lokr]:
    """A model's LoKr by module, from ``lora_state``.

    Args:
        state: ``MODULE.lokr_w1`` and the like.
        alpha: the network's.

    Raises:
        LoraFileError: a tensor that is no LoKr's, or one without its other half.
    """
    if stray := [name for name in state if not name.endswith(SUFFIXES)]:
        raise LoraFileError(f"{stray[0]} can't be stored in a LoKr file", "train a plain LoKr")
    found: dict[str, Lokr] = {}
    for module in dict.fromkeys(name.rpartition(".lokr_")[0] for name in state):
        try:
            w1, w2 = _matrix(state, module, LEFT, LEFT_PAIR), _matrix(state, module, RIGHT, RIGHT_PAIR)
        except KeyError as error:
            raise LoraFileError(f"{module} has only half of its LoKr", "save the whole adapter") from error
        lokr = Lokr(w1, w2, 1.0)
        found[module] = replace(lokr, scale=alpha / lokr.rank) if lokr.rank else lokr
    return found


def _matrix(tensors: Mapping[str, torch.Tensor], name: str, whole: str, pair: tuple[str, str]) -> Matrix:
    if name + whole in tensors:
        return (tensors[name + whole],)
    return tuple(tensors[name + end] for end in pair)


def _size(matrix: Matrix) -> tuple[int, int]:
    """Rows and columns of what a matrix is, with a kernel's places among its columns."""
    first, last = matrix[0], matrix[-1]
    if len(matrix) == 1:
        return int(first.shape[0]), math.prod(first.shape[1:])
    second = matrix[1]
    if len(matrix) == 3:
        if (first.dim(), second.dim()) != (2, 2) or last.shape[:2] != (first.shape[0], second.shape[0]):
            raise ValueError("three matrices of other ranks")
        return int(first.shape[1]), int(second.shape[1]) * math.prod(last.shape[2:])
    if first.dim() != 2 or first.shape[1] != second.shape[0]:
        raise ValueError("two matrices of other ranks")
    return int(first.shape[0]), math.prod(second.shape[1:])


def _whole(matrix: Matrix) -> torch.Tensor:
    if len(matrix) == 1:
        return matrix[0].float().flatten(1)
    first, second = matrix[0].float(), matrix[1].float()
    if len(matrix) == 2:
        return first @ second.flatten(1)
    # Tucker's: ΔW[c, d] = Σ t[p, q] · first[p, c] · second[q, d] at each place of the kernel.
    third = matrix[2].float()
    return torch.einsum("pq...,pc,qd->cd...", third, first.flatten(1), second.flatten(1)).flatten(1)


def _ends(lokr: Lokr) -> list[str]:
    left = [LEFT] if len(lokr.w1) == 1 else list(LEFT_PAIR)
    right = {1: [RIGHT], 2: list(RIGHT_PAIR), 3: [*RIGHT_PAIR, THIRD]}[len(lokr.w2)]
    return left + right


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one is other or torch.equal(one, other)
