"""A base model with SDXL's exact shapes and random weights: to measure speed and memory, not to paint. Imports torch.

The models are built without memory for their weights; each weight is then drawn and written with its shard, so that
no more than one shard of about a gigabyte is held at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tools.make_base.tiny_parts import CONTEXT, make_tokenizers, name_as_sdxl, scheduler

SHARD_BYTES = 1_000_000_000
VOCABULARY = 49408


def make_sdxl(out: Path, *, seed: int = 7, say: Callable[[str], None] = print) -> None:
    """Write a pipeline folder of 6.9 GB in half precision to `out`; the tokenizers are the tiny base's."""
    torch.manual_seed(seed)
    parts = untrained_parts()
    for name, part in parts.items():
        stem = "model" if name.startswith("text") else "diffusion_pytorch_model"
        write_part(part, out / name, stem)
        say(f"{name}: {sum(weight.numel() for weight in part.parameters()):,} parameters")
    name_as_sdxl(out / "text_encoder" / "model.safetensors")
    tokenizer, tokenizer_2 = make_tokenizers()
    tokenizer.save_pretrained(out / "tokenizer")
    tokenizer_2.save_pretrained(out / "tokenizer_2")
    scheduler().save_pretrained(out / "scheduler")
    (out / "model_index.json").write_text(json.dumps(_model_index(parts), indent=2) + "\n")


def untrained_parts() -> dict[str, nn.Module]:
    """The four models on the meta device: all shapes, no values."""
    tokenizer, _ = make_tokenizers()
    with torch.device("meta"):
        return {
            "text_encoder": CLIPTextModel(_first_text_config(tokenizer)),
            "text_encoder_2": CLIPTextModelWithProjection(_second_text_config(tokenizer)),
            "unet": _unet(),
            "vae": _vae(),
        }


def _config_text(part: Any) -> str:
    """transformers keeps this with the configuration, diffusers with the model."""
    holder = part.config if hasattr(part.config, "to_json_string") else part
    return str(holder.to_json_string())


def _model_index(parts: dict[str, nn.Module]) -> dict[str, object]:
    classes = {
        name: ["transformers" if name.startswith("text") else "diffusers", type(part).__name__]
        for name, part in parts.items()
    }
    others = {name: ["transformers", "CLIPTokenizer"] for name in ("tokenizer", "tokenizer_2")}
    return {
        "_class_name": "StableDiffusionXLPipeline", "add_watermarker": False, "force_zeros_for_empty_prompt": True,
        "scheduler": ["diffusers", "EulerDiscreteScheduler"], **classes, **others,
        "image_encoder": [None, None], "feature_extractor": [None, None],
    }  # fmt: skip


def write_part(part: nn.Module, folder: Path, stem: str, dtype: torch.dtype = torch.float16) -> None:
    """Write the configuration of `part`, which may lie on the meta device, and random weights in shards."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(_config_text(part))
    shards = list(_shards(part))
    where: dict[str, str] = {}
    total = 0
    for number, names in enumerate(shards, start=1):
        file = f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors" if len(shards) > 1 else f"{stem}.safetensors"
        weights = {name: _random_weight(name, shape, dtype) for name, shape in names.items()}
        save_file(weights, folder / file, metadata={"format": "pt"})
        where.update(dict.fromkeys(weights, file))
        total += sum(weight.nbytes for weight in weights.values())
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": where}
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=1))


def _shards(part: nn.Module) -> Iterator[dict[str, torch.Size]]:
    """Names and shapes; a matrix that has two names is written under the first, as transformers does it."""
    own = {name for named in (part.named_parameters(), part.named_buffers()) for name, _ in named}
    shard: dict[str, torch.Size] = {}
    held = 0
    for name, weight in part.state_dict().items():
        if name not in own:
            continue
        held += 2 * weight.numel()
        if shard and held > SHARD_BYTES:
            yield shard
            shard, held = {}, 2 * weight.numel()
        shard[name] = weight.shape
    yield shard


def _random_weight(name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    """Small enough that nothing overflows in half precision: norms keep what they get, biases add nothing."""
    if not shape:
        return torch.zeros(shape, dtype=torch.int64)  # how many batches a batch norm has seen
    if name.endswith(("bias", "running_mean")):
        return torch.zeros(shape, dtype=dtype)
    if len(shape) == 1:
        return torch.ones(shape, dtype=dtype)
    return (0.02 * torch.randn(shape)).to(dtype)


def _first_text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=768, intermediate_size=3072, projection_dim=768, num_hidden_layers=12,
        num_attention_heads=12, max_position_embeddings=CONTEXT, hidden_act="quick_gelu", **_ends(tokenizer),
        pad_token_id=tokenizer.eos_token_id, architectures=["CLIPTextModel"], dtype="float16",
    )  # fmt: skip


def _second_text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=VOCABULARY, hidden_size=1280, intermediate_size=5120, projection_dim=1280, num_hidden_layers=32,
        num_attention_heads=20, max_position_embeddings=CONTEXT, hidden_act="gelu", **_ends(tokenizer),
        pad_token_id=0, architectures=["CLIPTextModelWithProjection"], dtype="float16",
    )  # fmt: skip


def _ends(tokenizer: CLIPTokenizer) -> dict[str, int]:
    return {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=128, in_channels=4, out_channels=4, block_out_channels=(320, 640, 1280), layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10), attention_head_dim=(5, 10, 20), cross_attention_dim=2048,
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )  # fmt: skip


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=1024,
        scaling_factor=0.13025, force_upcast=True,
    )  # fmt: skip
