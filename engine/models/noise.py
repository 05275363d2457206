"""The noise that a base model was trained with, as training adds it. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch

EPSILON = "epsilon"


class TrainingNoise(Protocol):
    """Noise of any kind: how much there is at a time, and what the denoiser is to predict."""

    @property
    def prediction(self) -> str:
        """What is predicted, as a LoRA's metadata has it: ``epsilon``, ``v``."""

    def to(self, device: str) -> TrainingNoise:
        """The same on a device."""

    def draw(self, count: int, generator: torch.Generator, shape: Sequence[int]) -> torch.Tensor:
        """The times of so many images of a step, [count], drawn on the CPU; ``shape`` of one latent, (c, h, w)."""

    def spread(self, count: int, shape: Sequence[int]) -> torch.Tensor:
        """So many times, evenly spread, on the CPU: what held-out images are looked at with."""

    def add(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Noisy latents; shapes [n, c, h, w], [n, c, h, w] and [n]."""

    def target(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """What the denoiser is to predict, [n, c, h, w]."""

    def weights(self, times: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """How much each image's loss counts, [n], by min-SNR's γ; None: all alike."""


@dataclass(frozen=True)
class DiscreteNoise:
    """The noise of DDPM's kind of models, as SDXL's.

    ``alphas_cumprod`` [timesteps]: the share of the picture's variance that is left at each timestep.
    """

    alphas_cumprod: torch.Tensor
    prediction_type: str
    """``epsilon`` or ``v_prediction``, as diffusers has it."""

    @classmethod
    def of(cls, scheduler: Any) -> DiscreteNoise:
        """From a diffusers ``DDPMScheduler``."""
        return cls(scheduler.alphas_cumprod, scheduler.config.prediction_type)

    @property
    def prediction(self) -> str:
        """``epsilon`` or ``v``."""
        return "epsilon" if self.prediction_type == EPSILON else "v"

    def to(self, device: str) -> DiscreteNoise:
        """The same on a device."""
        return DiscreteNoise(self.alphas_cumprod.to(device), self.prediction_type)

    def draw(self, count: int, generator: torch.Generator, _shape: Sequence[int]) -> torch.Tensor:
        """Timesteps [count], int64, each as likely."""
        return torch.randint(len(self.alphas_cumprod), (count,), generator=generator)

    def spread(self, count: int, _shape: Sequence[int]) -> torch.Tensor:
        """Timesteps [count], int64: the middles of so many equal stretches."""
        timesteps = len(self.alphas_cumprod)
        return torch.tensor([(2 * place + 1) * timesteps // (2 * count) for place in range(count)])

    def add(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """√ᾱ·x + √(1-ᾱ)·ε (https://arxiv.org/abs/2006.11239, eq. 4); shapes [n, c, h, w], [n]."""
        signal, rest = self._amplitudes(times)
        return signal * latents + rest * noise

    def target(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """ε, or v = √ᾱ·ε - √(1-ᾱ)·x (https://arxiv.org/abs/2202.00512)."""
        if self.prediction_type == EPSILON:
            return noise
        signal, rest = self._amplitudes(times)
        return signal * noise - rest * latents

    def weights(self, times: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """Min-SNR weights [n] (https://arxiv.org/abs/2303.09556): min(SNR, γ)/SNR for ε, min(SNR, γ)/(SNR+1) for v."""
        if gamma is None:
            return torch.ones(times.shape, device=times.device)
        signal = self.alphas_cumprod[times]
        snr = signal / (1 - signal)
        if self.prediction_type == EPSILON:
            # Written so that a schedule that ends in pure noise (SNR 0) gives 1, not 0/0.
            return gamma / snr.clamp(min=gamma)
        return snr.clamp(max=gamma) / (snr + 1)

    def _amplitudes(self, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """√ᾱ and √(1-ᾱ), each [n, 1, 1, 1]."""
        found = self._every_amplitude[:, times].view(2, -1, 1, 1, 1)
        return found[0], found[1]

    @cached_property
    def _every_amplitude(self) -> torch.Tensor:
        """[2, timesteps]"""
        return torch.stack((self.alphas_cumprod.sqrt(), (1 - self.alphas_cumprod).sqrt()))
