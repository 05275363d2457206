"""LoRAs for Z-Image in every spelling, with what each module's ΔW is to be worked out here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from tests.support.lora_spellings import KOHYA, PEFT, Made


@dataclass(frozen=True)
class ZImageSpelling:
    """How a program writes a LoRA: what stands before, its own names or diffusers', how the pair ends."""

    prefix: str
    own: bool
    suffixes: tuple[str, str]
    alphas: bool = False


SPELLINGS = {
    "ours": ZImageSpelling("diffusion_model.", False, PEFT),
    "ours, alphas": ZImageSpelling("diffusion_model.", False, PEFT, alphas=True),
    "ComfyUI, kohya's ends": ZImageSpelling("diffusion_model.", False, KOHYA, alphas=True),
    "diffusers": ZImageSpelling("transformer.", False, PEFT),
    "OneTrainer": ZImageSpelling("transformer.", False, KOHYA, alphas=True),
    "bare": ZImageSpelling("", False, PEFT),
    "bare, alphas": ZImageSpelling("", False, KOHYA, alphas=True),
    "PEFT": ZImageSpelling("base_model.model.", False, PEFT),
    "kohya": ZImageSpelling("lora_unet_", False, KOHYA, alphas=True),
    "kohya, no alphas": ZImageSpelling("lora_unet_", False, KOHYA),
    "LyCORIS": ZImageSpelling("lycoris_", False, KOHYA, alphas=True),
    "OneTrainer, older": ZImageSpelling("lora_transformer_", False, KOHYA),
    "its own": ZImageSpelling("diffusion_model.", True, PEFT),
    "its own, alphas": ZImageSpelling("diffusion_model.", True, PEFT, alphas=True),
    "its own, kohya's ends": ZImageSpelling("diffusion_model.", True, KOHYA, alphas=True),
    "kohya of its own": ZImageSpelling("lora_unet_", True, KOHYA, alphas=True),
}


def linears_of(transformer: Any) -> dict[str, Any]:
    """The linears of the blocks that get a LoRA."""
    return {
        name: layer
        for name, layer in transformer.named_modules()
        if isinstance(layer, torch.nn.Linear) and name.startswith("layers.") and "adaLN" not in name
    }


def fused(lora: Mapping[str, Made]) -> dict[str, Made]:
    """The names of Z-Image's own code; q, k and v in one, block-diagonal."""
    found = {}
    for module, made in lora.items():
        block, leaf = module.rsplit(".attention.", 1) if ".attention." in module else (module, "")
        if leaf not in ("to_q", "to_k", "to_v"):
            found[module.replace("to_out.0", "out")] = made
            continue
        parts = [lora[f"{block}.attention.{each}"] for each in ("to_q", "to_k", "to_v")]
        down, up = torch.cat([each.down for each in parts]), torch.block_diag(*(each.up for each in parts))
        found[f"{block}.attention.qkv"] = Made(down, up, sum(each.alpha for each in parts))
    return found


def spelt(lora: Mapping[str, Made], spelling: ZImageSpelling) -> dict[str, torch.Tensor]:
    """A LoRA's tensors as a program writes them."""
    tensors = {}
    for name, made in (fused(lora) if spelling.own else lora).items():
        spelled = spelling.prefix + (name.replace(".", "_") if spelling.prefix.endswith("_") else name)
        up = made.up if spelling.alphas else made.up * (made.alpha / made.rank)
        tensors |= {spelled + spelling.suffixes[0]: made.down.clone(), spelled + spelling.suffixes[1]: up.clone()}
        if spelling.alphas:
            tensors[f"{spelled}.alpha"] = torch.tensor(made.alpha)
    return {name: each.contiguous() for name, each in tensors.items()}
