"""How large a base model of SDXL's kind is, told from its configuration without loading it. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.models.locate import BaseKind, BaseModel
from engine.models.shape import BaseShape
from engine.storage.untrusted_files import read_json

SDXL = BaseShape("SDXL", 1024, 32)

_SDXL_WIDTHS = (320, 640, 1280)
_SDXL_DEPTHS = (1, 2, 10)


def shape_of(base: BaseModel) -> BaseShape:
    """The size of a base model.

    A single file without a configuration beside it and a hub's name are taken for SDXL's own size, which nearly all
    are: to know better they would have to be opened or fetched.
    """
    folder = Path(base.source) if base.kind is BaseKind.FOLDER else base.config
    if folder is None:
        return SDXL
    try:
        unet = read_json(folder / "unet" / "config.json")
        vae = read_json(folder / "vae" / "config.json")
        return shape_of_configs(unet, vae)
    except (OSError, ValueError, KeyError, TypeError):
        # What is wrong with the folder is told when it is loaded.
        return SDXL


def shape_of_configs(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> BaseShape:
    """The same from diffusers' configurations of the U-Net and the VAE."""
    widths: Sequence[int] = tuple(unet["block_out_channels"])
    depths = unet["transformer_layers_per_block"]
    factor = 2 ** (len(vae["block_out_channels"]) - 1)
    known = widths == _SDXL_WIDTHS and not isinstance(depths, int) and tuple(depths) == _SDXL_DEPTHS
    name = SDXL.name if known else f"a U-Net of {'-'.join(map(str, widths))}"
    return BaseShape(name, int(unet["sample_size"]) * factor, factor * 2 ** (len(widths) - 1))
