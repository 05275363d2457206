"""What learns: the U-Net with its LoRA and the optimizer. One ``learn`` is one step. Needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from engine.settings import TrainingSettings
from engine.training.adapter import add_lora, lora_state, set_lora_state
from engine.training.average import Average
from engine.training.chance import Chance
from engine.training.data import TrainingData
from engine.training.device import Device
from engine.training.fit import Fitting
from engine.training.lora_names import Part
from engine.training.loss import Batch, Noise, Weighing, diffusion_loss
from engine.training.optimizers import into_8bit, make_optimizer
from engine.training.start_from import Begun, read_start
from engine.training.state import Memory
from engine.training.validation import TIMESTEPS, validation_batches


class Learner:
    """The U-Net with its LoRA, and what moves it.

    Args:
        unet: of the base model, on the CPU.
        noise: the schedule that the base model was trained with.
        settings: of the run.
        fitting: how the work is cut so that it fits into memory.
        device: where it happens.
    """

    def __init__(self, unet: Any, noise: Noise, settings: TrainingSettings, fitting: Fitting, device: Device) -> None:
        self.settings, self.device, self.fitting = settings, device, fitting
        self.unet = unet.to(device.name, memory_format=torch.channels_last)
        self.noise = Noise(noise.alphas_cumprod.to(device.name), noise.prediction_type)
        self.parameters = add_lora(self.unet, settings.rank, settings.effective_alpha, settings.seed, settings.dropout)
        self.optimizer = make_optimizer(fitting.optimizer, self.parameters, settings, device.name)
        self.weighing = Weighing(settings.min_snr_gamma, settings.prior_loss_weight)
        self.average = Average(self._named(), settings.ema_decay) if settings.ema_decay else None
        self.whole = True
        """False while the optimizer moves the weights: an error then leaves them half moved."""
        if fitting.checkpointing:
            self.unet.enable_gradient_checkpointing()
        self.unet.train()

    def learn(
        self, data: TrainingData, images: Sequence[int], chance: Chance, rate: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes one step.

        Args:
            data: on the device.
            images: the step's, by number.
            chance: theirs.
            rate: the learning rate.

        Returns:
            The mean loss and the norm of the gradient, scalars on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = torch.zeros((), device=self.device.name)
        for begin in range(0, len(images), self.fitting.batch):
            places = range(begin, min(begin + self.fitting.batch, len(images)))
            part = chance.of(places)
            loss = self._loss(data.batch([images[each] for each in places], part.dropped, part.orders), part)
            # The step's loss is the mean over all of its images, however many passes they take.
            loss = loss * (len(places) / len(images))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        largest = self.settings.max_gradient_norm or float("inf")
        gradient = torch.nn.utils.clip_grad_norm_(self.parameters, largest)
        self.whole = False
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.parameters)
        self.whole = True
        self.optimizer.zero_grad(set_to_none=True)
        return total, gradient.detach()

    def lora(self) -> dict[str, torch.Tensor]:
        """The LoRA as a checkpoint is to hold it, copied to the CPU: the moving average where there is one."""
        weights = self.average.weights() if self.average else lora_state(self.unet)
        return {name: each.detach().to("cpu", copy=True) for name, each in weights.items()}

    def start_from(self, path: Path) -> Begun:
        """Makes the LoRA in a file what is learnt from here on. Raises LoraFileError."""
        modules = [name.removesuffix(".lora_A.weight") for name in lora_state(self.unet) if "lora_A" in name]
        settings, layers = self.settings, self.unet.config.layers_per_block
        begun = read_start(path, {Part.UNET: modules}, settings.rank, settings.effective_alpha, layers)
        set_lora_state(self.unet, begun.tensors[Part.UNET])
        if settings.ema_decay:
            self.average = Average(self._named(), settings.ema_decay)
        return begun

    def memory(self) -> Memory:
        """All that a run needs to go on from here, copied to the CPU."""
        average = self.average.memory() if self.average else {}
        return Memory.of(self.optimizer, lora=lora_state(self.unet), average=average)

    def remember(self, memory: Memory) -> None:
        """Goes to where ``memory`` was taken."""
        set_lora_state(self.unet, memory.part("lora"))
        memory.give_back(self.optimizer)
        if self.average is not None:
            self.average.remember(memory.part("average"))
        self.whole = True

    def _named(self) -> dict[str, torch.Tensor]:
        """The parameters in their order, by the names that ``lora_state`` gives them."""
        names = {each.data_ptr(): name for name, each in lora_state(self.unet).items()}
        return {names[each.data_ptr()]: each for each in self.parameters}

    def forget_gradients(self) -> None:
        """Lets go of a step that could not be finished."""
        self.optimizer.zero_grad(set_to_none=True)

    def refit(self, fitting: Fitting) -> None:
        """Cuts the work in another way; what was learnt stays, and what the optimizer remembers."""
        if fitting.checkpointing and not self.fitting.checkpointing:
            self.unet.enable_gradient_checkpointing()
        if fitting.optimizer is not self.fitting.optimizer:
            eight = make_optimizer(fitting.optimizer, self.parameters, self.settings, self.device.name)
            into_8bit(self.optimizer, eight)
            self.optimizer = eight
        self.fitting = fitting

    def validate(self, data: TrainingData) -> float | None:
        """The loss on the held-out images; None where there are none. It moves nothing and draws no chance."""
        losses: list[torch.Tensor] = []
        self.unet.eval()
        with torch.no_grad():
            for batch, chance in validation_batches(data, len(self.noise.alphas_cumprod), self.fitting.batch):
                losses.append(self._loss(batch, chance) * len(batch.latents))
        self.unet.train()
        held_out = sum(each.held_out for each in data.seen)
        return float(torch.stack(losses).sum()) / (held_out * TIMESTEPS) if losses else None

    def _loss(self, batch: Batch, chance: Chance) -> torch.Tensor:
        with self._autocast():
            return diffusion_loss(self.unet, batch, self.noise, self.weighing, chance)

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        """On a card with a bf16 base: the LoRA is kept in float32 and multiplied in bf16."""
        if self.device.dtype is torch.float32:
            yield
            return
        with torch.autocast(self.device.name, self.device.dtype):
            yield
