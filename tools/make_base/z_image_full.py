"""A base model with Z-Image's exact shapes and random weights: to measure with, not to paint. Imports torch.

The numbers are diffusers' own defaults for the transformer and those of FLUX.1's VAE, which Z-Image uses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from torch import nn
from transformers import Qwen3Model

from tools.make_base.full_size import qwen3_4b, write_full_size
from tools.make_base.z_image_parts import make_scheduler


def make_z_image(out: Path, *, seed: int = 7, say: Callable[[str], None] = print) -> None:
    """Write a pipeline folder of 21 GB in bfloat16 to `out`; the tokenizer's words are the tiny base's."""
    write_full_size(out, "ZImagePipeline", untrained_parts(), make_scheduler(), {}, seed, say)


def untrained_parts() -> dict[str, nn.Module]:
    """The three models on the meta device: all shapes, no values."""
    with torch.device("meta"):
        return {
            "text_encoder": Qwen3Model(qwen3_4b("Qwen3ForCausalLM")),
            "transformer": ZImageTransformer2DModel(),
            "vae": _vae(),
        }


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16, norm_num_groups=32,
        sample_size=1024, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
        use_post_quant_conv=False, force_upcast=True,
    )  # fmt: skip
