"""LoRAs for the tiny base model in every spelling, with what each is to do to every module (ΔW) worked out here."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Place = tuple[str, str]
"""The pipeline's part (``unet``, ``text_encoder``, ``text_encoder_2``) and the layer's name, text encoders' without
``text_model.``."""

PER = 2
"""Layers of a block and one: the tiny base has one residual block in each of its blocks."""

RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}

BESIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def sgm(name: str, per: int = PER) -> str:
    """A U-Net's module by the original's names, dotted, as ``unet.py`` of diffusers' conversion script has them."""
    if name in BESIDE:
        return BESIDE[name]
    if m := re.fullmatch(r"mid_block\.attentions\.0\.(.+)", name):
        return f"middle_block.1.{m[1]}"
    if m := re.fullmatch(r"mid_block\.resnets\.(\d)\.(.+)", name):
        return f"middle_block.{2 * int(m[1])}.{RESNET[m[2]]}"
    if m := re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv", name):
        return f"input_blocks.{per * (int(m[1]) + 1)}.0.op"
    if m := re.fullmatch(r"up_blocks\.(\d+)\.upsamplers\.0\.conv", name):
        return f"output_blocks.{per * int(m[1]) + per - 1}.2.conv"
    m = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(attentions|resnets)\.(\d+)\.(.+)", name)
    assert m, name
    number = per * int(m[2]) + int(m[4])
    block = f"input_blocks.{1 + number}" if m[1] == "down" else f"output_blocks.{number}"
    return f"{block}.1.{m[5]}" if m[3] == "attentions" else f"{block}.0.{RESNET[m[5]]}"


def _flat(prefixes: tuple[str, str, str], name: Callable[[str], str] = lambda each: each) -> Callable[..., str]:
    def spell(part: str, module: str) -> str:
        at = ("unet", "text_encoder", "text_encoder_2").index(part)
        module = name(module) if part == "unet" else _text(module)
        return prefixes[at] + module.replace(".", "_")

    return spell


def _dotted(prefixes: tuple[str, str, str], name: Callable[[str], str] = lambda each: each) -> Callable[..., str]:
    def spell(part: str, module: str) -> str:
        at = ("unet", "text_encoder", "text_encoder_2").index(part)
        return prefixes[at] + (name(module) if part == "unet" else _text(module))

    return spell


def _text(module: str) -> str:
    return module if module == "text_projection" else f"text_model.{module}"


def _processors(part: str, module: str) -> str:
    if part == "unet":
        module = re.sub(r"\.(attn\d)\.to_", r".\1.processor.to_", module).replace(".to_out.0", ".to_out")
        return f"unet.{module}"
    module = _text(module)
    for old, new in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("out_proj", "to_out")):
        module = module.replace(old, new)
    return f"{part}.{module}"


