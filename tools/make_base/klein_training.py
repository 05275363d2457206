"""Training the tiny base of FLUX.2 klein's architecture: transformer and text encoder together. Imports torch.

A latent x with noise e at level s is (1 - s) x + s e, and the transformer learns to say e - x, as the real one does.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from diffusers import Flux2KleinPipeline
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from engine.demo.captions import caption
from engine.models.locate import demo_folder
from tools.make_base.klein_parts import LAYERS, TOKENS, save, start_as_identity, untrained_pipeline
from tools.make_base.muon import Muon
from tools.make_base.training import Clock, Drawings, as_input, train_vae, warm_constant_cosine

EMA_DECAY = 0.998
MUON_RATE, ADAM_RATE = 3e-3, 2e-3
EMPTY = 0.1
"""Share of the prompts that are left empty, for guidance."""
HELD_OUT = 128
"""Drawings that are only measured."""
SNAPSHOT_SECONDS = 240.0


@dataclass(frozen=True)
class KleinBase:
    """A pipeline while its parts learn."""

    pipeline: Flux2KleinPipeline

    @classmethod
    def untrained(cls) -> KleinBase:
        """All parts with their first, random weights."""
        base = cls(untrained_pipeline())
        start_as_identity(base.pipeline.transformer)
        return base

    @classmethod
    def load(cls, folder: Path) -> KleinBase:
        """A base that was saved, in full precision."""
        return cls(Flux2KleinPipeline.from_pretrained(folder, dtype=torch.float32))

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """[n, 48, 192], as `Flux2KleinPipeline.encode_prompt` makes it, but without what it never looks at."""
        tokenizer = self.pipeline.tokenizer
        message = [{"role": "user", "content": "\0"}]
        shell = tokenizer.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        texts = [shell.replace("\0", prompt) for prompt in prompts]
        batch = tokenizer(texts, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        states = self.pipeline.text_encoder.model(**batch, output_hidden_states=True, use_cache=False).hidden_states
        return torch.cat([states[layer] for layer in LAYERS], dim=-1)

    def learners(self) -> list[nn.Parameter]:
        """What is trained: the transformer, and the text encoder without its last layer, which klein does not use."""
        encoder = self.pipeline.text_encoder
        unused = (f"model.layers.{encoder.config.num_hidden_layers - 1}.", "model.norm")
        text = [weight for name, weight in encoder.named_parameters() if not name.startswith(unused)]
        return [*self.pipeline.transformer.parameters(), *text]

    def matrices(self) -> list[nn.Parameter]:
        """Of the learners, the matrices inside the blocks, which Muon trains."""
        transformer = self.pipeline.transformer
        blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
        blocks += list(self.pipeline.text_encoder.model.layers)
        inside = {id(weight) for block in blocks for weight in block.parameters() if weight.ndim == 2}
        return [weight for weight in self.learners() if id(weight) in inside]

    def save(self, out: Path, learnt: Sequence[Tensor]) -> None:
        """Write the pipeline in half precision with `learnt` in place of the learners' own values."""
        parts = {name: copy.deepcopy(getattr(self.pipeline, name)) for name in ("vae", "transformer", "text_encoder")}
        whole = KleinBase(Flux2KleinPipeline(**{**self.pipeline.components, **parts}, is_distilled=False))
        with torch.no_grad():
            for weight, value in zip(whole.learners(), learnt, strict=True):
                weight.copy_(value)
        save(whole.pipeline.to(torch.float16), out)

    @torch.no_grad()
    def patches(self, pixels: Tensor) -> Tensor:
        """uint8 [n, 3, 64, 64] as latents, four neighbours folded into one, not yet normalised: [n, 16, 8, 8]."""
        parts = [self.pipeline.vae.encode(as_input(part)).latent_dist.mode() for part in torch.split(pixels, 64)]
        folded: Tensor = Flux2KleinPipeline._patchify_latents(torch.cat(parts))
        return folded

    def latents(self, pixels: Tensor) -> Tensor:
        """The same normalised and as tokens: [n, 64, 16]."""
        bn, epsilon = self.pipeline.vae.bn, self.pipeline.vae.config.batch_norm_eps
        mean, variance = (values.view(1, -1, 1, 1) for values in (bn.running_mean, bn.running_var))
        normal = (self.patches(pixels) - mean) / (variance + epsilon).sqrt()
        packed: Tensor = Flux2KleinPipeline._pack_latents(normal)
        return packed.contiguous()

    def error(self, clean: Tensor, text: Tensor, noise: Tensor, levels: Tensor) -> Tensor:
        """The mean squared error [n] of what the transformer says of latents [n, 64, 16] at noise levels [n]."""
        side, level = math.isqrt(clean.shape[1]), levels[:, None, None]
        said = self.pipeline.transformer(
            hidden_states=(1 - level) * clean + level * noise, encoder_hidden_states=text, timestep=levels,
            img_ids=Flux2KleinPipeline._prepare_latent_ids(torch.empty(1, 1, side, side)),
            txt_ids=Flux2KleinPipeline._prepare_text_ids(text[:1]), guidance=None, return_dict=False,
        )[0]  # fmt: skip
        return F.mse_loss(said, noise - clean, reduction="none").mean(dim=(1, 2))


