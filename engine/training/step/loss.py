"""The training loss of a diffusion model: predict the noise (or velocity), weighted by min-SNR. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.nn.functional import mse_loss

from engine.training.data.batch import Batch
from engine.training.step.randomness import StepRandomness


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
        signal, rest = self._amplitudes(timesteps)
        return signal * latents + rest * noise

    def target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """What the U-Net is to predict: ε, or v = √ᾱ·ε - √(1-ᾱ)·x (https://arxiv.org/abs/2202.00512)."""
        if self.prediction_type == "epsilon":
            return noise
        signal, rest = self._amplitudes(timesteps)
        return signal * noise - rest * latents

    def _amplitudes(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """√ᾱ and √(1-ᾱ), each [n, 1, 1, 1]."""
        found = self._every_amplitude[:, timesteps].view(2, -1, 1, 1, 1)
        return found[0], found[1]

    @cached_property
    def _every_amplitude(self) -> torch.Tensor:
        """[2, timesteps]"""
        return torch.stack((self.alphas_cumprod.sqrt(), (1 - self.alphas_cumprod).sqrt()))

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
class LossWeights:
    """How the errors of a batch become its loss."""

    gamma: float | None = None
    """Min-SNR's γ; None: all timesteps weigh alike."""
    prior: float = 1.0
    """The loss weight of regularisation images."""


def diffusion_loss(
    unet: Any, batch: Batch, noise: Noise, weighing: LossWeights, chance: StepRandomness
) -> torch.Tensor:
    """The loss of a batch, a scalar: the weighted mean squared error at its chance's timesteps.

    A mask divides an image's loss among its places; it neither raises nor lowers the whole.

    Raises:
        ValueError: the captions were not encoded.
    """
    if batch.hidden is None or batch.pooled is None:
        raise ValueError("the captions of this batch are not encoded")
    device = batch.latents.device
    timesteps = chance.timesteps.to(device, non_blocking=True)
    noises = chance.noises.to(device, non_blocking=True)
    # Of the first weight: asking diffusers for the model's dtype walks through all of its modules, each time.
    dtype = unet.conv_in.weight.dtype
    predicted = unet(
        noise.add(batch.latents, noises, timesteps).to(dtype),
        timesteps,
        batch.hidden.to(dtype),
        added_cond_kwargs={"text_embeds": batch.pooled.to(dtype), "time_ids": batch.time_ids},
    ).sample
    target = noise.target(batch.latents, noises, timesteps)
    errors = mse_loss(predicted.float(), target, reduction="none")
    if batch.mask is None:
        losses = errors.mean(dim=(1, 2, 3))
    else:
        whole = batch.mask.sum(dim=(1, 2, 3)).clamp(min=1e-6)
        losses = (errors.mean(dim=1, keepdim=True) * batch.mask).sum(dim=(1, 2, 3)) / whole
    losses = losses * noise.weights(timesteps, weighing.gamma)
    if batch.regularisation is not None:
        losses = torch.where(batch.regularisation, losses * weighing.prior, losses)
    return losses.mean()
