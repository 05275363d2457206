"""How LoRA files spell a module, and which module of SDXL's architecture is meant. No torch.

A spelling is what stands before a module's name and how the name is written: kohya's prefix with the original blocks
(``lora_unet_input_blocks_4_1_…``) or with diffusers' own (``lora_unet_down_blocks_1_attentions_0_…``, LCM's too);
LyCORIS' own prefix (``lycoris_…``); OneTrainer's ``unet.input_blocks.4.1.…``, ``clip_l.…`` and
``lora_unet.down_blocks.…``; ComfyUI's ``diffusion_model.…`` and ``text_encoders.clip_l.transformer.…``; a diffusers
pipeline's ``unet.…``, PEFT's ``base_model.model.…`` or nothing; and the attention processors of diffusers' first LoRAs
(``….processor.to_q``, ``….self_attn.to_q``). With its dots as underscores a name is one of two: the original's, or
diffusers'.
"""

from __future__ import annotations

import re

from engine.errors import LoraFileError
from engine.lora.module_names import SDXL_LAYERS_PER_BLOCK, Part, diffusers_name, dotted_name

PIPELINE = {"unet.": Part.UNET, "text_encoder.": Part.TE1, "text_encoder_2.": Part.TE2}
"""What dotted names begin with in the files of diffusers' pipelines."""

PEFT = "base_model.model."
"""What PEFT's own files put before a module's name."""

PROCESSOR = ".processor.to_"

_PARTS = {
    Part.UNET: ("lora_unet", "lycoris_unet", "lycoris", "unet", "model.diffusion_model", "diffusion_model"),
    Part.TE1: ("lora_te1", "lycoris_te1", "lycoris_text_encoder", "text_encoder", "clip_l", "text_encoders.clip_l"),
    Part.TE2: ("lora_te2", "lycoris_te2", "lycoris_text_encoder_2", "text_encoder_2", "clip_g", "text_encoders.clip_g"),
}
"""What a name begins with, and after it a dot or an underscore."""

_PREFIXES = sorted(
    ((f"{prefix}{mark}", part) for part, prefixes in _PARTS.items() for prefix in prefixes for mark in "._"),
    key=lambda each: -len(each[0]),
)
"""The longest first: ``text_encoder_2.`` begins with another's."""

_BLOCKS = ("down_blocks", "mid_block", "up_blocks")

_BESIDE_THE_BLOCKS = {
    "conv_in": ("conv_in", "input_blocks_0_0"),
    "conv_out": ("conv_out", "out_2"),
    "time_embedding.linear_1": ("time_embedding_linear_1", "time_embed_0"),
    "time_embedding.linear_2": ("time_embedding_linear_2", "time_embed_2"),
    "add_embedding.linear_1": ("add_embedding_linear_1", "label_emb_0_0"),
    "add_embedding.linear_2": ("add_embedding_linear_2", "label_emb_0_2"),
}
"""Layers of SDXL's U-Net that lie in no block: diffusers' name, and how files write it."""

_BESIDE = {written: module for module, names in _BESIDE_THE_BLOCKS.items() for written in names}

PROJECTION = "text_projection"
"""The linear after the layers of the second text encoder."""

_OLD_TEXT = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj", "to_out_0": "out_proj"}
"""What diffusers' first LoRAs called the linears of a text encoder."""


def has_diffusers_blocks(name: str) -> bool:
    """Whether a kohya name has diffusers' block names after its prefix, as some trainers write them."""
    return name.startswith(tuple(f"{Part.UNET}{block}_" for block in _BLOCKS))


def is_beside_the_blocks(module: str) -> bool:
    """Whether a module, by diffusers' name, lies in no block of the U-Net and in no layer of a text encoder."""
    return module in _BESIDE_THE_BLOCKS or module == PROJECTION


def original_beside_the_blocks(module: str) -> str | None:
    """The original's name, dots as underscores, of a module that lies in no block; None for one that does."""
    return _BESIDE_THE_BLOCKS[module][1] if module in _BESIDE_THE_BLOCKS else None


def module_in_file(name: str, layers_per_block: int | None) -> tuple[Part, str]:
    """The part and the dotted name of a module, in whatever spelling a file has it.

    Args:
        name: as the file spells it, without what follows the module's name.
        layers_per_block: of a U-Net like SDXL's; None: a family whose files have dotted names.

    Raises:
        LoraFileError: it is no module of such a base model.
    """
    if layers_per_block is not None:
        return module_of(name, layers_per_block)
    part, rest = _divided(name.removeprefix("transformer."))
    return (part, rest) if part is Part.UNET else (part, _text_module(part, rest.replace(".", "_"), name))


def module_of(name: str, layers_per_block: int = SDXL_LAYERS_PER_BLOCK) -> tuple[Part, str]:
    """The part and diffusers' dotted name of a module, in whatever spelling a file has it.

    A text encoder's modules are named with ``text_model.``, whatever the file and this transformers call them.

    Raises:
        LoraFileError: it is no module of SDXL's architecture.
    """
    part, rest = _divided(name)
    plain = rest.replace(PROCESSOR, ".to_").replace(".", "_")
    if part is not Part.UNET:
        return part, _text_module(part, plain, name)
    if plain in _BESIDE:
        return part, _BESIDE[plain]
    plain = re.sub(r"_to_out$", "_to_out_0", plain)
    if plain.startswith(_BLOCKS):
        return part, dotted_name(plain, name)
    try:
        return diffusers_name(f"{part}{plain}", layers_per_block)
    except LoraFileError as error:
        raise LoraFileError(f"{name} is not a module of an SDXL LoRA", "use a LoRA made for SDXL") from error


def _divided(name: str) -> tuple[Part, str]:
    """A name's part, and what follows its prefixes."""
    bare = name.removeprefix(PEFT)
    part, rest = next(
        ((part, bare.removeprefix(prefix)) for prefix, part in _PREFIXES if bare.startswith(prefix)), (Part.UNET, bare)
    )
    return part, rest.removeprefix(PEFT)


def _text_module(part: Part, plain: str, told: str) -> str:
    plain = plain.removeprefix("transformer_").removeprefix("text_model_")
    if plain == PROJECTION and part is Part.TE2:
        return PROJECTION
    if m := re.fullmatch(r"(encoder_layers_\d+_self_attn_)(\w+)", plain):
        plain = m[1] + _OLD_TEXT.get(m[2], m[2])
    try:
        return diffusers_name(f"{part}text_model_{plain}")[1]
    except LoraFileError as error:
        raise LoraFileError(f"{told} is not a module of an SDXL LoRA", "use a LoRA made for SDXL") from error
