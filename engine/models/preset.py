"""Training settings that fit a card, as a family has them. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SIZES = (8, 12, 16, 24, 48, 80)
"""GiB of the cards that there may be presets for."""


@dataclass(frozen=True)
class Preset:
    """What fits a card of a size: each setting of ``training`` with its reason."""

    gb: int
    settings: tuple[tuple[str, Any, str], ...]


ONCE = "everything the step needs is kept, and computed once"
TWICE = "memory for arithmetic: what the step needs is computed twice"
EIGHT = "the optimizer's memory in 8 bits, a quarter of it"
FUSED = "the optimizer's memory is small against the card"
FACE = "what a person's face needs"
DETAIL = "there is room for more detail"
"""Reasons that families share."""
