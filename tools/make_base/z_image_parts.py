"""The parts of a base of Z-Image's architecture: tokenizer, text encoder, VAE, transformer, schedule.

They have Z-Image's classes and module names (diffusers' `ZImagePipeline`), with fewer and narrower layers, and a VAE
that makes a latent of 4x4 pixels where Z-Image's makes one of 8x8. The tokenizer is that of klein's tiny base. Imports
torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from transformers import Qwen3Config, Qwen3Model

from tools.make_base.klein_parts import make_text_config, make_tokenizer
from tools.make_base.tiny_parts import PICTURE

TOKENS = 512
"""Tokens that a text is cut to; it is not filled up."""


@dataclass(frozen=True)
class ZImageSizes:
    """How large the parts are."""

    heads: int = 2
    """Of the transformer."""
    axes: tuple[int, int, int] = (4, 6, 6)
    """Numbers of a head that tell a token's place in the text, its row and its column: together a head's width."""
    layers: int = 2
    refiners: int = 1
    """Layers before them for the picture, and as many for the text."""
    text: int = 32
    """Width of the text encoder."""
    vae: int = 16
    """Channels of each of the VAE's three levels."""
    latent: int = 4
    """Channels of a latent."""


def make_text_encoder(sizes: ZImageSizes) -> Qwen3Model:
    """Qwen3 with four layers, of which the transformer sees what the third makes."""
    tokenizer = make_tokenizer(TOKENS)
    config: Qwen3Config = make_text_config(tokenizer, sizes.text)
    encoder = Qwen3Model(config)
    torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=0.5)
    return encoder


def make_vae(sizes: ZImageSizes) -> AutoencoderKL:
    """Z-Image's VAE with three levels in place of four, and the two numbers of its configuration."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(sizes.vae,) * 3, layers_per_block=1, latent_channels=sizes.latent, norm_num_groups=8,
        sample_size=PICTURE, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
        use_post_quant_conv=False, force_upcast=True,
    )  # fmt: skip


def make_transformer(sizes: ZImageSizes) -> ZImageTransformer2DModel:
    """Z-Image's transformer, narrower and with fewer blocks."""
    return ZImageTransformer2DModel(
        in_channels=sizes.latent, dim=sizes.heads * sum(sizes.axes), n_layers=sizes.layers,
        n_refiner_layers=sizes.refiners, n_heads=sizes.heads, n_kv_heads=sizes.heads, cap_feat_dim=sizes.text,
        axes_dims=list(sizes.axes), axes_lens=[1024, 64, 64],
    )  # fmt: skip


def make_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Z-Image's schedule, with the numbers of its scheduler_config.json: its shift is always the same."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=False)


def untrained_pipeline(sizes: ZImageSizes) -> ZImagePipeline:
    """The whole pipeline with its first, random weights, which torch's seed decides."""
    return ZImagePipeline(
        scheduler=make_scheduler(), vae=make_vae(sizes).eval(), tokenizer=make_tokenizer(TOKENS),
        text_encoder=make_text_encoder(sizes).eval(), transformer=make_transformer(sizes).eval(),
    )  # fmt: skip
