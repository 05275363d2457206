"""What bases in full size with random weights have in common where Qwen3-4B reads their prompts. Imports torch.

The models are built without memory for their weights, which are drawn and written shard by shard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Qwen3Config

from tools.make_base.klein_parts import make_tokenizer
from tools.make_base.sdxl_parts import write_part

TOKENS = 131_072
"""`model_max_length` of Qwen3's tokenizer; pipelines cut texts to 512."""
VOCABULARY = 151_936


def write_full_size(
    out: Path, pipeline: str, parts: Mapping[str, nn.Module], scheduler: Any, about: Mapping[str, object],
    seed: int, say: Callable[[str], None],
) -> None:  # fmt: skip
    """Write a pipeline folder in bfloat16 to `out`; the tokenizer's words are the tiny base's.

    `parts` lie on the meta device; `about` is what `model_index.json` says beside them.
    """
    torch.manual_seed(seed)
    for name, part in parts.items():
        stem = "model" if name == "text_encoder" else "diffusion_pytorch_model"
        write_part(part, out / name, stem, torch.bfloat16)
        say(f"{name}: {sum(weight.numel() for weight in part.parameters()):,} parameters")
    make_tokenizer(TOKENS).save_pretrained(out / "tokenizer")
    scheduler.save_pretrained(out / "scheduler")
    index = {
        "_class_name": pipeline, **about, "scheduler": ["diffusers", type(scheduler).__name__],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        **{
            name: ["transformers" if name == "text_encoder" else "diffusers", type(part).__name__]
            for name, part in parts.items()
        },
    }  # fmt: skip
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def qwen3_4b(architecture: str) -> Qwen3Config:
    """Qwen3-4B's configuration. The ends of a text are our tokenizer's."""
    tokenizer = make_tokenizer()
    return Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, max_position_embeddings=40_960, max_window_layers=36,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0}, tie_word_embeddings=True,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"), pad_token_id=tokenizer.pad_token_id,
        architectures=[architecture], dtype="bfloat16",
    )  # fmt: skip