KOHYA, PEFT = (".lora_down.weight", ".lora_up.weight"), (".lora_A.weight", ".lora_B.weight")
LORA, UNDERSCORED = (".lora.down.weight", ".lora.up.weight"), ("_lora.down.weight", "_lora.up.weight")
NAMED = (".lora_A.default.weight", ".lora_B.default.weight")
LINEAR = (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight")


@dataclass(frozen=True)
class Spelling:
    """How a program writes a LoRA."""

    name: Callable[[str, str], str]
    suffixes: tuple[str, str]
    texts: bool = True
    """Whether it has names for text encoders."""


_LORA = ("lora_unet_", "lora_te1_", "lora_te2_")
_PIPE = ("unet.", "text_encoder.", "text_encoder_2.")
_COMFY = ("diffusion_model.", "text_encoders.clip_l.transformer.", "text_encoders.clip_g.transformer.")

SPELLINGS = {
    "kohya": Spelling(_flat(_LORA, sgm), KOHYA),
    "kohya with diffusers' blocks, as LCM's": Spelling(_flat(_LORA), KOHYA),
    "OneTrainer": Spelling(_dotted(("unet.", "clip_l.", "clip_g."), sgm), KOHYA),
    "OneTrainer, diffusers' blocks": Spelling(_dotted(("lora_unet.", "lora_te1.", "lora_te2.")), KOHYA),
    "ComfyUI": Spelling(_dotted(_COMFY, sgm), KOHYA),
    "ComfyUI in PEFT's suffixes": Spelling(_dotted(_COMFY, sgm), PEFT),
    "the original's names alone": Spelling(_dotted(("", "", ""), sgm), KOHYA, texts=False),
    "diffusers": Spelling(_dotted(_PIPE), PEFT),
    "diffusers, older": Spelling(_dotted(_PIPE), LORA),
    "diffusers, older text encoders": Spelling(_dotted(_PIPE), LINEAR),
    "attention processors": Spelling(_processors, UNDERSCORED),
    "diffusers without a prefix": Spelling(_dotted(("", "", "")), PEFT, texts=False),
    "PEFT": Spelling(_dotted(("base_model.model.", "", "")), PEFT, texts=False),
    "PEFT in a pipeline, by its adapter's name": Spelling(
        _dotted(tuple(f"{each}base_model.model." for each in _PIPE)), NAMED
    ),
    "LyCORIS": Spelling(_flat(("lycoris_", "lycoris_te1_", "lycoris_te2_")), KOHYA),
}
"""Every way in which files name SDXL's modules."""


@dataclass(frozen=True)
class Made:
    """One module's part of a LoRA."""

    down: torch.Tensor
    up: torch.Tensor
    alpha: float
    mid: torch.Tensor | None = None

    @property
    def rank(self) -> int:
        """What alpha is divided by."""
        return self.down.shape[0]

    def delta(self, scale: float | None = None) -> torch.Tensor:
        """ΔW."""
        scale = self.alpha / self.rank if scale is None else scale
        if self.mid is not None:
            return torch.einsum("op,pqhw,qi->oihw", self.up.flatten(1), self.mid, self.down.flatten(1)) * scale
        return (self.up.flatten(1) @ self.down.flatten(1) * scale).reshape(self.up.shape[0], *self.down.shape[1:])


def layers_of(pipeline: Any, convs: bool = True, texts: bool = True) -> dict[Place, Any]:
    """Every linear and convolution that LoRAs are known for."""
    parts = ("unet", "text_encoder", "text_encoder_2") if texts else ("unet",)
    kinds = (torch.nn.Linear, torch.nn.Conv2d) if convs else (torch.nn.Linear,)
    return {
        (part, name.removeprefix("text_model.")): layer
        for part in parts
        for name, layer in getattr(pipeline, part).named_modules()
        if isinstance(layer, kinds)
    }


def make(layers: Mapping[Place, Any], seed: int = 0, ranks: Iterable[int] = range(1, 9)) -> dict[Place, Made]:
    """A LoRA with another rank in each module, and alpha = rank."""
    chance, choose = torch.Generator().manual_seed(seed), random.Random(seed)
    found: dict[Place, Made] = {}
    for place, layer in layers.items():
        rank, weight = choose.choice(list(ranks)), layer.weight
        down = torch.randn(rank, *weight.shape[1:], generator=chance) * 0.1
        up = torch.randn(weight.shape[0], rank, *[1] * (weight.dim() - 2), generator=chance) * 0.1
        found[place] = Made(down, up, float(rank))
    return found


def spelt(
    lora: Mapping[Place, Made], spelling: Spelling, alphas: bool = True, more: Mapping[str, Callable[..., Any]] = {}
) -> dict[str, torch.Tensor]:
    """A LoRA's tensors as a program writes them.

    Args:
        lora: by module.
        spelling: how.
        alphas: whether each module has a tensor for its alpha.
        more: suffix to what gives its tensor for a place, or None.
    """
    tensors: dict[str, torch.Tensor] = {}
    for place, made in lora.items():
        name = spelling.name(*place)
        tensors |= {name + spelling.suffixes[0]: made.down, name + spelling.suffixes[1]: made.up}
        if made.mid is not None:
            tensors[f"{name}.lora_mid.weight"] = made.mid
        if alphas:
            tensors[f"{name}.alpha"] = torch.tensor(made.alpha)
        for suffix, value in more.items():
            if (tensor := value(place)) is not None:
                tensors[name + suffix] = tensor
    return {name: each.clone().contiguous() for name, each in tensors.items()}


def written(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, object] | None = None) -> Path:
    """The tensors as a file; what is told about them as diffusers' adapter metadata."""
    metadata = {"format": "pt"} | ({"lora_adapter_metadata": json.dumps(about)} if about is not None else {})
    save_file(dict(tensors), path, metadata)
    return path


def look(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """An input for a layer, always the same, and what the layer makes of it."""
    chance = torch.Generator().manual_seed(7)
    width = layer.weight.shape[1]
    shape = (2, 5, width) if layer.weight.dim() == 2 else (1, width, 6, 6)
    x = torch.randn(shape, generator=chance)
    with torch.no_grad():
        return x, layer(x)


def with_weight(layer: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What a layer would make of an input with another weight."""
    if weight.dim() == 2:
        return torch.nn.functional.linear(x, weight, layer.bias)
    return torch.nn.functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding, layer.dilation)
