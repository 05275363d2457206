"""A base model with FLUX.2-klein-base-4B's exact shapes and random weights: to measure with, not to paint.

The numbers are those of the published `config.json` files (black-forest-labs/FLUX.2-klein-base-4B). Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from torch import nn
from transformers import Qwen3ForCausalLM

from tools.make_base.full_size import qwen3_4b, write_full_size
from tools.make_base.klein_parts import make_scheduler


def make_klein(out: Path, *, seed: int = 7, say: Callable[[str], None] = print) -> None:
    """Write a pipeline folder of 16 GB in bfloat16 to `out`; the tokenizer's words are the tiny base's."""
    about = {"is_distilled": False}
    write_full_size(out, "Flux2KleinPipeline", untrained_parts(), make_scheduler(), about, seed, say)


def untrained_parts() -> dict[str, nn.Module]:
    """The three models on the meta device: all shapes, no values."""
    with torch.device("meta"):
        return {
            "text_encoder": Qwen3ForCausalLM(qwen3_4b("Qwen3ForCausalLM")),
            "transformer": _transformer(),
            "vae": _vae(),
        }


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
