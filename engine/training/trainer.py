"""Training a LoRA, from the images to the last checkpoint. Runs in a job's process; needs torch.

Read it from ``work`` down. A step's chance (noise, timesteps, dropped captions) and an epoch's order come from the
seed and their number alone, so a run that was killed and resumed takes the very steps that it would have taken.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator

import torch

from engine import events
from engine.base_model import BaseModel, find_base
from engine.errors import TrainingError
from engine.events import JobState
from engine.jobs.folder import Request
from engine.jobs.worker import Context
from engine.project import Project
from engine.settings import Settings
from engine.training.adapter import add_lora, lora_state, set_lora_state
from engine.training.base import Pipeline, load_pipeline, native_resolution, noise_schedule
from engine.training.caches import TrainingData, too_long, training_data
from engine.training.device import Device, choose_device
from engine.training.examples import read_examples
from engine.training.lora_file import pairs_of_peft, write_lora
from engine.training.lora_metadata import LoraFacts
from engine.training.loss import Noise, diffusion_loss
from engine.training.pace import Pace
from engine.training.plan import plan_for
from engine.training.progress import Progress
from engine.training.record import write_record
from engine.training.schedule import epoch_batches, learning_rate, step_seed
from engine.training.start import file_stem
from engine.training.state import Place, read_data, read_state, write_data, write_state

BETAS = (0.9, 0.99)
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT = 1.0
"""Gradients are scaled down to this norm."""

NO_CHECKPOINTING_GB = 24
"""From this much memory on, activations of SDXL fit without being computed twice."""


def work(context: Context) -> None:
    """Does a training job: begins a run, or goes on with one that was stopped or killed."""
    began = time.monotonic()
    settings = Settings.model_validate(context.args["settings"])
    device = choose_device(settings.training.precision)
    base = find_base(settings.base)
    _tell(context, "loading the base model", 0, 1)
    pipeline = load_pipeline(base, device.dtype)
    _tell(context, "loading the base model", 1, 1)
    resolution = _resolution(settings, pipeline)
    data = read_data(context.folder.path / "state") or _encode(context, pipeline, resolution, device)
    if data is None:
        return
    pipeline.vae = pipeline.text_encoder = pipeline.text_encoder_2 = None
    device.free()
    write_record(context.folder.path / "run.toml", settings, base, len(data), resolution, device)
    trainer = Trainer(context, settings, base, pipeline, data.to(device.name), resolution, device)
    trainer.progress.pace.add_other(time.monotonic() - began)
    trainer.train()


class Trainer:
    """One run: the U-Net with its LoRA, the optimizer, and the place in the plan."""

    def __init__(
        self,
        context: Context,
        settings: Settings,
        base: BaseModel,
        pipeline: Pipeline,
        data: TrainingData,
        resolution: int,
        device: Device,
    ) -> None:
        self.context, self.settings, self.base, self.data = context, settings.training, base, data
        self.trigger, self.resolution, self.device = settings.person.trigger, resolution, device
        self.plan = plan_for(self.settings, len(data))
        schedule = noise_schedule(pipeline)
        self.noise = Noise(schedule.alphas_cumprod.to(device.name), schedule.config.prediction_type)
        self.unet = pipeline.unet.to(device.name, memory_format=torch.channels_last)
        self.parameters = add_lora(self.unet, self.settings.rank, self.settings.effective_alpha, self.settings.seed)
        self.optimizer = torch.optim.AdamW(
            self.parameters, betas=BETAS, weight_decay=WEIGHT_DECAY, fused=device.name != "mps"
        )
        if _wants_checkpointing(self.settings.gradient_checkpointing, device):
            self.unet.enable_gradient_checkpointing()
        self.unet.train()
        self.step = 0
        place = self._take_up()
        pace = Pace(self.plan, self.settings.price_per_hour, place.spent_seconds)
        self.progress = Progress(context, device, pace, place.epoch_loss, place.epoch_seconds)

    def train(self) -> None:
        """Takes the steps that are left, writing a checkpoint after each epoch."""
        self.context.emit(self.plan)
        if self.step == 0:
            self._keep_state()
        self.progress.restart_clock()
        for epoch in range(self.step // self.plan.steps_per_epoch + 1, self.plan.epochs + 1):
            batches = epoch_batches(self.plan.images, self.plan.repeats, self.plan.batch, self.settings.seed, epoch)
            for images in batches[self.step % self.plan.steps_per_epoch :]:
                if self._told_to_stop(epoch):
                    return
                self._take_step(epoch, images)
            self._end_epoch(epoch)
            if Request.STOP_AFTER_EPOCH in self.context.asked() and epoch < self.plan.epochs:
                self.context.emit(events.Job(JobState.STOPPING, os.getpid(), f"after epoch {epoch}"))
                return
        # The run is whole: nobody stopped it.
        self.context.folder.answered(Request.STOP, Request.STOP_AFTER_EPOCH)

    def _take_step(self, epoch: int, images: list[int]) -> None:
        self.step += 1
        seed = step_seed(self.settings.seed, self.step)
        chance = random.Random(seed)
        dropped = [chance.random() < self.settings.caption_dropout for _ in images]
        rate = learning_rate(self.settings, self.step, self.plan.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self._autocast():
            loss = diffusion_loss(
                self.unet,
                self.data.batch(images, dropped),
                self.noise,
                self.settings.min_snr_gamma,
                torch.Generator().manual_seed(seed),
            )
        loss.backward()  # type: ignore[no-untyped-call]
        gradient = torch.nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.add(self.step, epoch, len(images), rate, loss.detach(), gradient.detach())

    def _end_epoch(self, epoch: int) -> None:
        self.progress.read()
        began = time.monotonic()
        loss, seconds = self.progress.epoch_loss / self.plan.steps_per_epoch, self.progress.epoch_seconds
        self._write_checkpoint(epoch)
        # A state of its own after the checkpoint: a run killed in between does the epoch again and writes the same.
        self.progress.begin_epoch()
        self._keep_state()
        took = time.monotonic() - began
        self.progress.checkpoint_written(took)
        self.context.emit(events.Epoch(epoch, loss, None, seconds + took))

    def _write_checkpoint(self, epoch: int) -> None:
        stem = file_stem(self.trigger)
        name = f"{stem}.safetensors" if epoch == self.plan.epochs else f"{stem}-{epoch:06d}.safetensors"
        path = self.context.folder.path / "checkpoints" / name
        facts = LoraFacts(
            name=path.stem,
            rank=self.settings.rank,
            alpha=self.settings.effective_alpha,
            trigger=self.trigger,
            resolution=self.resolution,
            prediction_type="epsilon" if self.noise.prediction_type == "epsilon" else "v",
            epoch=epoch,
            epochs=self.plan.epochs,
            steps=self.step,
            base_title=self.base.title,
        )
        pairs = pairs_of_peft(lora_state(self.unet), self.settings.effective_alpha)
        write_lora(path, pairs, facts, self.unet.config.layers_per_block)
        self.context.emit(events.Checkpoint(f"checkpoints/{name}", epoch, self.step))

    def _keep_state(self) -> None:
        place = Place(
            self.step, self.progress.epoch_loss, self.progress.epoch_seconds, self.progress.pace.spent_seconds
        )
        write_state(self.context.folder.path / "state", place, lora_state(self.unet), self.optimizer)

    def _take_up(self) -> Place:
        """Goes to where the run stood, or to its beginning."""
        kept = read_state(self.context.folder.path / "state", self.optimizer)
        if kept is None:
            return Place()
        place, lora = kept
        set_lora_state(self.unet, lora)
        self.step = place.step
        return place

    def _told_to_stop(self, epoch: int) -> bool:
        """Follows what the run is asked; True to end now, with everything that was done kept."""
        asked = self.context.asked()
        if Request.PAUSE in asked and not asked & {Request.STOP, Request.RESUME}:
            self.progress.read()
            self._keep_state()
            asked = self._pause(epoch)
        if Request.RESUME in asked:
            self.context.folder.answered(Request.PAUSE, Request.RESUME)
        if Request.STOP not in asked:
            return False
        self.context.emit(events.Job(JobState.STOPPING, os.getpid(), f"in epoch {epoch}, at step {self.step}"))
        self.progress.read()
        self._keep_state()
        return True

    def _pause(self, epoch: int) -> frozenset[Request]:
        self.context.emit(events.Job(JobState.PAUSED, os.getpid(), f"in epoch {epoch}, at step {self.step}"))
        while not (asked := self.context.asked()) & {Request.RESUME, Request.STOP}:
            time.sleep(0.1)
        self.context.emit(events.Job(JobState.RUNNING, os.getpid()))
        self.progress.restart_clock()
        return asked

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        """On a card with a bf16 base: the LoRA is kept in float32 and multiplied in bf16."""
        if self.device.dtype is torch.float32:
            yield
            return
        with torch.autocast(self.device.name, self.device.dtype):
            yield


class _Stopped(Exception):
    """The run was told to stop before its first step."""


def _encode(context: Context, pipeline: Pipeline, resolution: int, device: Device) -> TrainingData | None:
    """The run's data, kept with the run; None where it was told to stop meanwhile."""

    def tell(name: str, done: int, total: int) -> None:
        _tell(context, name, done, total)
        if context.should_stop():
            raise _Stopped

    examples = read_examples(Project(context.project))
    for example in examples:
        if too_long(pipeline, example.caption):
            context.emit(events.Warning("a caption is longer than 75 tokens: its end is not seen", example.image.name))
    try:
        data = training_data(pipeline, examples, resolution, context.project / "cache", device, tell)
    except _Stopped:
        return None
    write_data(context.folder.path / "state", data)
    return data


def _resolution(settings: Settings, pipeline: Pipeline) -> int:
    resolution = settings.training.resolution or native_resolution(pipeline)
    grain = pipeline.vae_scale_factor * 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
    if resolution % grain:
        raise TrainingError(f"training.resolution {resolution} won't do", f"this base wants a multiple of {grain}")
    return resolution


def _wants_checkpointing(setting: bool | None, device: Device) -> bool:
    if setting is not None:
        return setting
    return device.total_gb is not None and device.total_gb < NO_CHECKPOINTING_GB


def _tell(context: Context, name: str, done: int, total: int) -> None:
    context.emit(events.Phase(name, done, total))
