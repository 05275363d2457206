"""The training loss of a diffusion model: predict the noise (or velocity), weighted by min-SNR. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import mse_loss

from engine.training.chance import Chance


@dataclass(frozen=True)
class Noise:
    """The noise schedule of a base model.

    ``alphas_cumprod`` [timesteps]: the share of the picture's variance that is left at each timestep.
    """

    alphas_cumprod: torch.Tensor
    prediction_type: str

    @classmethod
    def of(cls, scheduler: Any) -> Noise:
        """From a diffusers ``DDPMScheduler``."""
        return cls(scheduler.alphas_cumprod, scheduler.config.prediction_type)

    def add(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Noisy latents, √ᾱ·x + √(1-ᾱ)·ε (https://arxiv.org/abs/2006.11239, eq. 4); shapes [n, c, h, w], [n]."""
        signal = self.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        return signal.sqrt() * latents + (1 - signal).sqrt() * noise

    def target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """What the U-Net is to predict: ε, or v = √ᾱ·ε - √(1-ᾱ)·x (https://arxiv.org/abs/2202.00512)."""
        if self.prediction_type == "epsilon":
            return noise
        signal = self.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        return signal.sqrt() * noise - (1 - signal).sqrt() * latents

    def weights(self, timesteps: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """Min-SNR weights [n] (https://arxiv.org/abs/2303.09556): min(SNR, γ)/SNR for ε, min(SNR, γ)/(SNR+1) for v."""
        if gamma is None:
            return torch.ones(timesteps.shape, device=timesteps.device)
        signal = self.alphas_cumprod[timesteps]
        snr = signal / (1 - signal)
        if self.prediction_type == "epsilon":
            # Written so that a schedule that ends in pure noise (SNR 0) gives 1, not 0/0.
            return gamma / snr.clamp(min=gamma)
        return snr.clamp(max=gamma) / (snr + 1)


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    latents: torch.Tensor
    """[n, 4, h, w]"""
    hidden: torch.Tensor
    """[n, tokens, width]: both text encoders' hidden states, side by side."""
    pooled: torch.Tensor
    """[n, width]: the second text encoder's pooled text."""
    time_ids: torch.Tensor
    """[n, 6]: original height and width, crop top and left, target height and width."""


def diffusion_loss(unet: Any, batch: Batch, noise: Noise, gamma: float | None, chance: Chance) -> torch.Tensor:
    """The loss of a batch, a scalar: weighted mean squared error at its chance's timesteps."""
    device = batch.latents.device
    timesteps, noises = chance.timesteps.to(device), chance.noises.to(device)
    predicted = unet(
        noise.add(batch.latents, noises, timesteps).to(unet.dtype),
        timesteps,
        batch.hidden.to(unet.dtype),
        added_cond_kwargs={"text_embeds": batch.pooled.to(unet.dtype), "time_ids": batch.time_ids},
    ).sample
    target = noise.target(batch.latents, noises, timesteps)
    errors = mse_loss(predicted.float(), target, reduction="none").mean(dim=(1, 2, 3))
    return (errors * noise.weights(timesteps, gamma)).mean()