@torch.no_grad()
def settle_vae(base: KleinBase, pixels: Tensor) -> float:
    """Measure the mean and variance by which latents are normalised; returns the PSNR of a round trip in dB."""
    vae, patches, pictures = base.pipeline.vae, base.patches(pixels[:2048]), as_input(pixels[:256])
    vae.bn.running_mean.copy_(patches.mean(dim=(0, 2, 3)))
    vae.bn.running_var.copy_(patches.var(dim=(0, 2, 3)))
    painted = vae.decode(vae.encode(pictures).latent_dist.mode()).sample
    return 10 * math.log10(4 / F.mse_loss(painted.clamp(-1, 1), pictures).item())


def random_levels(count: int, tokens: int) -> Tensor:
    """Noise levels [count]: a sigmoid of normal numbers, shifted as klein's are by the tokens of a picture.

    The shift is e^0.5 at 256 tokens and e^1.15 at 4,096; the line is followed below that, too.
    """
    shift = math.exp(0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256))
    levels = torch.sigmoid(torch.randn(count))
    return shift * levels / (1 + (shift - 1) * levels)


@torch.no_grad()
def held_out_error(base: KleinBase, drawings: Drawings, latents: Tensor) -> float:
    """The error on drawings that were not learnt from, with whole captions, the same noise each time, all levels."""
    count = min(HELD_OUT, len(latents))
    noise = torch.randn(count, *latents.shape[1:], generator=torch.Generator().manual_seed(1))
    levels = (torch.arange(count) + 0.5) / count
    texts = [caption(drawings.people[i], drawings.scenes[i], Random(i), drop=0.0) for i in range(count)]
    return base.error(latents[:count], base.encode(texts), noise, levels).mean().item()


def train_transformer(
    base: KleinBase, drawings: Drawings, latents: Tensor, clock: Clock, rng: Random, batch: int,
    say: Callable[[str], None], snapshot: Callable[[Sequence[Tensor]], None],
) -> list[Tensor]:  # fmt: skip
    """Train the transformer and the text encoder together; returns the averaged (EMA) values of `base.learners()`."""
    learners, matrices = list[Tensor](base.learners()), base.matrices()
    averages = [weight.detach().clone() for weight in learners]
    inside = {id(weight) for weight in matrices}
    muon = Muon(matrices)
    others = [weight for weight in learners if id(weight) not in inside]
    adam = torch.optim.AdamW(others, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    first = min(HELD_OUT, len(latents) // 2)
    losses: list[float] = []
    saved = 0.0
    while clock.done < 1:
        chosen = [rng.randrange(first, len(latents)) for _ in range(batch)]
        prompts = ["" if rng.random() < EMPTY else caption(drawings.people[i], drawings.scenes[i], rng) for i in chosen]
        clean = latents[chosen]
        levels = random_levels(batch, clean.shape[1])
        loss = base.error(clean, base.encode(prompts), torch.randn_like(clean), levels).mean()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(learners, 1.0)
        factor = warm_constant_cosine(clock.step, clock.done, 0.4)
        muon.step(MUON_RATE * factor)
        adam.param_groups[0]["lr"] = ADAM_RATE * factor
        adam.step()
        for weight in learners:
            weight.grad = None
        with torch.no_grad():
            torch._foreach_lerp_(averages, learners, 1 - min(EMA_DECAY, (1 + clock.step) / (10 + clock.step)))
        losses.append(loss.item())
        clock.step += 1
        if clock.step % 100 == 0:
            recent = float(np.mean(losses[-100:]))
            say(f"flow  step {clock.step:5d}  {clock.elapsed:4.0f} s  loss {recent:.4f}  {clock.done:.0%}")
        if clock.elapsed - saved > SNAPSHOT_SECONDS:
            saved = clock.elapsed
            snapshot(averages)
    return averages


def make_tiny_klein(
    out: Path, *, minutes: float = 25.0, seed: int = 7, pictures: int = 15_000, batch: int = 16,
    new_vae: bool = False, steps: int | None = None, say: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Train the tiny base and write it to `out`, which holds the newest snapshot meanwhile.

    Its VAE is that of the tiny SDXL base, whose layers are the same; with `new_vae` one is trained, and gets a quarter
    of `minutes`. `steps` replaces the time of each stage with a number of steps.
    """
    torch.manual_seed(seed)
    rng = Random(seed)
    base = KleinBase.untrained()
    vae, transformer = base.pipeline.vae, base.pipeline.transformer
    say(f"transformer {transformer.num_parameters():,}, vae {vae.num_parameters():,} parameters")
    say(f"drawing {pictures:,} pictures")
    drawings = Drawings.of_strangers(pictures, rng)
    if new_vae:
        train_vae(vae.train(), drawings.pixels, Clock(minutes / 4, steps), say)
    else:
        known = load_file(demo_folder() / "vae" / "diffusion_pytorch_model.safetensors")
        vae.load_state_dict({**vae.state_dict(), **known})
    vae.eval()
    say(f"vae   round trip {settle_vae(base, drawings.pixels):.1f} dB")
    latents = base.latents(drawings.pixels)
    transformer.train()
    clock = Clock(minutes * 3 / 4 if new_vae else minutes, steps)
    learnt = train_transformer(
        base, drawings, latents, clock, rng, batch, say, snapshot=lambda averages: base.save(out, averages)
    )
    base.save(out, learnt)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
    error = held_out_error(KleinBase.load(out), drawings, latents)
    say(f"saved {out}, {size:.2f} MB, after {clock.step} steps; error of held-out drawings {error:.4f}")
