"""SDXL as the benchmarks train it. The script: diffusers' ``train_text_to_image_lora_sdxl.py``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch.nn.functional import mse_loss

from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.models.locate import BaseKind, BaseModel
from engine.models.sdxl.loaded import TARGETS, SdxlBase
from engine.models.sdxl.loading import load_pipeline
from engine.settings import DEMO_BASE
from engine.training.data.tensors import TrainingData
from tests.bench.training.data import random_data
from tests.bench.training.scripts import BenchFamily, Script, Texts
from tools.make_base.sdxl_parts import untrained_parts
from tools.make_base.tiny_parts import BETAS


class SdxlScript:
    """Noise at a timestep, the U-Net, min-SNR weights."""

    targets = TARGETS

    def __init__(self, denoiser: Any, schedule: Any, pipeline: Any = None) -> None:
        self.denoiser, self._schedule, self._pipeline = denoiser, schedule, pipeline

    def latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """See ``Script``."""
        vae = self._pipeline.vae
        with torch.no_grad():
            found: torch.Tensor = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
        return found

    def texts(self, captions: list[str]) -> Texts:
        """See ``Script``."""
        with torch.no_grad():
            hidden, _, pooled, _ = self._pipeline.encode_prompt(captions, do_classifier_free_guidance=False)
        return hidden, pooled

    def loss(self, latents: torch.Tensor, texts: Texts) -> torch.Tensor:
        """See ``Script``."""
        hidden, pooled = texts
        side = 8.0 * latents.shape[2]
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, self._schedule.config.num_train_timesteps, (len(latents),), device=latents.device)
        noisy = self._schedule.add_noise(latents, noise, timesteps)
        sizes = torch.tensor([[side, side, 0, 0, side, side]] * len(latents), device=latents.device)
        more = {"time_ids": sizes, "text_embeds": pooled}
        predicted = self.denoiser(noisy, timesteps, hidden, added_cond_kwargs=more, return_dict=False)[0]
        snr = compute_snr(self._schedule, timesteps)
        weights = torch.stack([snr, 5.0 * torch.ones_like(timesteps)], dim=1).min(dim=1)[0] / snr
        loss = mse_loss(predicted.float(), noise.float(), reduction="none")
        found: torch.Tensor = (loss.mean(dim=[1, 2, 3]) * weights).mean()
        return found


def _script(folder: str) -> Script:
    pipeline = load_pipeline(BaseModel(BaseKind.FOLDER, folder))
    return SdxlScript(pipeline.unet, DDPMScheduler.from_config(pipeline.scheduler.config), pipeline)


def _denoiser(device: Device) -> Any:
    unet: Any = untrained_parts()["unet"].to(device.dtype).to_empty(device=device.name)
    for name, each in unet.named_parameters():
        # As `tools.make_base --size full` draws them: norms keep what they get, biases add nothing.
        if each.dim() > 1:
            torch.nn.init.normal_(each, std=0.02)
        else:
            torch.nn.init.constant_(each, 0.0 if name.endswith("bias") else 1.0)
    return unet


def _base(unet: Any) -> LoadedBase:
    """With a VAE of four stages that nothing asks for more."""
    vae = SimpleNamespace(config={"block_out_channels": (1, 1, 1, 1)})
    return SdxlBase(SimpleNamespace(unet=unet, vae=vae, vae_scale_factor=8, scheduler=_schedule()))


def _schedule() -> Any:
    first, last = BETAS
    return DDPMScheduler(beta_start=first, beta_end=last, beta_schedule="scaled_linear")


def _data(unet: Any, side: int) -> TrainingData:
    config = unet.config
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    # The tiny base's VAE makes a fourth of a side, SDXL's an eighth.
    side = config.sample_size if side == 0 else side // 8
    texts = {"prompt_embeds": (77, config.cross_attention_dim), "pooled_prompt_embeds": (pooled,)}
    return random_data((4, side, side), texts, {"time_ids": torch.tensor([1024.0, 1024, 0, 0, 1024, 1024])})


SDXL = BenchFamily(
    "sdxl",
    "SDXL",
    DEMO_BASE,
    (1024, 768),
    _script,
    _denoiser,
    _base,
    _data,
    lambda denoiser: SdxlScript(denoiser, _schedule()),
)
