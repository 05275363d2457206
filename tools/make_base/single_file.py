"""A base model as one file with the names of Stability AI's SDXL checkpoints, as most SDXL models are published.

Imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tools.make_base.tiny_parts import TinyBase

RENAMED_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
RENAMED_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
RENAMED_VAE = {
    "mid_block.attentions.0": "mid.attn_1",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "resnets": "block",
    "down_blocks": "down",
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
    "group_norm": "norm",
    "to_out.0": "proj_out",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
}
RENAMED_TEXT = {
    "text_model.encoder.layers": "transformer.resblocks",
    "text_model.final_layer_norm": "ln_final",
    "text_model.embeddings.token_embedding": "token_embedding",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn": "attn",
}


def write_single_file(base: TinyBase, path: Path) -> None:
    """Write all weights of `base` to one safetensors file in half precision.

    It holds no tokenizer and no sizes: who loads it needs the base's folder as the configuration.
    """
    per_block = int(base.unet.config.layers_per_block)
    levels = len(base.vae.config.block_out_channels)
    weights = {f"model.diffusion_model.{unet_name(n, per_block)}": w for n, w in base.unet.state_dict().items()}
    for name, weight in base.vae.state_dict().items():
        flat = "mid_block.attentions" in name and name.endswith("weight") and weight.ndim == 2
        weights[f"first_stage_model.{vae_name(name, levels)}"] = weight[:, :, None, None] if flat else weight
    for name, weight in base.text_encoder.state_dict().items():
        weights[f"conditioner.embedders.0.transformer.text_model.{name.removeprefix('text_model.')}"] = weight
    for name, weight in openclip_weights(base.text_encoder_2.state_dict()).items():
        weights[f"conditioner.embedders.1.model.{name}"] = weight
    save_file({name: weight.detach().half().contiguous().clone() for name, weight in weights.items()}, path)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for ours, theirs in names.items():
        name = re.sub(rf"(^|\.){re.escape(ours)}(\.|$)", rf"\g<1>{theirs}\g<2>", name)
    return name


def unet_name(name: str, layers_per_block: int) -> str:
    """The name of a UNet weight in such a file: its blocks are numbered in one row."""
    per = layers_per_block + 1
    if found := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name):
        way, block, kind, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
        if kind == "downsamplers":
            return f"input_blocks.{per * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
        if kind == "upsamplers":
            return f"output_blocks.{per * block + layers_per_block}.2.{rest}"
        row = f"input_blocks.{1 + per * block + layer}" if way == "down" else f"output_blocks.{per * block + layer}"
        return f"{row}.1.{rest}" if kind == "attentions" else f"{row}.0.{_renamed(rest, RENAMED_RESNET)}"
    if found := re.fullmatch(r"mid_block\.(attentions|resnets)\.(\d)\.(.+)", name):
        if found[1] == "attentions":
            return f"middle_block.1.{found[3]}"
        return f"middle_block.{2 * int(found[2])}.{_renamed(found[3], RENAMED_RESNET)}"
    return _renamed(name, RENAMED_UNET)


def vae_name(name: str, levels: int) -> str:
    """The name of a VAE weight in such a file, which counts the decoder's levels from the largest picture."""
    name = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{levels - 1 - int(found[1])}", name)
    return _renamed(name, RENAMED_VAE)


def openclip_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The second text encoder in OpenCLIP's form, where query, key and value are one matrix."""
    written: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if found := re.fullmatch(r"(.+)\.self_attn\.q_proj\.(weight|bias)", name):
            joined = [weights[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            written[f"{_renamed(found[1], RENAMED_TEXT)}.attn.in_proj_{found[2]}"] = torch.cat(joined)
        elif name == "text_projection.weight":
            written["text_projection"] = weight.T
        elif not re.search(r"\.(k_proj|v_proj)\.|position_ids", name):
            written[_renamed(name, RENAMED_TEXT)] = weight
    return written
