"""A whole dataset as training sees it, in a few tensors: a face dataset is some megabytes and lives on the GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch

from engine.training.data.batch import Batch
from engine.training.data.training_set import Seen

_LISTS = ("latents", "masks")
"""The fields that hold a tensor a bucket."""


@dataclass(frozen=True)
class TrainingData:
    """n images in b buckets, m different captions; the empty caption is number 0."""

    latents: tuple[torch.Tensor, ...]
    """A bucket each [k, 4, h, w], scaled to unit variance as the U-Net wants them."""
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
    time_ids: torch.Tensor
    """[n, 6]"""
    captions: torch.Tensor
    """[n, v], int64: the captions of each image, in v orders of their parts."""
    hidden: torch.Tensor | None
    """[m, tokens, width]; None where the text encoders are trained."""
    pooled: torch.Tensor | None
    """[m, width]; None where the text encoders are trained."""
    tokens: torch.Tensor | None
    """[m, 2, tokens], int64, for both encoders; None where they are not trained."""

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> TrainingData:
        """From ``tensors``. Raises KeyError where something is missing."""
        found: dict[str, object] = {}
        for each in fields(cls):
            if each.name in _LISTS:
                names = sorted((key for key in tensors if key.startswith(f"{each.name}/")), key=_number)
                found[each.name] = tuple(tensors[key] for key in names)
            else:
                found[each.name] = tensors.get(each.name) if each.name in _OPTIONAL else tensors[each.name]
        return cls(**found)  # type: ignore[arg-type]

    def tensors(self) -> dict[str, torch.Tensor]:
        """By name, as they are saved; ``latents/0`` is the first bucket's."""
        found: dict[str, torch.Tensor] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in _LISTS:
                found |= {f"{each.name}/{number}": tensor for number, tensor in enumerate(value)}
            elif value is not None:
                found[each.name] = value
        return found

    def __len__(self) -> int:
        return len(self.bucket)

    def to(self, device: str, text_dtype: torch.dtype = torch.float32) -> TrainingData:
        """All of it on a device, the encoded captions in the type that the U-Net takes them in."""
        moved = TrainingData.of({name: tensor.to(device) for name, tensor in self.tensors().items()})
        if moved.hidden is None or moved.pooled is None:
            return moved
        return replace(moved, hidden=moved.hidden.to(text_dtype), pooled=moved.pooled.to(text_dtype))

    @cached_property
    def seen(self) -> tuple[Seen, ...]:
        """What the plan and the order of a run know of each image."""
        columns = (self.bucket, self.repeats, self.regularisation, self.held_out)
        return tuple(Seen(*row) for row in zip(*(each.tolist() for each in columns), strict=True))

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
        return len(self.hidden if self.hidden is not None else self.tokens if self.tokens is not None else ())

    def shape(self, image: int) -> tuple[int, ...]:
        """The shape of an image's latent, (4, h, w)."""
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
        image, row, caption = index.to(self.time_ids.device, non_blocking=True)
        return Batch(
            latents=self.latents[number][row],
            hidden=None if self.hidden is None else self.hidden[caption],
            pooled=None if self.pooled is None else self.pooled[caption],
            time_ids=self.time_ids[image],
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


_OPTIONAL = ("hidden", "pooled", "tokens")


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
