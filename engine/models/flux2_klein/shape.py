"""How large a base model of FLUX.2 klein's kind is, told from its configuration without loading it. No torch.

Counted from the architecture (diffusers' ``transformer_flux2.py``): a double block has q, k, v and an output for the
picture and the same for the text, and a gated MLP each; a single block has all of that in two linears.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.kronecker import Linears
from engine.models.folder_safety import pipeline_index
from engine.models.locate import BaseKind, BaseModel, hub_folder
from engine.models.shape import BaseShape
from engine.storage.untrusted_files import read_json

NAME = "flux2-klein"

RESOLUTION = 1024
"""Pixels a side that the published models were made for."""

_SIZE = re.compile(r"klein (\d{1,6}) x (\d{1,3})\+(\d{1,3})", re.ASCII)


@dataclass(frozen=True)
class KleinSize:
    """What the arithmetic of a model depends on."""

    width: int
    """Numbers a token has between the blocks."""
    double: int
    """Blocks in which picture and text have weights of their own."""
    single: int
    """Blocks in which both go through the same weights."""

    @property
    def weights_a_token(self) -> int:
        """Weights that a token of the picture or of the text passes: 4 linears of width × width for attention and a
        gated MLP of 3 × width in a block, a double block's for each of both kinds of tokens."""
        attention, mlp = 4 * self.width**2, 9 * self.width**2
        return self.blocks * (attention + mlp)

    @property
    def blocks(self) -> int:
        """Of both kinds."""
        return self.double + self.single

    @property
    def linears(self) -> int:
        """Those that get a LoRA: 12 in a double block, 2 in a single one."""
        return 12 * self.double + 2 * self.single

    @property
    def sizes(self) -> Linears:
        """(Inputs, outputs) of the linears that are trained, and how many there are of each size."""
        width = self.width
        double = {(width, width): 8, (width, 6 * width): 2, (3 * width, width): 2}
        single = {(width, 9 * width): 1, (4 * width, width): 1}
        found = {size: count * self.double for size, count in double.items()}
        return found | {size: count * self.single for size, count in single.items()}

    @property
    def parameters(self) -> int:
        """All weights: a double block has those of its linears twice; 19.5 × width² are modulations and embeddings."""
        return round(self.width**2 * (13 * (2 * self.double + self.single) + 19.5))


PUBLISHED = {"FLUX.2 klein 4B": KleinSize(3072, 5, 20), "FLUX.2 klein 9B": KleinSize(4096, 8, 24)}
"""By the names that people know; 9B's numbers are those of its configuration."""


def shape_of(base: BaseModel) -> BaseShape:
    """The size of a base model; the 4B's where nothing here tells: a hub's name that was not fetched yet."""
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else base.config
    if folder is not None:
        try:
            return shape_of_configs(
                read_json(folder / "transformer" / "config.json"), read_json(folder / "vae" / "config.json")
            )
        except (OSError, ValueError, KeyError, TypeError):
            # What is wrong with the folder is told when it is loaded.
            pass
    name = "FLUX.2 klein 9B" if "9b" in base.source.lower() else "FLUX.2 klein 4B"
    return BaseShape(name, RESOLUTION, 16, NAME)


def shape_of_configs(transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> BaseShape:
    """The same from diffusers' configurations of the transformer and the VAE."""
    width = int(transformer["num_attention_heads"]) * int(transformer["attention_head_dim"])
    size = KleinSize(width, int(transformer["num_layers"]), int(transformer["num_single_layers"]))
    grain = 2 * 2 ** (len(vae["block_out_channels"]) - 1)
    known = next((name for name, each in PUBLISHED.items() if each == size), None)
    # ``sample_size`` is 1024 in the published VAE; a smaller one says what it was made for.
    resolution = int(vae.get("sample_size") or RESOLUTION)
    return BaseShape(known or f"klein {size.width} x {size.double}+{size.single}", resolution, grain, NAME)


def is_distilled(base: BaseModel) -> bool:
    """Whether a model was distilled to paint in 4 steps: its ``model_index.json`` says so, and while a hub's model is
    not fetched its name, in which those to train on have ``base``."""
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else hub_folder(base.source)
    if folder is None:
        return base.kind is BaseKind.HUB and "base" not in base.source.lower()
    return pipeline_index(folder).get("is_distilled") is True


def size_of(name: str) -> KleinSize:
    """The size that a ``BaseShape.name`` stands for; the 4B's for a name that is none."""
    if name in PUBLISHED:
        return PUBLISHED[name]
    found = _SIZE.fullmatch(name)
    return KleinSize(*map(int, found.groups())) if found else PUBLISHED["FLUX.2 klein 4B"]
