"""The parts of a tiny base of FLUX.2-klein's architecture: tokenizer, text encoder, VAE, transformer, schedule.

They have klein's classes and module names (diffusers' `Flux2KleinPipeline`), with fewer and narrower layers, and a VAE
that makes a latent of 4x4 pixels where klein's makes one of 8x8. Imports torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLFlux2,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from torch import nn
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

from engine.demo.captions import vocabulary
from tools.make_base.tiny_parts import PICTURE

TOKENS = 48
"""Tokens of a text. klein's transformer sees 512, filled up without a mask, so that each of them counts."""
LAYERS = (1, 2, 3)
"""After which of the text encoder's four layers the transformer sees its state; klein: 9, 18 and 27 of 36."""
CHAT_TEMPLATE = (
    "{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}"
    "{%- if enable_thinking is defined and enable_thinking is false -%}{{- '<think>\\n\\n</think>\\n\\n' -}}"
    "{%- endif -%}{%- endif -%}"
)
"""What Qwen3's own template makes of plain messages, without what it has for tools."""


@dataclass(frozen=True)
class KleinSizes:
    """How large the parts are; the defaults are those of the base that comes with Limner."""

    heads: int = 4
    """Of the transformer, each as wide as `head`."""
    head: int = 32
    double: int = 2
    """Blocks in which picture and text have weights of their own."""
    single: int = 6
    """Blocks in which both go through the same weights."""
    times: int = 256
    """Numbers that stand for a noise level."""
    text: int = 64
    """Width of the text encoder."""
    vae: int = 32
    """Channels of each of the VAE's three levels."""
    latent: int = 4
    """Channels of a latent; the transformer sees four neighbours as one token."""


TINY = KleinSizes()


def make_tokenizer(tokens: int = TOKENS) -> Qwen2TokenizerFast:
    """Byte-level BPE as Qwen2's, in which each of our words, with and without a space before it, is one token."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=5000, min_frequency=1, show_progress=False, initial_alphabet=alphabet)
    words = [*vocabulary(), "user", "assistant"]
    learner.train_from_iterator([*words, *(f" {word}" for word in words), "\n\n"], trainer)
    model = json.loads(learner.to_str())["model"]
    tokenizer = Qwen2TokenizerFast(
        vocab=dict(model["vocab"]), merges=[tuple(merge) for merge in model["merges"]],
        model_max_length=tokens, padding_side="right", chat_template=CHAT_TEMPLATE,
    )  # fmt: skip
    for name in ("<|im_start|>", "<|im_end|>", "<think>", "</think>"):
        tokenizer.add_tokens([AddedToken(name, special="im" in name)])
    return tokenizer


def make_text_config(tokenizer: Qwen2TokenizerFast, width: int) -> Qwen3Config:
    """Of a Qwen3 with four layers; `head_dim` does not follow the width, so it is given."""
    return Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=4,
        num_attention_heads=2, num_key_value_heads=1, head_dim=width // 2, max_position_embeddings=512,
        tie_word_embeddings=True, initializer_range=0.1, bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"), pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


def make_text_encoder(tokenizer: Qwen2TokenizerFast, sizes: KleinSizes = TINY) -> Qwen3ForCausalLM:
    """Qwen3 with four layers."""
    encoder = Qwen3ForCausalLM(make_text_config(tokenizer, sizes.text))
    nn.init.normal_(encoder.get_input_embeddings().weight, std=0.5)
    return encoder


def make_vae(sizes: KleinSizes = TINY) -> AutoencoderKLFlux2:
    """klein's VAE with three levels in place of four."""
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(sizes.vae,) * 3, layers_per_block=1, latent_channels=sizes.latent,
        norm_num_groups=8, sample_size=PICTURE,
    )  # fmt: skip
    # The default starts with latents that are nearly all noise, and a short training then never finds the picture.
    with torch.no_grad():
        vae.quant_conv.weight[sizes.latent :] *= 0.05
        vae.quant_conv.bias[sizes.latent :] = -5.0
    return vae


def make_transformer(sizes: KleinSizes = TINY) -> Flux2Transformer2DModel:
    """klein's transformer, narrower and with fewer blocks. It sees three of the text encoder's hidden states."""
    return Flux2Transformer2DModel(
        patch_size=1, in_channels=4 * sizes.latent, num_layers=sizes.double, num_single_layers=sizes.single,
        attention_head_dim=sizes.head, num_attention_heads=sizes.heads, joint_attention_dim=3 * sizes.text,
        timestep_guidance_channels=sizes.times, mlp_ratio=3.0, axes_dims_rope=(sizes.head // 4,) * 4, rope_theta=2000,
        guidance_embeds=False,
    )  # fmt: skip


def start_as_identity(transformer: Flux2Transformer2DModel) -> None:
    """Let each block begin as one that changes nothing, and the whole as one that says zero: it learns faster."""
    for name, weight in transformer.named_parameters():
        if "_modulation" in name or name in ("norm_out.linear.weight", "proj_out.weight"):
            nn.init.zeros_(weight)


def make_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """klein's schedule, with the numbers of its scheduler_config.json: its shift grows with the number of tokens."""
    return FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15,
        base_image_seq_len=256, max_image_seq_len=4096, time_shift_type="exponential",
    )  # fmt: skip


def untrained_pipeline(sizes: KleinSizes = TINY) -> Flux2KleinPipeline:
    """The whole pipeline with its first, random weights, which torch's seed decides.

    The VAE's `bn`, by which latents are normalised, begins with mean 0 and variance 1.
    """
    tokenizer = make_tokenizer()
    parts = {
        "scheduler": make_scheduler(), "vae": make_vae(sizes).eval(), "tokenizer": tokenizer,
        "text_encoder": make_text_encoder(tokenizer, sizes).eval(), "transformer": make_transformer(sizes).eval(),
    }  # fmt: skip
    return Flux2KleinPipeline(**parts, is_distilled=False)


def save(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Write a pipeline as a folder of safetensors and JSON, readable by everybody."""
    pipeline.save_pretrained(folder, safe_serialization=True)
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
