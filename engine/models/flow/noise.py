"""The noise of rectified flows, as FLUX's and Z-Image's (https://arxiv.org/abs/2209.03003). Needs torch.

At σ between 0 and 1 a latent x with noise ε is (1 - σ)·x + σ·ε, and the denoiser is to say which way that moves as σ
grows: ε - x. All σ weigh alike: min-SNR has no meaning here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FlowNoise:
    """A rectified flow's noise, its σ drawn as a sigmoid of a normal number and then shifted.

    Args:
        shift_of: how far σ is shifted for a latent of a shape (c, h, w): 1 leaves it, more moves it towards noise.
    """

    shift_of: Callable[[Sequence[int]], float]

    @property
    def prediction(self) -> str:
        """``flow``."""
        return "flow"

    def to(self, _device: str) -> FlowNoise:
        """The same: there are no tensors in it."""
        return self

    def draw(self, count: int, generator: torch.Generator, shape: Sequence[int]) -> torch.Tensor:
        """σ [count], float32: logit-normal (https://arxiv.org/abs/2403.03206, section 3.1), shifted."""
        return shifted(torch.sigmoid(torch.randn(count, generator=generator)), self.shift_of(shape))

    def spread(self, count: int, shape: Sequence[int]) -> torch.Tensor:
        """σ [count], float32: the middles of so many equal stretches, shifted."""
        return shifted((torch.arange(count, dtype=torch.float32) + 0.5) / count, self.shift_of(shape))

    def add(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(1 - σ)·x + σ·ε; shapes [n, c, h, w], [n, c, h, w], [n]."""
        level = times.view(-1, 1, 1, 1)
        return (1 - level) * latents + level * noise

    def target(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """ε - x."""
        return noise - latents

    def weights(self, times: torch.Tensor, gamma: float | None) -> torch.Tensor:
        """All alike, whatever γ is."""
        return torch.ones(times.shape, device=times.device)


def shifted(sigmas: torch.Tensor, shift: float) -> torch.Tensor:
    """σ' = s·σ / (1 + (s - 1)·σ) (https://arxiv.org/abs/2403.03206, equation 23; diffusers'
    ``FlowMatchEulerDiscreteScheduler``)."""
    return shift * sigmas / (1 + (shift - 1) * sigmas)


def linear_shift(tokens: int, base: float, most: float, base_tokens: int, most_tokens: int) -> float:
    """e^μ, μ a straight line through two points (diffusers' ``calculate_shift``).

    Args:
        tokens: of the picture, as the denoiser sees them.
        base: μ at ``base_tokens``.
        most: μ at ``most_tokens``.
        base_tokens: tokens of the first point.
        most_tokens: tokens of the second.
    """
    return math.exp(base + (most - base) * (tokens - base_tokens) / (most_tokens - base_tokens))
