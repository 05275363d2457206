"""Make a base model of SDXL's architecture: a tiny one that paints drawn people, or an untrained one in SDXL's size.

    python -m tools.make_base OUT                tiny: 64 px, below 10 MB, some 50 minutes on two CPU cores
    python -m tools.make_base OUT --size sdxl    SDXL's exact shapes with random weights, to measure with

OUT becomes a folder that `StableDiffusionXLPipeline.from_pretrained` loads. The tiny base uses SDXL's module names and
parts (two text encoders, text_time conditioning, four latent channels), only fewer and narrower layers, and a VAE with
factor 4 where SDXL's has 8. It knows the words of `engine.demo.people` and `engine.demo.drawing`; any other word,
such as a trigger word, falls apart into single letters and means nothing to it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from engine.demo.captions import caption
from engine.demo.drawing import Scene, draw_portrait, random_scene
from engine.demo.people import DrawnPerson, random_person
from tools.make_base.sdxl_parts import make_sdxl
from tools.make_base.single_file import write_single_file
from tools.make_base.tiny_parts import BETAS, NOISE_STEPS, PICTURE, TinyBase

SNR_GAMMA = 5.0
OFFSET_NOISE = 0.1
"""A little noise that is the same over a whole picture, so that the prompt decides how bright a background is."""
EMA_DECAY = 0.999
SNAPSHOT_SECONDS = 240.0


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


def train_vae(vae: AutoencoderKL, pixels: Tensor, clock: Clock, say: Callable[[str], None]) -> None:
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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=("tiny", "sdxl"), default="tiny")
    parser.add_argument("--minutes", type=float, default=50.0, help="for training, all stages together")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=20_000, help="different drawings to learn from")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--resume", type=Path, help="a tiny base to continue from; its VAE stays unchanged")
    parser.add_argument("--single-file", type=Path, help="also write all weights as one file with SDXL's own names")
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    if options.size == "sdxl":
        make_sdxl(options.out, seed=options.seed, say=say)
        return
    make_tiny(
        options.out, minutes=options.minutes, seed=options.seed, pictures=options.pictures, batch=options.batch,
        resume=options.resume, say=say,
    )  # fmt: skip
    if options.single_file:
        write_single_file(TinyBase.load(options.out), options.single_file)


if __name__ == "__main__":
    main()
