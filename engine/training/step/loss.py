"""The training loss of a diffusion model: predict the noise (or velocity), weighted by min-SNR. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import mse_loss

from engine.models.loaded import Embeds
from engine.models.noise import TrainingNoise
from engine.training.data.batch import Batch
from engine.training.step.randomness import StepRandomness

Predict = Callable[[torch.Tensor, torch.Tensor, Embeds], torch.Tensor]
"""From noisy latents [n, c, h, w], their times [n] and what else the denoiser sees, to what it says of them."""


@dataclass(frozen=True)
class LossWeights:
    """How the errors of a batch become its loss."""

    gamma: float | None = None
    """Min-SNR's γ; None: all timesteps weigh alike."""
    prior: float = 1.0
    """The loss weight of regularisation images."""


def diffusion_loss(
    predict: Predict, batch: Batch, noise: TrainingNoise, loss_weights: LossWeights, randomness: StepRandomness
) -> torch.Tensor:
    """The loss of a batch, a scalar: the weighted mean squared error at the times that were drawn.

    A mask divides an image's loss among its places; it neither raises nor lowers the whole.

    Raises:
        ValueError: the captions were not encoded.
    """
    if batch.text is None:
        raise ValueError("the captions of this batch are not encoded")
    device = batch.latents.device
    timesteps = randomness.timesteps.to(device, non_blocking=True)
    noises = randomness.noises.to(device, non_blocking=True)
    predicted = predict(noise.add(batch.latents, noises, timesteps), timesteps, {**batch.image, **batch.text})
    target = noise.target(batch.latents, noises, timesteps)
    errors = mse_loss(predicted.float(), target, reduction="none")
    if batch.mask is None:
        losses = errors.mean(dim=(1, 2, 3))
    else:
        whole = batch.mask.sum(dim=(1, 2, 3)).clamp(min=1e-6)
        losses = (errors.mean(dim=1, keepdim=True) * batch.mask).sum(dim=(1, 2, 3)) / whole
    losses = losses * noise.weights(timesteps, loss_weights.gamma)
    if batch.regularisation is not None:
        losses = torch.where(batch.regularisation, losses * loss_weights.prior, losses)
    return losses.mean()
