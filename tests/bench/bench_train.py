"""Seconds a step against a plain loop of diffusers and peft, on the tiny base, and the time outside of the model.

The plain loop does what diffusers' own example ``train_text_to_image_lora_sdxl`` does in a step: encode the pictures,
encode the prompts, add noise, the U-Net with its LoRA by peft, min-SNR, clip, AdamW, the schedule, the loss read. A
second one has pictures and prompts encoded beforehand, which leaves the U-Net's own work. All three take turns in one
process: same model, same modules, same batch.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from diffusers.optimization import get_scheduler
from diffusers.training_utils import compute_snr
from peft import LoraConfig
from PIL import Image
from torch.nn.functional import mse_loss

from engine.events import Step
from engine.jobs.folder import JobFolder, JobKind, Order
from engine.jobs.worker import Context
from engine.models.locate import find_base
from engine.models.sdxl.loaded import TARGETS
from engine.models.sdxl.loading import load_pipeline
from engine.settings import BaseSettings
from engine.training.loading import load
from engine.training.loop import take_step
from engine.training.step.distributed import SingleProcess
from engine.training.trainer import Trainer
from tests.bench.result import Result
from tests.support.small_project import small_project
from tests.tui.pseudo_terminal import REPOSITORY

BATCH, RANK, RATE = 4, 16, 1e-3
ROUNDS, STEPS = 12, 4
"""Each takes so many steps, so many times in turn; the first round warms up."""

Taking = Callable[[], object]
"""What takes one step."""


def results() -> Iterator[Result]:
    """The three, and what ours spends besides the model."""
    with tempfile.TemporaryDirectory() as name:
        project = small_project(
            Path(name) / "james",
            images=16,
            training__batch_size=BATCH,
            training__rank=RANK,
            training__repeats=50,
            training__learning_rate=RATE,
        )
        trainer = _ours(project.runs / "bench", project.root)
        images = sorted(project.dataset.glob("*/*.png"))
        captions = [image.with_suffix(".txt").read_text().strip() for image in images]
        example, cached = Plain(images, captions, encoded=False), Plain(images, captions, encoded=True)
        ours, whole, bare = _in_turn([partial(take_step, trainer), example.step, cached.step])
        share = _outside(trainer)
        trainer.writer.flush()
        trainer.writer.close()
    yield Result("train: a step", ours * 1000, "ms", f"the example's loop: {whole * 1000:.0f}", whole / ours)
    note = "pictures and prompts encoded beforehand, as we do"
    yield Result("train: a step", ours * 1000, "ms", f"its U-Net alone: {bare * 1000:.0f}", bare / ours, note)
    yield Result("train: outside of forward and backward", share * 100, "%", "at most 5", 0.05 / share)
    yield Result(
        "train: the first step of a small run", _first_step(), "s", note="after the command; five runs, median"
    )


def _first_step() -> float:
    """Seconds from ``limner train`` to the first step that the log tells of, on the tiny base."""
    # As pip leaves it where it installs: compiled once, not at each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as name:
            project = small_project(Path(name) / "james")
            began = time.time()
            command = [sys.executable, "-m", "tui.cli", "-C", str(project.root), "train", "--wait"]
            subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY, env=environment)
            taken.append(next(each.t for each in project.run().entries() if isinstance(each.event, Step)) - began)
    return statistics.median(taken)


def gpu_results(tiny: bool) -> Iterator[Result]:
    """Ways to take a step on a card, and a whole LoRA; ``tiny``: the same code on the tiny base, wherever this runs."""
    if not tiny and not torch.cuda.is_available():
        raise SystemExit("train --gpu: there is no CUDA card here; try its code with: --gpu --tiny")
    from tests.bench.train_gpu import measure

    yield from measure(tiny)


class Plain:
    """A loop as the example writes it."""

    def __init__(self, images: list[Path], captions: list[str], encoded: bool) -> None:
        torch.manual_seed(0)
        self.pipeline = load_pipeline(find_base(BaseSettings(model="demo")))
        self.unet, self.vae = self.pipeline.unet, self.pipeline.vae
        self.unet.requires_grad_(False)
        config = LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=list(TARGETS))
        self.unet.add_adapter(config)
        self.parameters = [each for each in self.unet.parameters() if each.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=RATE, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
        self.rates = get_scheduler("constant", self.optimizer, num_warmup_steps=0, num_training_steps=10_000)
        self.schedule = DDPMScheduler.from_config(self.pipeline.scheduler.config)
        self.unet.train()
        pixels = [np.array(Image.open(each).convert("RGB").resize((64, 64)), dtype=np.float32) for each in images]
        self.pixels = torch.stack([torch.from_numpy(each / 127.5 - 1).permute(2, 0, 1) for each in pixels])
        self.captions = captions
        self.kept = (self._latents(self.pixels), *self._texts(captions)) if encoded else None

    def step(self) -> None:
        """One step."""
        some = torch.randint(len(self.captions), (BATCH,))
        if self.kept is None:
            latents = self._latents(self.pixels[some])
            hidden, pooled = self._texts([self.captions[each] for each in some.tolist()])
        else:
            latents, hidden, pooled = (each[some] for each in self.kept)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, self.schedule.config.num_train_timesteps, (BATCH,))
        noisy = self.schedule.add_noise(latents, noise, timesteps)
        sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * BATCH)
        predicted = self.unet(
            noisy, timesteps, hidden, added_cond_kwargs={"time_ids": sizes, "text_embeds": pooled}, return_dict=False
        )[0]
        snr = compute_snr(self.schedule, timesteps)
        weights = torch.stack([snr, 5.0 * torch.ones_like(timesteps)], dim=1).min(dim=1)[0] / snr
        loss = mse_loss(predicted.float(), noise.float(), reduction="none")
        loss = (loss.mean(dim=list(range(1, len(loss.shape)))) * weights).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.rates.step()
        self.optimizer.zero_grad()
        loss.item()

    def _latents(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = self.vae.encode(pixels).latent_dist.sample() * self.vae.config.scaling_factor
        return found

    def _texts(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            hidden, _, pooled, _ = self.pipeline.encode_prompt(captions, do_classifier_free_guidance=False)
        return hidden, pooled


def _ours(folder: Path, project: Path) -> Trainer:
    """A run that was begun, in this process."""
    from engine.project import Project

    job = JobFolder(folder)
    job.write_order(Order(JobKind.TRAIN, project, {"settings": Project(project).settings.model_dump(mode="json")}))
    context = Context(job)
    loaded = load(context, SingleProcess())
    assert loaded is not None
    trainer = Trainer(context, replace(loaded, renderer=None))
    trainer.begin()
    return trainer


def _in_turn(steps: list[Taking]) -> list[float]:
    """The median seconds of a step of each; they take turns, so that load falls on all of them."""
    taken: list[list[float]] = [[] for _ in steps]
    for number in range(ROUNDS + 1):
        for each, times in zip(steps, taken, strict=True):
            for _ in range(STEPS):
                began = time.perf_counter()
                each()
                if number:
                    times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in taken]


def _outside(trainer: Trainer) -> float:
    """The share of our steps that is neither the U-Net's forward pass nor the backward pass, by CPU time.

    To the backward pass belongs that autograd takes its graph down afterwards, which ends where we fetch the gradients.
    """
    inside = began_back = 0.0
    weights, unet = trainer.learner.weights, trainer.learner.unet
    forward, backward, receive = unet.forward, torch.Tensor.backward, weights.receive

    def timed_forward(*args: Any, **more: Any) -> Any:
        nonlocal inside
        began = time.process_time()
        found = forward(*args, **more)
        inside += time.process_time() - began
        return found

    def timed_backward(*args: Any, **more: Any) -> None:
        nonlocal began_back
        began_back = time.process_time()
        backward(*args, **more)

    def timed_receive(whole: bool) -> None:
        nonlocal inside
        inside += time.process_time() - began_back
        receive(whole)

    unet.forward, torch.Tensor.backward = timed_forward, timed_backward  # type: ignore[method-assign]
    weights.receive = timed_receive  # type: ignore[method-assign]
    began = time.process_time()
    try:
        for _ in range(ROUNDS * STEPS):
            take_step(trainer)
        whole = time.process_time() - began
    finally:
        unet.forward, torch.Tensor.backward = forward, backward  # type: ignore[method-assign]
        weights.receive = receive  # type: ignore[method-assign]
    return 1 - inside / whole
