"""What learns: the denoiser with its LoRA and the optimizer. ``loop.py`` takes its steps. Needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from engine import events
from engine.lora.module_names import Part
from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.models.registry import arithmetic_of
from engine.settings import Optimizer, TrainingSettings
from engine.training.data.batch import Batch
from engine.training.data.tensors import TrainingData
from engine.training.init_lora import InitResult, module_of_tensor, read_lokr_start, read_start
from engine.training.runs.resume_state import OptimizerState
from engine.training.step.compile import CompiledBlocks
from engine.training.step.distributed import SingleProcess
from engine.training.step.ema import Ema
from engine.training.step.flat_parameters import FlatParameters
from engine.training.step.lora_adapter import add_network, lora_state
from engine.training.step.loss import LossWeights, diffusion_loss
from engine.training.step.memory_fallback import MicrobatchPlan, replays
from engine.training.step.optimizers import into_8bit, make_optimizer
from engine.training.step.passes import PassRunner
from engine.training.step.randomness import StepRandomness
from engine.training.step.text_encoders import TextEncoders
from engine.training.validation import validation_batches


class Learner:
    """A base model's denoiser with its LoRA, and what moves it.

    Args:
        base: the base model, on the CPU; with its text encoders where these are trained too.
        settings: of the run.
        fitting: how the work is cut so that it fits into memory.
        device: where it happens.
        processes: those that train together; None: this one is alone.
        tell: takes what a person should know of how the steps are done.
    """

    def __init__(
        self,
        base: LoadedBase,
        settings: TrainingSettings,
        fitting: MicrobatchPlan,
        device: Device,
        processes: SingleProcess | None = None,
        tell: Callable[[events.Event], None] = lambda _event: None,
    ) -> None:
        self.settings, self.device, self.fitting = settings, device, fitting
        self.processes = processes or SingleProcess()
        self.denoiser = base.denoiser.to(device.name, memory_format=torch.channels_last)
        self.noise = base.noise().to(device.name)
        self._layers_per_block, self._family = base.layers_per_block, base.shape.family
        self._predict = partial(base.predict, self.denoiser)
        self.encoders = encoders = TextEncoders(base, settings, device) if settings.train_text_encoders else None
        groups = [add_network(self.denoiser, settings, settings.seed, base.lora_targets)]
        parts = {Part.UNET: lora_state(self.denoiser)}
        self.rates = [1.0]
        """What the learning rate is multiplied with, for each group of the optimizer's parameters."""
        if encoders is not None:
            # Prodigy finds one rate for all.
            own = settings.text_encoder_learning_rate / settings.learning_rate
            self.rates.append(1.0 if settings.optimizer is Optimizer.PRODIGY else own)
            groups.append(encoders.parameters)
            parts |= encoders.lora()
        self.weights = FlatParameters(parts, groups, device.dtype)
        self.optimizer = self._optimizer(fitting.optimizer)
        self.loss_weights = LossWeights(settings.min_snr_gamma, settings.prior_loss_weight)
        self.ema = Ema(self.weights, settings.ema_decay) if settings.ema_decay else None
        self.consistent = True
        """False while the optimizer moves the weights: an error then leaves them half moved."""
        if fitting.checkpointing:
            self._compute_twice()
        self._compiled = self._compile(tell) if settings.compile == "on" else None
        arithmetic = arithmetic_of(base.shape.family, base.shape.name)
        self.graphed = replays(settings, fitting, device.total_gb, arithmetic)
        """Whether passes are replayed, unless that turns out to be slower."""
        self._passes = PassRunner(self._pass, self.graphed, device.on_gpu, self._give_compiling_up, tell)
        if device.on_gpu:
            # Shapes stay the same for the whole run: the quickest of all kernels is worth looking for.
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
        self._train(True)

    def set_rate(self, rate: float) -> None:
        """Sets the learning rate of the next step."""
        for group, share in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share

    def forward_backward(self, batch: Batch, randomness: StepRandomness, share: float) -> torch.Tensor:
        """One pass: computes a batch's loss and gradient.

        Args:
            batch: on the device.
            randomness: its random draws, on the device.
            share: how much of the step the batch is, 0 to 1.

        Returns:
            Its part of the step's loss, a scalar on the device that stays until the next pass.
        """
        return self._passes(batch, randomness, share)

    @contextlib.contextmanager
    def moving(self) -> Iterator[None]:
        """While the weights are moved: an error in between leaves them half moved."""
        self.consistent = False
        yield
        self.consistent = True

    def _pass(self, batch: Batch, randomness: StepRandomness, share: float) -> torch.Tensor:
        """Goes forward and back over a batch that makes up that share of its step; returns its part of the loss."""
        try:
            loss = self._loss(batch, randomness) * share
            loss.backward()  # type: ignore[no-untyped-call]
        except BaseException:
            # Whoever tries again is not to add to what half a pass left.
            self.weights.zero_grad()
            raise
        part = loss.detach()
        # With it goes the graph of the pass, before room is taken for anything else.
        del loss
        self.weights.collect_grads(whole=share == 1)
        return part

    def lora(self) -> dict[Part, dict[str, torch.Tensor]]:
        """The LoRA as a checkpoint is to hold it, each part of it, copied to the CPU: the average if there is one."""
        parts = self.ema.weights() if self.ema else self.weights.named()
        return {
            part: {name: each.detach().to("cpu", copy=True) for name, each in state.items()}
            for part, state in parts.items()
        }

    def start_from(self, path: Path) -> InitResult:
        """Makes the LoRA in a file what is learnt from here on. Raises LoraFileError."""
        states, settings, layers = self.weights.named(), self.settings, self._layers_per_block
        if settings.lokr_factor is not None:
            begun = read_lokr_start(path, states, settings.scale, layers, self._family)
        else:
            modules = {part: dict.fromkeys(map(module_of_tensor, state)) for part, state in states.items()}
            alpha = settings.effective_alpha
            begun = read_start(path, modules, settings.rank, alpha, layers, self._family)
        self.weights.load_state(begun.tensors)
        if self.settings.ema_decay:
            self.ema = Ema(self.weights, self.settings.ema_decay)
        return begun

    def state_dict(self) -> OptimizerState:
        """All that a run needs to go on from here, copied to the CPU."""
        average = self.ema.state_dict() if self.ema else {}
        parts = {part.value: state for part, state in self.weights.named().items()}
        return OptimizerState.of(self.optimizer, **parts, average=average)

    def load_state(self, memory: OptimizerState) -> None:
        """Goes to where ``memory`` was taken."""
        self.weights.load_state({part: memory.part(part) for part in Part})
        memory.give_back(self.optimizer)
        if self.ema is not None:
            self.ema.load_state(memory.part("average"))
        self.consistent = True

    @contextlib.contextmanager
    def inference_mode(self) -> Iterator[Any]:
        """The denoiser as a checkpoint of now would make it, only looked at; afterwards it learns on as before."""
        learnt = self.weights.flat.clone() if self.ema else None
        self._train(False)
        # Looking for the quickest kernels takes memory, much of it for a VAE in float32.
        benchmark, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
        try:
            if self.ema is not None:
                self.weights.flat.copy_(self.ema.flat)
                self.weights.sync_compute_copy()
            with self._compiled.aside() if self._compiled is not None else contextlib.nullcontext():
                yield self.denoiser
        finally:
            torch.backends.cudnn.benchmark = benchmark
            if learnt is not None:
                self.weights.flat.copy_(learnt)
                self.weights.sync_compute_copy()
            self._train(True)

    def zero_grad(self) -> None:
        """Lets go of a step that could not be finished, and of all memory that can be had again."""
        self.weights.zero_grad()
        self._passes.forget()

    def refit(self, fitting: MicrobatchPlan) -> None:
        """Cuts the work in another way; what was learnt stays, and what the optimizer remembers."""
        self._passes.forget()
        if fitting.checkpointing and not self.fitting.checkpointing:
            self._compute_twice()
        if fitting.optimizer is not self.fitting.optimizer:
            eight = self._optimizer(fitting.optimizer)
            into_8bit(self.optimizer, eight)
            self.optimizer = eight
        self.fitting = fitting

    def validate(self, data: TrainingData, at_once: int | None = None, images: int | None = None) -> float | None:
        """The loss on the held-out images of what a checkpoint would hold; None where there are none.

        It moves nothing and draws nothing at random.

        Args:
            data: on its device.
            at_once: how many go through the model in one pass; None: as many as in a pass of a step.
            images: how many are looked at; None: all.
        """
        losses: list[torch.Tensor] = []
        looked = 0
        with self.inference_mode(), torch.no_grad():
            for batch, randomness in validation_batches(data, self.noise.spread, at_once or self.fitting.batch, images):
                losses.append(self._loss(batch, randomness) * len(batch.latents))
                looked += len(batch.latents)
        return float(torch.stack(losses).sum()) / looked if looked else None

    def _train(self, on: bool) -> None:
        self.denoiser.train(on)
        if self.encoders is not None:
            self.encoders.train(on)

    def _compute_twice(self) -> None:
        """Gradient checkpointing. Chance need not be set back for the second time where there is none in the model."""
        again = partial(checkpoint, use_reentrant=False, preserve_rng_state=bool(self.settings.dropout))
        self.denoiser.enable_gradient_checkpointing(again)

    def _compile(self, tell: Callable[[events.Event], None]) -> CompiledBlocks | None:
        try:
            return CompiledBlocks(self.denoiser)
        except Exception as error:
            # torch has no class of its own for a machine that it can't compile on.
            tell(events.Warning(f"training continues without compiling: {' '.join(str(error).split())[:200]}"))
            return None

    def _give_compiling_up(self) -> bool:
        """Whether there was anything to give up."""
        compiled, self._compiled = self._compiled, None
        if compiled is None:
            return False
        compiled.undo()
        return True

    def _optimizer(self, kind: Optimizer) -> torch.optim.Optimizer:
        return make_optimizer(kind, self.weights.param_groups(kind), self.settings, self.device.name)

    def _loss(self, batch: Batch, randomness: StepRandomness) -> torch.Tensor:
        if self.encoders is not None:
            batch = self.encoders.encoded(batch)
        return diffusion_loss(self._predict, batch, self.noise, self.loss_weights, randomness)
