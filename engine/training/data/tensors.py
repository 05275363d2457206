"""A whole dataset as training sees it, in a few tensors: a face dataset is some megabytes and lives on the GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch

from engine.models.loaded import Embeds
from engine.training.data.batch import Batch
from engine.training.data.training_set import TrainingItem

_LISTS = ("latents", "masks")
"""The fields that hold a tensor a bucket."""

_NAMED = ("image", "text")
"""The fields that hold tensors by names of the family's."""


@dataclass(frozen=True)
class TrainingData:
    """n images in b buckets, m different captions; the empty caption is number 0."""

    latents: tuple[torch.Tensor, ...]
    """A bucket each [k, c, h, w], scaled to unit variance as the denoiser wants them."""
    masks: tuple[torch.Tensor, ...]
    """A bucket each [k, 1, h, w], how much each place counts; () where all count alike."""
    bucket: torch.Tensor
    """[n], int64: the bucket of each image."""
    row: torch.Tensor
    """[n], int64: its row in the bucket's tensors."""
    repeats: torch.Tensor
    """[n], int64: how often an epoch sees it."""
    regularisation: torch.Tensor
    """[n], bool"""
    held_out: torch.Tensor
    """[n], bool"""
    captions: torch.Tensor
    """[n, v], int64: the captions of each image, in v orders of their parts."""
    image: Embeds
    """What the denoiser is told of each image, by the family's names; each [n, …]."""
    text: Embeds
    """What it sees of each caption, by the family's names, each [m, …]; none where the text encoders are trained."""
    tokens: torch.Tensor | None
    """[m, encoders, tokens], int64; None where the text encoders are not trained."""

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> TrainingData:
        """From ``tensors``. Raises KeyError where something is missing."""
        found: dict[str, object] = {}
        for each in fields(cls):
            inside = {key.partition("/")[2]: tensors[key] for key in tensors if key.startswith(f"{each.name}/")}
            if each.name in _LISTS:
                found[each.name] = tuple(inside[key] for key in sorted(inside, key=int))
            elif each.name in _NAMED:
                found[each.name] = inside
            else:
                found[each.name] = tensors.get(each.name) if each.name in _OPTIONAL else tensors[each.name]
        return cls(**found)  # type: ignore[arg-type]

    def tensors(self) -> dict[str, torch.Tensor]:
        """By name, as they are saved: ``latents/0`` is the first bucket's, ``text/NAME`` a family's."""
        found: dict[str, torch.Tensor] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in _LISTS:
                found |= {f"{each.name}/{number}": tensor for number, tensor in enumerate(value)}
            elif each.name in _NAMED:
                found |= {f"{each.name}/{name}": tensor for name, tensor in value.items()}
            elif value is not None:
                found[each.name] = value
        return found

    def __len__(self) -> int:
        return len(self.bucket)

    def to(self, device: str, text_dtype: torch.dtype = torch.float32) -> TrainingData:
        """All of it on a device, the encoded captions in the type that the denoiser takes them in.

        Captions that would take much of a card's memory stay in main memory: ``batch`` brings those of a step over.
        """
        text = {name: _in(each, text_dtype) for name, each in self.text.items()}
        if sum(each.numel() * each.element_size() for each in text.values()) <= MOST_TEXT_BYTES:
            text = {name: each.to(device) for name, each in text.items()}
        tensors = {name: each.to(device) for name, each in replace(self, text={}).tensors().items()}
        return replace(TrainingData.of(tensors), text=text)

    @cached_property
    def seen(self) -> tuple[TrainingItem, ...]:
        """What the plan and the order of a run know of each image."""
        columns = (self.bucket, self.repeats, self.regularisation, self.held_out)
        return tuple(TrainingItem(*row) for row in zip(*(each.tolist() for each in columns), strict=True))

    def buckets(self, scale: int) -> list[tuple[int, int, int]]:
        """Width and height in pixels of each bucket, and how many images of it are trained on.

        Args:
            scale: pixels a side that become one of the latent's.
        """
        counts = Counter(each.bucket for each in self.seen if not each.held_out)
        sizes = [(each.shape[3] * scale, each.shape[2] * scale) for each in self.latents]
        return [(width, height, counts[number]) for number, (width, height) in enumerate(sizes)]

    @property
    def different_captions(self) -> int:
        """How many there are, orders of their parts and the empty one included."""
        return len(self.tokens) if self.tokens is not None else len(next(iter(self.text.values()), ()))

    def shape(self, image: int) -> tuple[int, ...]:
        """The shape of an image's latent, (c, h, w)."""
        return tuple(self.latents[self.seen[image].bucket].shape[1:])

    def batch(
        self, images: Sequence[int], without_caption: Sequence[bool], orders: Sequence[int] | None = None
    ) -> Batch:
        """The images of one step, all of one bucket.

        Args:
            images: their numbers.
            without_caption: which of them see the empty caption.
            orders: which order of its caption's parts each sees, any numbers; None: as it was written.
        """
        number = self.seen[images[0]].bucket
        captions = [
            0 if dropped else self._captions[image][order % len(self._captions[image])]
            for image, dropped, order in zip(images, without_caption, orders or [0] * len(images), strict=True)
        ]
        # One small transfer a step, whatever is looked up with it.
        index = torch.tensor([list(images), [self._rows[each] for each in images], captions])
        image, row, caption = index.to(self.bucket.device, non_blocking=True)
        return Batch(
            latents=self.latents[number][row],
            image={name: each[image] for name, each in self.image.items()},
            text=None if self.tokens is not None else {n: _rows(e, captions, caption) for n, e in self.text.items()},
            regularisation=self.regularisation[image] if self._any_regularisation else None,
            mask=self.masks[number][row] if self.masks else None,
            tokens=None if self.tokens is None else self.tokens[caption],
        )

    @cached_property
    def _captions(self) -> list[list[int]]:
        return [[int(caption) for caption in row] for row in self.captions.tolist()]

    @cached_property
    def _rows(self) -> list[int]:
        return [int(row) for row in self.row.tolist()]

    @cached_property
    def _any_regularisation(self) -> bool:
        return any(each.regularisation for each in self.seen)


_OPTIONAL = ("tokens",)

MOST_TEXT_BYTES = 500_000_000
"""Encoded captions that take more stay in main memory: SDXL's are 0.3 MB each in bf16, FLUX.2 klein's 7.9 MB."""


def _rows(texts: torch.Tensor, numbers: Sequence[int], there: torch.Tensor) -> torch.Tensor:
    """Rows of encoded captions on the device of ``there``, which are their numbers in a tensor.

    From main memory they go over while the card still computes the step before: pinned, nothing waits for them.
    """
    if texts.device == there.device:
        return texts[there]
    return gathered(texts, numbers, pinned=there.is_cuda).to(there.device, non_blocking=True)


def gathered(texts: torch.Tensor, numbers: Sequence[int], pinned: bool) -> torch.Tensor:
    """Rows of a tensor in main memory; pinned, a card copies them without the processor."""
    found = torch.empty((len(numbers), *texts.shape[1:]), dtype=texts.dtype, pin_memory=pinned)
    return torch.index_select(texts, 0, torch.tensor(numbers), out=found)


def _in(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """In a type; a mask or numbers of tokens stay what they are."""
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
