"""What one step sees, as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from engine.models.loaded import Embeds

NO_EMBEDS: Embeds = {}


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    latents: torch.Tensor
    """[n, c, h, w]"""
    image: Embeds = field(default_factory=dict)
    """What the denoiser is told of each image, by the family's names; each [n, …]."""
    text: Embeds | None = None
    """What it sees of each caption, by the family's names; each [n, …]; None while that is still to be made."""
    regularisation: torch.Tensor | None = None
    """[n], bool: which show the class and not the person; None: none."""
    mask: torch.Tensor | None = None
    """[n, 1, h, w], 0 to 1: how much each place counts; None: all alike."""
    tokens: torch.Tensor | None = None
    """[n, encoders, tokens]: the captions for the text encoders, where these are trained."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """All of it by name: ``image/NAME`` and ``text/NAME`` for what has names of the family's."""
        plain = {name: getattr(self, name) for name in ("latents", "regularisation", "mask", "tokens")}
        return {
            **{name: each for name, each in plain.items() if each is not None},
            **{f"image/{name}": each for name, each in self.image.items()},
            **{f"text/{name}": each for name, each in (self.text or NO_EMBEDS).items()},
        }

    def with_tensors(self, tensors: Mapping[str, torch.Tensor]) -> Batch:
        """The same of other tensors, by the names that ``tensors`` gives."""
        text = None if self.text is None else {name: tensors[f"text/{name}"] for name in self.text}
        return replace(
            self,
            image={name: tensors[f"image/{name}"] for name in self.image},
            text=text,
            **{name: tensors[name] for name in ("latents", "regularisation", "mask", "tokens") if name in tensors},
        )
