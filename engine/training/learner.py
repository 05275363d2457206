"""What learns: the U-Net with its LoRA and the optimizer. One ``learn`` is one step. Needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from engine.settings import Optimizer, TrainingSettings
from engine.training.adapter import add_lora, lora_state, set_lora_state
from engine.training.average import Average
from engine.training.chance import Chance
from engine.training.data import TrainingData
from engine.training.device import Device
from engine.training.fit import Fitting, is_out_of_memory
from engine.training.lora_names import Part
from engine.training.loss import Batch, Noise, Weighing, diffusion_loss
from engine.training.optimizers import into_8bit, make_optimizer
from engine.training.several import Alone
from engine.training.start_from import Begun, read_start
from engine.training.state import Memory
from engine.training.text_encoders import TextEncoders
from engine.training.validation import TIMESTEPS, validation_batches

DOWN = ".lora_A.weight"
"""How the name of a module's first matrix ends."""


class Learner:
    """The U-Net with its LoRA, and what moves it.

    Args:
        unet: of the base model, on the CPU.
        noise: the schedule that the base model was trained with.
        settings: of the run.
        fitting: how the work is cut so that it fits into memory.
        device: where it happens.
        encoders: the text encoders, where they are trained too.
        several: the processes that train together; None: this one is alone.
    """

    def __init__(
        self,
        unet: Any,
        noise: Noise,
        settings: TrainingSettings,
        fitting: Fitting,
        device: Device,
        encoders: TextEncoders | None = None,
        several: Alone | None = None,
    ) -> None:
        self.settings, self.device, self.fitting = settings, device, fitting
        self.several = several or Alone()
        self.unet = unet.to(device.name, memory_format=torch.channels_last)
        self.noise = Noise(noise.alphas_cumprod.to(device.name), noise.prediction_type)
        self.parameters = add_lora(
            self.unet, settings.rank, settings.effective_alpha, settings.seed, dropout=settings.dropout
        )
        self.encoders = encoders
        self.rates = [1.0]
        """What the learning rate is multiplied with, for each group of the optimizer's parameters."""
        if encoders is not None:
            # Prodigy finds one rate for all.
            own = settings.text_encoder_learning_rate / settings.learning_rate
            self.rates.append(1.0 if settings.optimizer is Optimizer.PRODIGY else own)
            self.parameters = [*self.parameters, *encoders.parameters]
        self.optimizer = self._optimizer(fitting.optimizer)
        self.weighing = Weighing(settings.min_snr_gamma, settings.prior_loss_weight)
        self.average = Average(self._parts(), self.parameters, settings.ema_decay) if settings.ema_decay else None
        self.whole = True
        """False while the optimizer moves the weights: an error then leaves them half moved."""
        if fitting.checkpointing:
            self.unet.enable_gradient_checkpointing()
        self._train(True)

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
        for group, share in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        total = torch.zeros((), device=self.device.name)
        try:
            self._pass_back(total, data, images, chance)
        except Exception as error:
            if is_out_of_memory(error):
                # The other processes wait for this one's share.
                self.several.add_up(self.parameters, total, failed=True)
            raise
        total = self.several.add_up(self.parameters, total, failed=False)
        largest = self.settings.max_gradient_norm or float("inf")
        gradient = torch.nn.utils.clip_grad_norm_(self.parameters, largest)
        self.whole = False
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.parameters)
        self.whole = True
        self.optimizer.zero_grad(set_to_none=True)
        return total, gradient.detach()

    def _pass_back(self, total: torch.Tensor, data: TrainingData, images: Sequence[int], chance: Chance) -> None:
        """Computes the gradients of this process's share, adding its part of the step's mean loss to ``total``."""
        share = self.several.share(len(images))
        for begin in range(0, len(share), self.fitting.batch):
            places = share[begin : begin + self.fitting.batch]
            part = chance.of(places)
            loss = self._loss(data.batch([images[each] for each in places], part.dropped, part.orders), part)
            # The step's loss is the mean over all of its images, however many passes they take.
            loss = loss * (len(places) / len(images))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()

    def lora(self) -> dict[Part, dict[str, torch.Tensor]]:
        """The LoRA as a checkpoint is to hold it, each part of it, copied to the CPU: the average if there is one."""
        parts = self.average.weights() if self.average else self._parts()
        return {
            part: {name: each.detach().to("cpu", copy=True) for name, each in state.items()}
            for part, state in parts.items()
        }

    def start_from(self, path: Path) -> Begun:
        """Makes the LoRA in a file what is learnt from here on. Raises LoraFileError."""
        modules = {
            part: [name.removesuffix(DOWN) for name in state if name.endswith(DOWN)]
            for part, state in self._parts().items()
        }
        settings, layers = self.settings, self.unet.config.layers_per_block
        begun = read_start(path, modules, settings.rank, settings.effective_alpha, layers)
        self._set(begun.tensors)
        if settings.ema_decay:
            self.average = Average(self._parts(), self.parameters, settings.ema_decay)
        return begun

    def memory(self) -> Memory:
        """All that a run needs to go on from here, copied to the CPU."""
        average = self.average.memory() if self.average else {}
        return Memory.of(
            self.optimizer, **{part.value: state for part, state in self._parts().items()}, average=average
        )

    def remember(self, memory: Memory) -> None:
        """Goes to where ``memory`` was taken."""
        self._set({part: memory.part(part) for part in Part})
        memory.give_back(self.optimizer)
        if self.average is not None:
            self.average.remember(memory.part("average"))
        self.whole = True

    @contextlib.contextmanager
    def painting(self) -> Iterator[Any]:
        """The U-Net as a checkpoint of now would make it, only looked at; afterwards it learns on as before."""
        learnt = [each.detach().clone() for each in self.parameters] if self.average else []
        self._train(False)
        try:
            with torch.no_grad():
                if self.average:
                    self._set({part: dict(state) for part, state in self.average.weights().items()})
            with self._autocast():
                yield self.unet
        finally:
            with torch.no_grad():
                for parameter, before in zip(self.parameters, learnt, strict=False):
                    parameter.copy_(before)
            self._train(True)

    def _set(self, parts: Mapping[Part, dict[str, torch.Tensor]]) -> None:
        """Makes these the LoRA's weights; what is not among them stays as it is."""
        set_lora_state(self.unet, parts[Part.UNET])
        if self.encoders is not None:
            self.encoders.remember({part: parts[part] for part in (Part.TE1, Part.TE2)})

    def forget_gradients(self) -> None:
        """Lets go of a step that could not be finished."""
        self.optimizer.zero_grad(set_to_none=True)

    def refit(self, fitting: Fitting) -> None:
        """Cuts the work in another way; what was learnt stays, and what the optimizer remembers."""
        if fitting.checkpointing and not self.fitting.checkpointing:
            self.unet.enable_gradient_checkpointing()
        if fitting.optimizer is not self.fitting.optimizer:
            eight = self._optimizer(fitting.optimizer)
            into_8bit(self.optimizer, eight)
            self.optimizer = eight
        self.fitting = fitting

    def validate(self, data: TrainingData) -> float | None:
        """The loss on the held-out images of what a checkpoint would hold; None where there are none.

        It moves nothing and draws no chance.
        """
        held_out = sum(each.held_out for each in data.seen)
        if not held_out:
            return None
        losses: list[torch.Tensor] = []
        with self.painting(), torch.no_grad():
            for batch, chance in validation_batches(data, len(self.noise.alphas_cumprod), self.fitting.batch):
                losses.append(self._loss(batch, chance) * len(batch.latents))
        return float(torch.stack(losses).sum()) / (held_out * TIMESTEPS)

    def _train(self, on: bool) -> None:
        self.unet.train(on)
        if self.encoders is not None:
            self.encoders.train(on)

    def _parts(self) -> dict[Part, dict[str, torch.Tensor]]:
        return {Part.UNET: lora_state(self.unet), **(self.encoders.lora() if self.encoders is not None else {})}

    def _optimizer(self, kind: Optimizer) -> torch.optim.Optimizer:
        """One over all that is trained: a group for the U-Net, one for the text encoders."""
        texts = [] if self.encoders is None else self.encoders.parameters
        groups = [self.parameters[: len(self.parameters) - len(texts)], texts]
        named = [{"params": each} for each in groups if each]
        return make_optimizer(kind, named, self.settings, self.device.name)

    def _loss(self, batch: Batch, chance: Chance) -> torch.Tensor:
        with self._autocast():
            if self.encoders is not None:
                batch = self.encoders.encoded(batch)
            return diffusion_loss(self.unet, batch, self.noise, self.weighing, chance)

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        """On a card with a bf16 base: the LoRA is kept in float32 and multiplied in bf16."""
        if self.device.dtype is torch.float32:
            yield
            return
        with torch.autocast(self.device.name, self.device.dtype):
            yield
