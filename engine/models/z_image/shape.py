"""How large a base model of Z-Image's kind is, told from its configuration without loading it. No torch.

Counted from the architecture (diffusers' ``transformer_z_image.py``): all blocks have q, k, v, an output and a gated
MLP of 8/3 of the width. Refiners are blocks that see the picture alone or the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.kronecker import Linears
from engine.models.locate import BaseKind, BaseModel
from engine.models.shape import BaseShape
from engine.storage.untrusted_files import read_json

NAME = "z-image"

RESOLUTION = 1024
"""Pixels a side that the published models were made for."""

PATCH = 2
"""Latents a side that the transformer sees as one token."""

_MODULATION = 4 * (256 + 1)
"""Weights for each number of the width by which a noise level changes a block."""

_READING = 2560
"""Width of the text encoder's hidden states."""

_SIZE = re.compile(r"Z-Image (\d{1,6}) x (\d{1,3})\+(\d{1,3})", re.ASCII)


@dataclass(frozen=True)
class ZImageSize:
    """What the arithmetic of a model depends on."""

    width: int
    """Numbers a token has between the blocks."""
    blocks: int
    """Blocks in which picture and text are together."""
    refiners: int
    """Blocks before them for the picture, and as many for the text."""

    @property
    def weights_a_token(self) -> int:
        """Weights of a block: 4 linears of width × width for attention, and 8 × width² of the gated MLP."""
        return 12 * self.width**2

    @property
    def linears(self) -> int:
        """Those that get a LoRA: 7 in a block, none in refiners."""
        return 7 * self.blocks

    @property
    def sizes(self) -> Linears:
        """(Inputs, outputs) of the linears that are trained, and how many there are of each size: attention's four, and
        the gated MLP's three, which is 8/3 as wide."""
        width, wide = self.width, int(self.width / 3 * 8)
        return {(width, width): 4 * self.blocks, (width, wide): 2 * self.blocks, (wide, width): self.blocks}

    @property
    def parameters(self) -> int:
        """All weights: the text's refiners are told no noise level."""
        blocks = self.weights_a_token * (self.blocks + 2 * self.refiners)
        return blocks + self.width * (_MODULATION * (self.blocks + self.refiners) + _READING)


PUBLISHED = ZImageSize(3840, 30, 2)

TITLE = "Z-Image"


def shape_of(base: BaseModel) -> BaseShape:
    """The size of a base model; the published one where nothing here tells: a hub's name that was not fetched yet."""
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else base.config
    if folder is not None:
        try:
            return shape_of_configs(
                read_json(folder / "transformer" / "config.json"), read_json(folder / "vae" / "config.json")
            )
        except (OSError, ValueError, KeyError, TypeError):
            # What is wrong with the folder is told when it is loaded.
            pass
    return BaseShape(TITLE, RESOLUTION, 16, NAME, PATCH)


def shape_of_configs(transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> BaseShape:
    """The same from diffusers' configurations of the transformer and the VAE."""
    size = ZImageSize(int(transformer["dim"]), int(transformer["n_layers"]), int(transformer["n_refiner_layers"]))
    grain = PATCH * 2 ** (len(vae["block_out_channels"]) - 1)
    name = TITLE if size == PUBLISHED else f"Z-Image {size.width} x {size.blocks}+{size.refiners}"
    # ``sample_size`` is 1024 in the published VAE; a smaller one says what it was made for.
    return BaseShape(name, int(vae.get("sample_size") or RESOLUTION), grain, NAME, PATCH)


def is_distilled(base: BaseModel) -> bool:
    """Whether it is Z-Image-Turbo, which only its name tells: of a hub, of the hub's cache, or of a folder."""
    return "turbo" in base.source.lower()


def size_of(name: str) -> ZImageSize:
    """The size that a ``BaseShape.name`` stands for; the published one's for a name that is none."""
    found = _SIZE.fullmatch(name)
    return ZImageSize(*map(int, found.groups())) if found else PUBLISHED
