"""FLUX.2 klein as the benchmarks train it. The script: diffusers' ``train_dreambooth_lora_flux2_klein.py``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from diffusers import Flux2KleinPipeline

from engine.models.device import Device
from engine.models.flow.loading import load_pipeline
from engine.models.flow.prompts import ChatText
from engine.models.flux2_klein.loaded import DOUBLE, SINGLE, KleinBase
from engine.models.flux2_klein.prompt_encoder import layers_of
from engine.models.loaded import LoadedBase
from engine.models.locate import BaseKind, BaseModel
from engine.settings import DEMO_KLEIN
from engine.training.data.tensors import TrainingData
from tests.bench.training.data import random_data
from tests.bench.training.scripts import BenchFamily, Script, Texts
from tools.make_base.klein_full import untrained_parts
from tools.make_base.klein_parts import make_scheduler


class KleinScript:
    """Packed latents at a σ of the scheduler's, the transformer, ε - x."""

    def __init__(self, denoiser: Any, scheduler: Any, pipeline: Any = None) -> None:
        self.denoiser, self._scheduler, self._pipeline = denoiser, scheduler, pipeline
        double, single = len(denoiser.transformer_blocks), len(denoiser.single_transformer_blocks)
        self.targets = [f"transformer_blocks.{number}.{name}" for number in range(double) for name in DOUBLE]
        self.targets += [f"single_transformer_blocks.{number}.{name}" for number in range(single) for name in SINGLE]

    def latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """See ``Script``."""
        with torch.no_grad():
            found: torch.Tensor = self._pipeline._encode_vae_image(pixels, torch.Generator())
        return found

    def texts(self, captions: list[str]) -> Texts:
        """See ``Script``."""
        pipeline = self._pipeline
        with torch.no_grad():
            embeds, _ = pipeline.encode_prompt(
                prompt=captions,
                max_sequence_length=ChatText(pipeline.tokenizer, thinking=False).most,
                text_encoder_out_layers=layers_of(pipeline.text_encoder),
            )
        return (embeds,)

    def loss(self, latents: torch.Tensor, texts: Texts) -> torch.Tensor:
        """See ``Script``."""
        [text] = texts
        noise = torch.randn_like(latents)
        steps = torch.randint(0, self._scheduler.config.num_train_timesteps, (len(latents),))
        sigmas = self._scheduler.sigmas[steps].to(latents.device)
        level = sigmas.view(-1, 1, 1, 1)
        places = Flux2KleinPipeline._prepare_latent_ids(latents).to(latents.device)
        said = self.denoiser(
            hidden_states=Flux2KleinPipeline._pack_latents((1.0 - level) * latents + level * noise).to(text.dtype),
            timestep=sigmas.to(text.dtype),
            guidance=None,
            encoder_hidden_states=text,
            txt_ids=Flux2KleinPipeline._prepare_text_ids(text).to(latents.device),
            img_ids=places,
            return_dict=False,
        )[0]
        said = Flux2KleinPipeline._unpack_latents_with_ids(said, places, latents.shape[2], latents.shape[3])
        found: torch.Tensor = (said.float() - (noise - latents).float()).square().reshape(len(latents), -1).mean()
        return found


def _script(folder: str) -> Script:
    pipeline = load_pipeline(BaseModel(BaseKind.FOLDER, folder), Flux2KleinPipeline, "FLUX.2 klein")
    return KleinScript(pipeline.transformer, make_scheduler(), pipeline)


def _denoiser(device: Device) -> Any:
    transformer: Any = untrained_parts()["transformer"].to(device.dtype).to_empty(device=device.name)
    for name, each in transformer.named_parameters():
        if each.dim() > 1:
            torch.nn.init.normal_(each, std=0.02)
        else:
            torch.nn.init.constant_(each, 0.0 if name.endswith("bias") else 1.0)
    return transformer


def _base(transformer: Any) -> LoadedBase:
    """With a VAE of which nothing but its shape and statistics are asked."""
    channels = transformer.config.in_channels
    config = {"block_out_channels": (1, 1, 1, 1)}
    statistics = SimpleNamespace(running_mean=torch.zeros(channels), running_var=torch.ones(channels))
    vae = SimpleNamespace(config=_Config(config, batch_norm_eps=1e-4), bn=statistics)
    pipeline = SimpleNamespace(transformer=transformer, vae=vae, vae_scale_factor=8, scheduler=make_scheduler())
    return KleinBase(pipeline)


class _Config(dict[str, Any]):
    """A configuration as diffusers has it: by key, and by name."""

    def __init__(self, values: dict[str, Any], **named: Any) -> None:
        super().__init__(values, **named)
        self.__dict__.update(self)


def _data(transformer: Any, side: int) -> TrainingData:
    config = transformer.config
    # The tiny base has 64 tokens of picture and 48 of text.
    side, tokens = (8, 48) if side == 0 else (side // 16, 512)
    return random_data((config.in_channels, side, side), {"prompt_embeds": (tokens, config.joint_attention_dim)}, {})


KLEIN = BenchFamily(
    "flux2-klein",
    "FLUX.2 klein 4B",
    DEMO_KLEIN,
    (768, 1024),
    _script,
    _denoiser,
    _base,
    _data,
    lambda denoiser: KleinScript(denoiser, make_scheduler()),
)
