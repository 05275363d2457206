"""The names of LoRA modules: diffusers' dotted ones, and the sgm names that kohya-style files are written in.

SDXL's U-Net numbers its blocks in one row (``input_blocks.4.1``) where diffusers nests them
(``down_blocks.1.attentions.0``). kohya's files carry the former, underscored: it is the only spelling that A1111,
Forge, ComfyUI, InvokeAI and diffusers all read whole. Sources: kohya-ss/sd-scripts ``networks/lora.py`` for the
prefixes and targets, diffusers ``loaders/lora_conversion_utils.py`` for the block arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from engine.errors import LoraFileError


class Part(StrEnum):
    """The part of the base model that a module belongs to; the value is kohya's prefix."""

    UNET = "lora_unet_"
    TE1 = "lora_te1_"
    TE2 = "lora_te2_"


DENOISER = "transformer."
"""What stands before a denoiser's dotted names, as diffusers' pipelines have it, unless a family says otherwise."""

COMPONENTS = {Part.UNET: "unet", Part.TE1: "text_encoder", Part.TE2: "text_encoder_2"}
"""What diffusers' pipelines call the parts."""

TEXT_PARTS = (Part.TE1, Part.TE2)
"""The text encoders that can have a LoRA, in their order."""

SDXL_LAYERS_PER_BLOCK = 2
"""``layers_per_block`` of SDXL's U-Net, which the sgm numbers depend on."""

_TRANSFORMER_LEAVES = {
    **{f"attn{n}_to_{leaf}": f"attn{n}.to_{leaf}" for n in (1, 2) for leaf in ("q", "k", "v")},
    **{f"attn{n}_to_out_0": f"attn{n}.to_out.0" for n in (1, 2)},
    "ff_net_0_proj": "ff.net.0.proj",
    "ff_net_2": "ff.net.2",
}
"""The linears of a transformer block, underscored and dotted."""

_TEXT_LEAVES = {
    **{f"self_attn_{leaf}": f"self_attn.{leaf}" for leaf in ("q_proj", "k_proj", "v_proj", "out_proj")},
    **{f"mlp_{leaf}": f"mlp.{leaf}" for leaf in ("fc1", "fc2")},
}
"""The linears of a CLIP layer, underscored and dotted."""

_RESNET_LEAVES = {
    "in_layers_2": "conv1",
    "emb_layers_1": "time_emb_proj",
    "out_layers_3": "conv2",
    "skip_connection": "conv_shortcut",
}
"""What sgm and diffusers call the layers of a residual block."""

_UNDERSCORED_RESNET = {dotted: sgm for sgm, dotted in _RESNET_LEAVES.items()}
_UNDERSCORED_TRANSFORMER = {dotted: sgm for sgm, dotted in _TRANSFORMER_LEAVES.items()}
_UNDERSCORED_TEXT = {dotted: sgm for sgm, dotted in _TEXT_LEAVES.items()}


def name_in_file(module: str, part: Part, layers_per_block: int | None, prefix: str = DENOISER) -> str:
    """A module's name as the files that Limner writes have it.

    Args:
        module: the name inside its model.
        part: the model it is in.
        layers_per_block: of a U-Net like SDXL's; None: the base model is of a family whose files have dotted names.
        prefix: what stands before these.

    Raises:
        LoraFileError: a name that has no place in such a file.
    """
    if layers_per_block is None and part is Part.UNET:
        return f"{prefix}{module}"
    return kohya_name(module, part, layers_per_block or SDXL_LAYERS_PER_BLOCK)


def kohya_name(module: str, part: Part, layers_per_block: int = SDXL_LAYERS_PER_BLOCK) -> str:
    """kohya's name of a module.

    Args:
        module: the name inside its model, ``down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q``.
        part: the model it is in.
        layers_per_block: the U-Net's setting of that name; 2 in SDXL.

    Raises:
        LoraFileError: a name that has no place in such a file; no key is ever dropped in silence.
    """
    if part is not Part.UNET:
        return part + _text_to_kohya(module)
    per = layers_per_block + 1
    if m := re.fullmatch(r"down_blocks\.(\d+)\.(attentions|resnets)\.(\d+)\.(.+)", module):
        block = f"input_blocks_{1 + per * int(m[1]) + int(m[3])}"
        return f"{part}{block}_{_inner_to_kohya(m[2], m[4], module)}"
    if m := re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv", module):
        return f"{part}input_blocks_{per * (int(m[1]) + 1)}_0_op"
    if m := re.fullmatch(r"mid_block\.attentions\.0\.(.+)", module):
        return f"{part}middle_block_1_{_attention_to_kohya(m[1], module)}"
    if m := re.fullmatch(r"mid_block\.resnets\.([01])\.(.+)", module):
        return f"{part}middle_block_{2 * int(m[1])}_{_resnet_to_kohya(m[2], module)}"
    if m := re.fullmatch(r"up_blocks\.(\d+)\.(attentions|resnets)\.(\d+)\.(.+)", module):
        block = f"output_blocks_{per * int(m[1]) + int(m[3])}"
        return f"{part}{block}_{_inner_to_kohya(m[2], m[4], module)}"
    if m := re.fullmatch(r"up_blocks\.(\d+)\.upsamplers\.0\.conv", module):
        return f"{part}output_blocks_{per * int(m[1]) + layers_per_block}_2_conv"
    raise _unknown(module)


