"""Training the tiny base of SDXL's architecture: the VAE first, then the UNet and both text encoders. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from engine.demo.captions import caption
from tools.make_base.tiny_parts import BETAS, NOISE_STEPS, PICTURE, TinyBase
from tools.make_base.training import Clock, Drawings, as_input, train_vae, warm_constant_cosine

SNR_GAMMA = 5.0
OFFSET_NOISE = 0.1
"""A little noise that is the same over a whole picture, so that the prompt decides how bright a background is."""
EMA_DECAY = 0.999
SNAPSHOT_SECONDS = 240.0


@torch.no_grad()
def settle_vae(vae: AutoencoderKL, pixels: Tensor) -> float:
    """Set the scale that gives latents unit spread; returns the PSNR of a round trip in dB."""
    pictures = as_input(pixels[:512])
    latents = vae.encode(pictures).latent_dist.mean
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    error = F.mse_loss(vae.decode(latents).sample.clamp(-1, 1), pictures)
    return 10 * math.log10(4 / error.item())


@torch.no_grad()
def encode_latents(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """float32 [n, 4, 16, 16], scaled."""
    parts: list[Tensor] = [vae.encode(as_input(part)).latent_dist.mean for part in torch.split(pixels, 64)]
    return torch.cat(parts) * float(vae.config.scaling_factor)


def kept_signal() -> Tensor:
    """How much of a picture's power is left at each noise step, float32 [1000]."""
    first, last = (beta**0.5 for beta in BETAS)
    return torch.cumprod(1 - torch.linspace(first, last, NOISE_STEPS) ** 2, dim=0)


def denoising_error(base: TinyBase, clean: Tensor, prompts: Sequence[str], kept: Tensor) -> tuple[Tensor, Tensor]:
    """Noise latents [n, 4, 16, 16] at random steps and let the UNet guess the noise.

    Returns the mean squared error [n] of each guess, and the noise steps [n].
    """
    count = len(clean)
    noise = torch.randn_like(clean) + OFFSET_NOISE * torch.randn(count, 4, 1, 1)
    times = torch.randint(NOISE_STEPS, (count,))
    level = kept[times][:, None, None, None]
    noisy = (level.sqrt() * clean + (1 - level).sqrt() * noise).contiguous(memory_format=torch.channels_last)
    tokens, pooled = base.encode(prompts)
    sizes = torch.tensor([PICTURE, PICTURE, 0, 0, PICTURE, PICTURE], dtype=torch.float32).repeat(count, 1)
    guess = base.unet(noisy, times, tokens, added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}).sample
    return F.mse_loss(guess, noise, reduction="none").mean(dim=(1, 2, 3)), times


def train_unet(
    base: TinyBase, drawings: Drawings, latents: Tensor, clock: Clock, rng: Random, batch: int,
    say: Callable[[str], None], snapshot: Callable[[Sequence[Tensor]], None],
) -> list[Tensor]:  # fmt: skip
    """Train the UNet and both text encoders together; returns the averaged (EMA) values of `base.learners()`."""
    base.unet.to(memory_format=torch.channels_last)
    learners = list[Tensor](base.learners())
    averages = [parameter.detach().clone() for parameter in learners]
    optimizer = torch.optim.AdamW(learners, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    kept = kept_signal()
    weight = (kept / (1 - kept)).clamp(max=SNR_GAMMA) * (1 - kept) / kept
    losses: list[float] = []
    saved = 0.0
    while clock.done < 1:
        chosen = [rng.randrange(len(latents)) for _ in range(batch)]
        prompts = ["" if rng.random() < 0.1 else caption(drawings.people[i], drawings.scenes[i], rng) for i in chosen]
        error, times = denoising_error(base, latents[chosen], prompts, kept)
        torch.autograd.backward((error * weight[times]).mean())
        nn.utils.clip_grad_norm_(learners, 1.0)
        optimizer.param_groups[0]["lr"] = 1e-3 * warm_constant_cosine(clock.step, clock.done, 0.4)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(averages, learners, 1 - min(EMA_DECAY, (1 + clock.step) / (10 + clock.step)))
        losses.append(error.mean().item())
        clock.step += 1
        if clock.step % 100 == 0:
            recent = float(np.mean(losses[-100:]))
            say(f"unet  step {clock.step:5d}  {clock.elapsed:4.0f} s  loss {recent:.4f}  {clock.done:.0%}")
        if clock.elapsed - saved > SNAPSHOT_SECONDS:
            saved = clock.elapsed
            snapshot(averages)
    return averages


def make_tiny(
    out: Path, *, minutes: float = 50.0, seed: int = 7, pictures: int = 20_000, batch: int = 32,
    resume: Path | None = None, steps: int | None = None, say: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Train the tiny base and write it to `out`; a sixth of `minutes` goes to the VAE.

    While it trains, `out` holds the newest snapshot, which works. `resume` names a base to go on from: its VAE stays
    as it is, and all the time goes to the rest. `steps` replaces the time of each stage with a number of steps.
    """
    torch.manual_seed(seed)
    rng = Random(seed)
    base = TinyBase.load(resume) if resume else TinyBase.untrained()
    say(f"unet {base.unet.num_parameters():,}, vae {base.vae.num_parameters():,} parameters")
    say(f"drawing {pictures:,} pictures")
    drawings = Drawings.of_strangers(pictures, rng)
    if not resume:
        train_vae(base.vae, drawings.pixels, Clock(minutes / 6, steps), say)
        base.vae.eval()
        say(f"vae   round trip {settle_vae(base.vae, drawings.pixels):.1f} dB")
        base.save(out, base.learners())
    latents = encode_latents(base.vae, drawings.pixels)
    clock = Clock(minutes if resume else minutes * 5 / 6, steps)
    learnt = train_unet(
        base, drawings, latents, clock, rng, batch, say, snapshot=lambda averages: base.save(out, averages)
    )
    base.save(out, learnt)
    say(f"saved {out}, {sum(file.stat().st_size for file in out.rglob('*') if file.is_file()) / 1e6:.2f} MB")
