"""Writes a diffusers folder as the single file that Stability AI's own code, kohya and A1111 use."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OUTSIDE = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE = [
    (r"encoder\.down_blocks\.(\d+)\.resnets\.", r"encoder.down.\1.block."),
    (r"encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample."),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0", "mid.attn_1"),
    ("group_norm", "norm"),
    (r"to_([qkv])\.", r"\1."),
    (r"to_out\.0", "proj_out"),
    ("conv_norm_out", "norm_out"),
    ("conv_shortcut", "nin_shortcut"),
]


def write_single_file(folder: Path, path: Path, layers_per_block: int) -> Path:
    """All parts of a diffusers folder in one file, under their original names."""
    tensors: Tensors = {}
    for name, tensor in _weights(folder / "unet").items():
        tensors[f"model.diffusion_model.{_unet(name, layers_per_block + 1)}"] = tensor
    vae = _weights(folder / "vae")
    ups = len({name.split(".")[2] for name in vae if name.startswith("decoder.up_blocks")})
    for name, tensor in vae.items():
        new = _vae(name, ups)
        # Stability AI's attention has 1×1 convolutions where diffusers has linears.
        is_linear = ".attn_1." in new and new.endswith(".weight") and tensor.ndim == 2
        tensors[f"first_stage_model.{new}"] = tensor[:, :, None, None] if is_linear else tensor
    for name, tensor in _weights(folder / "text_encoder").items():
        tensors[f"conditioner.embedders.0.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    for name, tensor in _open_clip(_weights(folder / "text_encoder_2")).items():
        tensors[f"conditioner.embedders.1.model.{name}"] = tensor
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def _weights(folder: Path) -> Tensors:
    return load_file(next(folder.glob("*.safetensors")))


def _unet(name: str, per: int) -> str:
    for old, new in OUTSIDE.items():
        if name.startswith(f"{old}."):
            return name.replace(old, new, 1)
    m = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name)
    if m is None:
        m = re.fullmatch(r"(mid)_block\.()(resnets|attentions)\.(\d+)\.(.+)", name)
    assert m, name
    side, block, kind, layer, rest = m.groups()
    rest = _resnet(rest) if kind == "resnets" else rest
    if side == "mid":
        return f"middle_block.{1 if kind == 'attentions' else 2 * int(layer)}.{rest}"
    slot = {"resnets": 0, "attentions": 1}.get(kind)
    if side == "down":
        if kind == "downsamplers":
            return f"input_blocks.{per * (int(block) + 1)}.0.{rest.replace('conv', 'op')}"
        return f"input_blocks.{1 + per * int(block) + int(layer)}.{slot}.{rest}"
    if kind == "upsamplers":
        return f"output_blocks.{per * int(block) + per - 1}.2.{rest}"
    return f"output_blocks.{per * int(block) + int(layer)}.{slot}.{rest}"


def _resnet(rest: str) -> str:
    head, _, tail = rest.partition(".")
    return f"{RESNET[head]}.{tail}"


def _vae(name: str, ups: int) -> str:
    if m := re.match(r"decoder\.up_blocks\.(\d+)\.(.+)", name):
        rest = m[2].replace("resnets.", "block.").replace("upsamplers.0.", "upsample.")
        name = f"decoder.up.{ups - 1 - int(m[1])}.{rest}"
    for old, new in VAE:
        name = re.sub(old, new, name)
    return name


def _open_clip(tensors: Tensors) -> Tensors:
    found: Tensors = {}
    plain = {name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    for name, tensor in plain.items():
        if m := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)", name):
            block, rest = f"transformer.resblocks.{m[1]}", m[2]
            if q := re.fullmatch(r"self_attn\.q_proj\.(weight|bias)", rest):
                layer = f"encoder.layers.{m[1]}.self_attn"
                whole = torch.cat([plain[f"{layer}.{each}_proj.{q[1]}"] for each in "qkv"])
                found[f"{block}.attn.in_proj_{q[1]}"] = whole
            elif not re.match(r"self_attn\.[kv]_proj", rest):
                for old, new in (
                    ("self_attn.", "attn."),
                    ("layer_norm", "ln_"),
                    ("mlp.fc1", "mlp.c_fc"),
                    ("mlp.fc2", "mlp.c_proj"),
                ):
                    rest = rest.replace(old, new)
                found[f"{block}.{rest}"] = tensor
    found["positional_embedding"] = plain["embeddings.position_embedding.weight"]
    found["token_embedding.weight"] = plain["embeddings.token_embedding.weight"]
    found["ln_final.weight"] = plain["final_layer_norm.weight"]
    found["ln_final.bias"] = plain["final_layer_norm.bias"]
    found["text_projection"] = plain["text_projection.weight"].T
    return found