def diffusers_name(kohya: str, layers_per_block: int = SDXL_LAYERS_PER_BLOCK) -> tuple[Part, str]:
    """The part and diffusers' dotted name for a kohya name, the inverse of ``kohya_name``.

    Raises:
        LoraFileError: not such a name.
    """
    part = next((each for each in Part if kohya.startswith(each)), None)
    if part is None:
        raise _unknown(kohya)
    rest = kohya.removeprefix(part)
    if part is not Part.UNET:
        return part, _text_from_kohya(rest, kohya)
    per = layers_per_block + 1
    if m := re.fullmatch(r"input_blocks_(\d+)_([01])_(.+)", rest):
        index = int(m[1])
        if m[2] == "0" and m[3] == "op" and index % per == 0 and index:
            return part, f"down_blocks.{index // per - 1}.downsamplers.0.conv"
        block, layer = divmod(index - 1, per)
        if index >= 1 and layer < layers_per_block:
            return part, f"down_blocks.{block}.{_inner_from_kohya(m[2], layer, m[3], kohya)}"
    if m := re.fullmatch(r"middle_block_([012])_(.+)", rest):
        if m[1] == "1":
            return part, f"mid_block.attentions.0.{_attention_from_kohya(m[2], kohya)}"
        return part, f"mid_block.resnets.{int(m[1]) // 2}.{_resnet_from_kohya(m[2], kohya)}"
    if m := re.fullmatch(r"output_blocks_(\d+)_([012])_(.+)", rest):
        block, layer = divmod(int(m[1]), per)
        if m[2] == "2" and m[3] == "conv" and layer == layers_per_block:
            return part, f"up_blocks.{block}.upsamplers.0.conv"
        if m[2] != "2":
            return part, f"up_blocks.{block}.{_inner_from_kohya(m[2], layer, m[3], kohya)}"
    raise _unknown(kohya)


def dotted_name(underscored: str, told: str) -> str:
    """diffusers' dotted name of a U-Net's module that is spelt with underscores: ``down_blocks_1_attentions_0_…``.

    Args:
        underscored: the name without any prefix.
        told: the name that an error tells.

    Raises:
        LoraFileError: not such a name.
    """
    if m := re.fullmatch(r"(?:(down|up)_blocks_(\d+)|mid_block)_attentions_(\d+)_(.+)", underscored):
        return f"{_block(m[1], m[2])}.attentions.{m[3]}.{_attention_from_kohya(m[4], told)}"
    if m := re.fullmatch(r"(?:(down|up)_blocks_(\d+)|mid_block)_resnets_(\d+)_(.+)", underscored):
        if m[4] in _UNDERSCORED_RESNET:
            return f"{_block(m[1], m[2])}.resnets.{m[3]}.{m[4]}"
    elif m := re.fullmatch(r"(down|up)_blocks_(\d+)_(downsamplers|upsamplers)_0_conv", underscored):
        return f"{m[1]}_blocks.{m[2]}.{m[3]}.0.conv"
    raise _unknown(told)


def _block(side: str | None, number: str | None) -> str:
    return f"{side}_blocks.{number}" if side else "mid_block"


