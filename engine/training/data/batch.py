"""What one step sees, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    latents: torch.Tensor
    """[n, 4, h, w]"""
    hidden: torch.Tensor | None
    """[n, tokens, width]: both text encoders' hidden states, side by side; None while they are still to be made."""
    pooled: torch.Tensor | None
    """[n, width]: the second text encoder's pooled text; None while it is still to be made."""
    time_ids: torch.Tensor
    """[n, 6]: original height and width, crop top and left, target height and width."""
    regularisation: torch.Tensor | None = None
    """[n], bool: which show the class and not the person; None: none."""
    mask: torch.Tensor | None = None
    """[n, 1, h, w], 0 to 1: how much each place counts; None: all alike."""
    tokens: torch.Tensor | None = None
    """[n, 2, tokens]: the captions for both text encoders, where these are trained."""
