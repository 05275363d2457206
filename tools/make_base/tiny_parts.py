"""The tiny base's parts, with SDXL's module names: tokenizers, text encoders, UNet, VAE, noise schedule.

Imports torch.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from engine.demo.captions import vocabulary

PICTURE = 64
"""Side of the tiny base's pictures, in pixels."""
CONTEXT = 77
"""Tokens in a prompt, as in CLIP."""
NOISE_STEPS = 1000
BETAS = (0.00085, 0.012)
"""The noise added at the first and the last step, as SDXL has it."""


def make_tokenizers() -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """SDXL's two CLIP tokenizers over our own vocabulary; they differ in the padding token, as SDXL's do."""
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=5000, min_frequency=1, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator(vocabulary(), trainer)
    merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet(), key=lambda letter: (letter != "!", letter))
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge) for merge in merges)]
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    vocab = {token: i for i, token in enumerate(tokens)}

    def tokenizer(pad: str) -> CLIPTokenizer:
        end = "<|endoftext|>"
        return CLIPTokenizer(
            vocab=vocab, merges=merges, model_max_length=CONTEXT,
            bos_token="<|startoftext|>", eos_token=end, unk_token=end, pad_token=pad,
        )  # fmt: skip

    return tokenizer("<|endoftext|>"), tokenizer("!")


def tiny_vae() -> AutoencoderKL:
    """SDXL's VAE with three levels in place of four, so that a latent covers 4x4 pixels."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 32, 32), layers_per_block=1, latent_channels=4,
        norm_num_groups=8, sample_size=PICTURE, force_upcast=False,
    )  # fmt: skip
    # The default starts with latents that are nearly all noise, and a short training then never finds the picture.
    with torch.no_grad():
        vae.quant_conv.weight[4:] *= 0.05
        vae.quant_conv.bias[4:] = -5.0
    return vae


def tiny_unet(text_width: int, pooled_width: int) -> UNet2DConditionModel:
    """SDXL's UNet with narrower levels and one layer where SDXL has up to ten."""
    time_width = 8
    return UNet2DConditionModel(
        sample_size=PICTURE // 4, in_channels=4, out_channels=4, block_out_channels=(32, 64, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 1), attention_head_dim=(1, 2, 4), cross_attention_dim=text_width,
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=time_width,
        projection_class_embeddings_input_dim=6 * time_width + pooled_width, norm_num_groups=8,
    )  # fmt: skip


def tiny_text_encoders(tokenizer: CLIPTokenizer) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """SDXL's two CLIP text encoders, 32 and 64 wide."""

    def config(width: int, activation: str, pad: int) -> CLIPTextConfig:
        return CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width, projection_dim=width,
            num_hidden_layers=3, num_attention_heads=2, max_position_embeddings=CONTEXT, hidden_act=activation,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=pad,
        )  # fmt: skip

    first = CLIPTextModel(config(32, "quick_gelu", tokenizer.eos_token_id))
    second = CLIPTextModelWithProjection(config(64, "gelu", 0))
    for encoder in (first, second):
        tokens, positions = encoder.get_input_embeddings(), _position_embedding(encoder)
        nn.init.normal_(tokens.weight, std=0.3)
        # Waves tell neighbours from the start, so that "blue" soon belongs to the word that follows it.
        angles = torch.arange(CONTEXT)[:, None] * torch.logspace(0, -2, positions.embedding_dim // 2)
        positions.weight.data = 0.2 * torch.cat([angles.sin(), angles.cos()], dim=1)
    return first, second


def _position_embedding(encoder: nn.Module) -> nn.Embedding:
    (found,) = (part for name, part in encoder.named_modules() if name.endswith("position_embedding"))
    assert isinstance(found, nn.Embedding)
    return found


@dataclass
class TinyBase:
    """The parts of a pipeline while they learn."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    text_encoder_2: CLIPTextModelWithProjection
    tokenizer: CLIPTokenizer
    tokenizer_2: CLIPTokenizer

    @classmethod
    def untrained(cls) -> TinyBase:
        """All parts with their first, random weights."""
        tokenizer, tokenizer_2 = make_tokenizers()
        first, second = tiny_text_encoders(tokenizer)
        width = first.config.hidden_size + second.config.hidden_size
        unet = tiny_unet(width, second.config.projection_dim)
        return cls(tiny_vae(), unet, first, second, tokenizer, tokenizer_2)

    @classmethod
    def load(cls, folder: Path) -> TinyBase:
        """The parts of a base that was saved, in full precision."""
        saved = StableDiffusionXLPipeline.from_pretrained(folder).to(torch.float32)
        return cls(saved.vae, saved.unet, saved.text_encoder, saved.text_encoder_2, saved.tokenizer, saved.tokenizer_2)

    def encode(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Text as the UNet takes it: [n, 77, 96] a token, [n, 64] a prompt."""

        def ids(tokenizer: CLIPTokenizer) -> Tensor:
            batch = tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt")
            return torch.as_tensor(batch.input_ids)

        first = self.text_encoder(ids(self.tokenizer), output_hidden_states=True)
        second = self.text_encoder_2(ids(self.tokenizer_2), output_hidden_states=True)
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second.text_embeds

    def learners(self) -> list[nn.Parameter]:
        """What the second stage trains: the UNet and both text encoders."""
        parts = (self.unet, self.text_encoder, self.text_encoder_2)
        return [parameter for part in parts for parameter in part.parameters()]

    def save(self, out: Path, learnt: Sequence[Tensor]) -> None:
        """Write the pipeline in half precision with `learnt` in place of the learners' own values."""
        parts = {name: copy.deepcopy(getattr(self, name)) for name in ("vae", "unet", "text_encoder", "text_encoder_2")}
        whole = TinyBase(**parts, tokenizer=self.tokenizer, tokenizer_2=self.tokenizer_2)
        with torch.no_grad():
            for parameter, value in zip(whole.learners(), learnt, strict=True):
                parameter.copy_(value)
        pipeline = StableDiffusionXLPipeline(
            **parts, tokenizer=self.tokenizer, tokenizer_2=self.tokenizer_2, scheduler=scheduler(),
            force_zeros_for_empty_prompt=False, add_watermarker=False,
        )  # fmt: skip
        pipeline.unet.to(memory_format=torch.contiguous_format)
        pipeline.to(torch.float16).save_pretrained(out, safe_serialization=True)
        name_as_sdxl(out / "text_encoder" / "model.safetensors")


def name_as_sdxl(weights: Path) -> None:
    """Give the first text encoder's weights the prefix that SDXL's files have; newer transformers leave it out."""
    named = {f"text_model.{name.removeprefix('text_model.')}": weight for name, weight in load_file(weights).items()}
    save_file(named, weights, metadata={"format": "pt"})


def scheduler() -> EulerDiscreteScheduler:
    """SDXL's own noise schedule."""
    return EulerDiscreteScheduler(
        num_train_timesteps=NOISE_STEPS, beta_start=BETAS[0], beta_end=BETAS[1], beta_schedule="scaled_linear",
        prediction_type="epsilon", timestep_spacing="leading", steps_offset=1,
    )  # fmt: skip
