"""How LoRA files spell a module, and which module of SDXL's architecture is meant. No torch.

kohya's prefix with the original blocks (``lora_unet_input_blocks_4_1_…``) or with diffusers' own
(``lora_unet_down_blocks_1_attentions_0_…``); dotted names after a pipeline's prefix (``unet.``), PEFT's
(``base_model.model.``) or none; and the attention processors' of diffusers' first LoRAs (``….processor.to_q``).
"""

from __future__ import annotations

import re

from engine.errors import LoraFileError
from engine.training.lora_names import SDXL_LAYERS_PER_BLOCK, Part, diffusers_name, dotted_name, kohya_name

PIPELINE = {"unet.": Part.UNET, "text_encoder.": Part.TE1, "text_encoder_2.": Part.TE2}
"""What dotted names begin with in the files of diffusers' pipelines."""

PEFT = "base_model.model."
"""What PEFT's own files put before a module's name."""

PROCESSOR = ".processor.to_"

_BLOCKS = ("down_blocks", "mid_block", "up_blocks")


def has_diffusers_blocks(name: str) -> bool:
    """Whether a kohya name has diffusers' block names after its prefix, as some trainers write them."""
    return name.startswith(tuple(f"{Part.UNET}{block}_" for block in _BLOCKS))


def module_of(name: str, layers_per_block: int = SDXL_LAYERS_PER_BLOCK) -> tuple[Part, str]:
    """The part and diffusers' dotted name of a module, in whatever spelling a file has it.

    Raises:
        LoraFileError: it is no module of SDXL's architecture.
    """
    if name.startswith(tuple(Part)):
        if has_diffusers_blocks(name):
            return Part.UNET, dotted_name(name.removeprefix(Part.UNET), name)
        return diffusers_name(name, layers_per_block)
    part, module = _dotted(name)
    # Raises for what has no place in SDXL.
    kohya_name(module, part, layers_per_block)
    return part, module


def _dotted(name: str) -> tuple[Part, str]:
    part, rest = next(
        ((part, name.removeprefix(prefix)) for prefix, part in PIPELINE.items() if name.startswith(prefix)),
        (Part.UNET, name),
    )
    rest = rest.removeprefix(PEFT)
    if part is Part.UNET and not rest.startswith(_BLOCKS):
        raise LoraFileError(f"{name} is not a module of an SDXL LoRA", "use a LoRA made for SDXL")
    rest = rest.replace(PROCESSOR, ".to_")
    return part, re.sub(r"\.to_out$", ".to_out.0", rest)
