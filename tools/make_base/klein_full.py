"""A base model with FLUX.2-klein-base-4B's exact shapes and random weights: to measure with, not to paint.

The numbers are those of the published `config.json` files (black-forest-labs/FLUX.2-klein-base-4B). The models are
built without memory for their weights, which are drawn and written shard by shard. Imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from torch import nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from tools.make_base.klein_parts import make_scheduler, make_tokenizer
from tools.make_base.sdxl_parts import write_part

TOKENS = 131_072
"""`model_max_length` of Qwen3's tokenizer; the pipeline fills texts up to 512."""
VOCABULARY = 151_936


def make_klein(out: Path, *, seed: int = 7, say: Callable[[str], None] = print) -> None:
    """Write a pipeline folder of 16 GB in bfloat16 to `out`; the tokenizer's words are the tiny base's."""
    torch.manual_seed(seed)
    for name, part in untrained_parts().items():
        stem = "model" if name == "text_encoder" else "diffusion_pytorch_model"
        write_part(part, out / name, stem, torch.bfloat16)
        say(f"{name}: {sum(weight.numel() for weight in part.parameters()):,} parameters")
    make_tokenizer(TOKENS).save_pretrained(out / "tokenizer")
    make_scheduler().save_pretrained(out / "scheduler")
    index = {
        "_class_name": "Flux2KleinPipeline", "is_distilled": False,
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3ForCausalLM"], "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "Flux2Transformer2DModel"], "vae": ["diffusers", "AutoencoderKLFlux2"],
    }  # fmt: skip
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def untrained_parts() -> dict[str, nn.Module]:
    """The three models on the meta device: all shapes, no values."""
    with torch.device("meta"):
        return {"text_encoder": Qwen3ForCausalLM(_text_config()), "transformer": _transformer(), "vae": _vae()}


def _text_config() -> Qwen3Config:
    """Qwen3-4B's. The ends of a text are our tokenizer's."""
    tokenizer = make_tokenizer()
    return Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=40_960, max_window_layers=36,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0}, tie_word_embeddings=True,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"), pad_token_id=tokenizer.pad_token_id,
        architectures=["Qwen3ForCausalLM"], dtype="bfloat16",
    )  # fmt: skip


def _transformer() -> Flux2Transformer2DModel:
    return Flux2Transformer2DModel(
        patch_size=1, in_channels=128, num_layers=5, num_single_layers=20, attention_head_dim=128,
        num_attention_heads=24, joint_attention_dim=7680, timestep_guidance_channels=256, mlp_ratio=3.0,
        axes_dims_rope=(32, 32, 32, 32), rope_theta=2000, guidance_embeds=False,
    )  # fmt: skip


def _vae() -> AutoencoderKLFlux2:
    return AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=32, norm_num_groups=32,
        sample_size=1024, patch_size=(2, 2),
    )  # fmt: skip
