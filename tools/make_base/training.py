"""What the training of both kinds of tiny bases shares: time, drawings, and the VAE. Imports torch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderKLFlux2
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from engine.demo.drawing import Scene, draw_portrait, random_scene
from engine.demo.people import DrawnPerson, random_person
from tools.make_base.tiny_parts import PICTURE


class Clock:
    """How far a stage is: by time, or by steps where `steps` is given (for a quick try)."""

    def __init__(self, minutes: float, steps: int | None = None) -> None:
        self.seconds, self.steps = minutes * 60, steps
        self.started, self.step = time.monotonic(), 0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def done(self) -> float:
        """0 at the start, 1 or more at the end."""
        return self.step / self.steps if self.steps else self.elapsed / self.seconds


def warm_constant_cosine(step: int, done: float, constant: float) -> float:
    """The learning rate's factor: 50 steps of warm-up, constant until `constant`, then a cosine down to 0.01."""
    cosine = 1.0 if done < constant else 0.5 + 0.5 * math.cos(math.pi * (done - constant) / (1 - constant))
    return min(1.0, (step + 1) / 50) * max(0.01, cosine)


@dataclass(frozen=True)
class Drawings:
    """`pixels` is uint8 [n, 3, 64, 64]; the other lists say who and what is on each."""

    pixels: Tensor
    people: list[DrawnPerson]
    scenes: list[Scene]

    @classmethod
    def of_strangers(cls, count: int, rng: Random) -> Drawings:
        """Draw `count` portraits, each of somebody else."""
        people = [random_person(rng) for _ in range(count)]
        scenes = [random_scene(rng) for _ in range(count)]
        drawn = (np.asarray(draw_portrait(*pair, PICTURE)) for pair in zip(people, scenes, strict=True))
        pixels = torch.from_numpy(np.stack(list(drawn))).permute(0, 3, 1, 2).contiguous()
        return cls(pixels, people, scenes)


def as_input(pixels: Tensor) -> Tensor:
    """uint8 pixels as the VAE takes them, -1 to 1."""
    return pixels.float() / 127.5 - 1


def train_vae(
    vae: AutoencoderKL | AutoencoderKLFlux2, pixels: Tensor, clock: Clock, say: Callable[[str], None]
) -> None:
    """Random quarters of the pictures first, which are quick and many, then whole pictures."""
    optimizer = torch.optim.AdamW(vae.parameters(), betas=(0.9, 0.98), weight_decay=0, fused=True)
    while clock.done < 1:
        whole = clock.done > 0.6
        batch = as_input(pixels[torch.randint(len(pixels), (8 if whole else 16,))])
        if not whole:
            top, left = torch.randint(PICTURE // 2 + 1, (2,)).tolist()
            batch = batch[:, :, top : top + PICTURE // 2, left : left + PICTURE // 2]
        posterior = vae.encode(batch).latent_dist
        painted = vae.decode(posterior.sample()).sample
        edges = sum((painted.diff(dim=d) - batch.diff(dim=d)).abs().mean() for d in (2, 3))
        loss = F.l1_loss(painted, batch) + F.mse_loss(painted, batch) + 0.5 * edges
        (loss + (1e-6 if whole else 4e-6) * posterior.kl().mean()).backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = 3e-3 * warm_constant_cosine(clock.step, clock.done, 0.3)
        optimizer.step()
        optimizer.zero_grad()
        if clock.step % 200 == 0:
            say(f"vae   step {clock.step:5d}  {clock.elapsed:4.0f} s  loss {loss.item():.4f}")
        clock.step += 1
