"""What SDXL's modules are called in kohya's, diffusers' and ComfyUI's LoRA files. No torch."""

from __future__ import annotations

import re

from engine.lora.key_formats import PROJECTION, original_beside_the_blocks
from engine.lora.layouts import Style
from engine.lora.module_names import COMPONENTS, Part, kohya_name

_COMFYS = {
    Part.UNET: "diffusion_model",
    Part.TE1: "text_encoders.clip_l.transformer",
    Part.TE2: "text_encoders.clip_g.transformer",
}


def sdxl_name(style: Style, part: Part, module: str, layers_per_block: int) -> str:
    """The name of an SDXL module in a file.

    Args:
        style: whose names the file has.
        part: where the module is.
        module: diffusers' name of it.
        layers_per_block: of the U-Net.

    Raises:
        LoraFileError: it has none there.
    """
    if style is Style.DIFFUSERS:
        return f"{COMPONENTS[part]}.{module}"
    beside = original_beside_the_blocks(module) if part is Part.UNET else module if module == PROJECTION else None
    flat = beside or kohya_name(module, part, layers_per_block).removeprefix(part)
    if style is Style.KOHYA:
        return f"{part}{flat}"
    return f"{_COMFYS[part]}.{module if part is not Part.UNET else _dotted(flat, module)}"


def _dotted(flat: str, module: str) -> str:
    """The original's name with its dots, from what it is without and from diffusers' name."""
    if ".attentions." in module:
        # Inside of them both have the same names, and some with underscores of their own.
        inside = module.split(".attentions.")[1].partition(".")[2]
        return f"{_with_dots(flat[: -len(inside) - 1])}.{inside}"
    return _with_dots(flat)


def _with_dots(flat: str) -> str:
    """``input_blocks_4_0_in_layers_2`` as ``input_blocks.4.0.in_layers.2``."""
    return re.sub(r"(\.\d+)_", r"\1.", re.sub(r"_(\d+)(?=_|$)", r".\1", flat))
