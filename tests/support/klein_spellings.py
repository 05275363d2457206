"""LoRAs for FLUX.2 klein in every spelling, with what each module's ΔW is to be worked out here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tests.support.lora_spellings import KOHYA, PEFT, Made

BFL = {
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "ff.linear_in": "img_mlp.0",
    "ff.linear_out": "img_mlp.2",
    "ff_context.linear_in": "txt_mlp.0",
    "ff_context.linear_out": "txt_mlp.2",
    "attn.to_qkv_mlp_proj": "linear1",
    "attn.to_out": "linear2",
}
FUSED = {"img_attn": ("to_q", "to_k", "to_v"), "txt_attn": ("add_q_proj", "add_k_proj", "add_v_proj")}


@dataclass(frozen=True)
class KleinSpelling:
    """How a program writes a LoRA: what stands before, BFL's names or diffusers', underscores, how the pair ends."""

    prefix: str
    bfl: bool
    suffixes: tuple[str, str]
    alphas: bool = False

    @property
    def flat(self) -> bool:
        """Whether its names have underscores for dots."""
        return self.prefix.endswith("_")


SPELLINGS = {
    "diffusers": KleinSpelling("transformer.", False, PEFT),
    "diffusers' names for ComfyUI": KleinSpelling("diffusion_model.", False, PEFT),
    "PEFT": KleinSpelling("base_model.model.", False, PEFT),
    "bare": KleinSpelling("", False, PEFT),
    "OneTrainer": KleinSpelling("transformer.", False, KOHYA, alphas=True),
    "kohya, diffusers' names": KleinSpelling("lora_unet_", False, KOHYA),
    "kohya, diffusers' names, alphas": KleinSpelling("lora_transformer_", False, KOHYA, alphas=True),
    "LyCORIS": KleinSpelling("lycoris_", False, KOHYA, alphas=True),
    "BFL": KleinSpelling("diffusion_model.", True, PEFT),
    "BFL, alphas": KleinSpelling("diffusion_model.", True, PEFT, alphas=True),
    "BFL in PEFT": KleinSpelling("base_model.model.", True, PEFT),
    "BFL, bare": KleinSpelling("", True, KOHYA),
    "kohya": KleinSpelling("lora_unet_", True, KOHYA),
    "kohya, alphas": KleinSpelling("lora_unet_", True, KOHYA, alphas=True),
}


def linears_of(transformer: Any) -> dict[str, Any]:
    """The linears of the blocks."""
    return {
        name: layer
        for name, layer in transformer.named_modules()
        if isinstance(layer, torch.nn.Linear) and "transformer_blocks." in name
    }


def make(layers: Mapping[str, Any], rank: int = 4, alpha: float = 2.0, seed: int = 0) -> dict[str, Made]:
    """A LoRA on each linear."""
    chance = torch.Generator().manual_seed(seed)
    found = {}
    for name, layer in layers.items():
        outputs, inputs = layer.weight.shape
        down = torch.randn(rank, inputs, generator=chance) * 0.1
        found[name] = Made(down, torch.randn(outputs, rank, generator=chance) * 0.1, alpha)
    return found


def fused(lora: Mapping[str, Made]) -> dict[str, Made]:
    """BFL's names; q, k and v in one, block-diagonal."""
    found = {}
    for module, made in lora.items():
        kind, number, leaf = module.split(".", 2)
        blocks = "single_blocks" if kind.startswith("single") else "double_blocks"
        if leaf in BFL:
            found[f"{blocks}.{number}.{BFL[leaf]}"] = made
            continue
        stream, three = next(each for each in FUSED.items() if leaf.removeprefix("attn.") in each[1])
        parts = [lora[f"{kind}.{number}.attn.{each}"] for each in three]
        down, up = torch.cat([each.down for each in parts]), torch.block_diag(*(each.up for each in parts))
        found[f"{blocks}.{number}.{stream}.qkv"] = Made(down, up, sum(each.alpha for each in parts))
    return found


def spelt(lora: Mapping[str, Made], spelling: KleinSpelling) -> dict[str, torch.Tensor]:
    """A LoRA's tensors as a program writes them."""
    tensors = {}
    for name, made in (fused(lora) if spelling.bfl else lora).items():
        spelled = spelling.prefix + (name.replace(".", "_") if spelling.flat else name)
        up = made.up if spelling.alphas else made.up * (made.alpha / made.rank)
        tensors |= {spelled + spelling.suffixes[0]: made.down.clone(), spelled + spelling.suffixes[1]: up.clone()}
        if spelling.alphas:
            tensors[f"{spelled}.alpha"] = torch.tensor(made.alpha)
    return {name: each.contiguous() for name, each in tensors.items()}
