"""A base model of FLUX.2 klein's architecture with random weights, small enough to load in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

from engine.demo.captions import vocabulary

TOKENS = 48
"""Tokens of a text."""

TEMPLATE = (
    "{%- for message in messages -%}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def small_klein(folder: Path, seed: int = 0) -> Path:
    """Writes one into a folder: pictures of 64 × 64, latents of 16 × 8 × 8."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = _pipeline()
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _pipeline() -> Flux2KleinPipeline:
    tokenizer = _tokenizer()
    encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 16, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
    )
    vae.bn.running_mean.normal_(std=0.3)
    vae.bn.running_var.uniform_(0.5, 1.5)
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=96,
        timestep_guidance_channels=32,
        mlp_ratio=3.0,
        axes_dims_rope=(4, 4, 4, 4),
        rope_theta=2000,
        guidance_embeds=False,
    )
    scheduler = FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000,
        shift=3.0,
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=256,
        max_image_seq_len=4096,
        time_shift_type="exponential",
    )
    return Flux2KleinPipeline(scheduler, vae.eval(), encoder.eval(), tokenizer, transformer.eval())


def _tokenizer() -> Qwen2TokenizerFast:
    """Byte-level BPE as Qwen2's, with the demo's words."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=2000, min_frequency=1, show_progress=False, initial_alphabet=alphabet)
    words = [*vocabulary(), "user", "assistant"]
    learner.train_from_iterator([*words, *(f" {word}" for word in words)], trainer)
    model = json.loads(learner.to_str())["model"]
    tokenizer = Qwen2TokenizerFast(
        vocab=dict(model["vocab"]),
        merges=[tuple(merge) for merge in model["merges"]],
        model_max_length=TOKENS,
        padding_side="right",
        chat_template=TEMPLATE,
    )
    for name in ("<|im_start|>", "<|im_end|>"):
        tokenizer.add_tokens([AddedToken(name, special=True)])
    return tokenizer