@cache
def sdxl_modules() -> Mapping[str, tuple[int, int]]:
    """Every linear that kohya trains in full-size SDXL: name to (inputs, outputs).

    722 of the U-Net, 72 of CLIP-L and 192 of OpenCLIP-bigG. Depths and widths are those of Stability AI's
    ``sd_xl_base.yaml`` (transformer depth 0, 2, 10; 640 and 1280 channels; context 2048).
    """
    modules: dict[str, tuple[int, int]] = {}
    blocks = [(f"input_blocks_{n}_1", 640, 2) for n in (4, 5)] + [(f"input_blocks_{n}_1", 1280, 10) for n in (7, 8)]
    blocks += [("middle_block_1", 1280, 10)]
    blocks += [(f"output_blocks_{n}_1", 1280, 10) for n in (0, 1, 2)]
    blocks += [(f"output_blocks_{n}_1", 640, 2) for n in (3, 4, 5)]
    for name, width, depth in blocks:
        modules[f"{Part.UNET}{name}_proj_in"] = modules[f"{Part.UNET}{name}_proj_out"] = (width, width)
        for layer, leaf in ((n, leaf) for n in range(depth) for leaf in _TRANSFORMER_LEAVES):
            modules[f"{Part.UNET}{name}_transformer_blocks_{layer}_{leaf}"] = _transformer_size(leaf, width)
    for part, width, depth in ((Part.TE1, 768, 12), (Part.TE2, 1280, 32)):
        for layer, leaf in ((n, leaf) for n in range(depth) for leaf in _TEXT_LEAVES):
            size = {"mlp_fc1": (width, 4 * width), "mlp_fc2": (4 * width, width)}.get(leaf, (width, width))
            modules[f"{part}text_model_encoder_layers_{layer}_{leaf}"] = size
    return modules


def _transformer_size(leaf: str, width: int) -> tuple[int, int]:
    if leaf in ("attn2_to_k", "attn2_to_v"):
        return 2048, width
    # GEGLU: the first linear makes both the values and their gates.
    return {"ff_net_0_proj": (width, 8 * width), "ff_net_2": (4 * width, width)}.get(leaf, (width, width))


def _inner_to_kohya(kind: str, rest: str, module: str) -> str:
    return f"1_{_attention_to_kohya(rest, module)}" if kind == "attentions" else f"0_{_resnet_to_kohya(rest, module)}"


def _inner_from_kohya(slot: str, layer: int, rest: str, kohya: str) -> str:
    if slot == "1":
        return f"attentions.{layer}.{_attention_from_kohya(rest, kohya)}"
    return f"resnets.{layer}.{_resnet_from_kohya(rest, kohya)}"


def _attention_to_kohya(rest: str, module: str) -> str:
    if rest in ("proj_in", "proj_out"):
        return rest
    m = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", rest)
    if m and m[2] in _UNDERSCORED_TRANSFORMER:
        return f"transformer_blocks_{m[1]}_{_UNDERSCORED_TRANSFORMER[m[2]]}"
    raise _unknown(module)


def _attention_from_kohya(rest: str, kohya: str) -> str:
    if rest in ("proj_in", "proj_out"):
        return rest
    m = re.fullmatch(r"transformer_blocks_(\d+)_(.+)", rest)
    if m and m[2] in _TRANSFORMER_LEAVES:
        return f"transformer_blocks.{m[1]}.{_TRANSFORMER_LEAVES[m[2]]}"
    raise _unknown(kohya)


def _resnet_to_kohya(rest: str, module: str) -> str:
    if rest not in _UNDERSCORED_RESNET:
        raise _unknown(module)
    return _UNDERSCORED_RESNET[rest]


def _resnet_from_kohya(rest: str, kohya: str) -> str:
    if rest not in _RESNET_LEAVES:
        raise _unknown(kohya)
    return _RESNET_LEAVES[rest]


def _text_to_kohya(module: str) -> str:
    # transformers 5.6 dropped "text_model." from CLIPTextModel's names and kept it in CLIPTextModelWithProjection's;
    # every reader of kohya's files wants it in both.
    m = re.fullmatch(r"(?:text_model\.)?encoder\.layers\.(\d+)\.(.+)", module)
    if m and m[2] in _UNDERSCORED_TEXT:
        return f"text_model_encoder_layers_{m[1]}_{_UNDERSCORED_TEXT[m[2]]}"
    raise _unknown(module)


def _text_from_kohya(rest: str, kohya: str) -> str:
    m = re.fullmatch(r"text_model_encoder_layers_(\d+)_(.+)", rest)
    if m and m[2] in _TEXT_LEAVES:
        return f"text_model.encoder.layers.{m[1]}.{_TEXT_LEAVES[m[2]]}"
    raise _unknown(kohya)


def _unknown(name: str) -> LoraFileError:
    return LoraFileError(
        f"{name} is not a module of an SDXL LoRA", "use a LoRA of SDXL's attention and feed-forward layers"
    )
