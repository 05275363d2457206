"""A training step as diffusers' own example scripts write it: what ours is measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from peft import LoraConfig

from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.training.data.tensors import TrainingData

RATE = 1e-3

Texts = tuple[torch.Tensor, ...]


class Script(Protocol):
    """What is the family's own in such a script."""

    @property
    def denoiser(self) -> Any:
        """The model that the LoRA is put on."""

    @property
    def targets(self) -> Sequence[str]:
        """The modules that get one, by how their names end."""

    def latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pictures [n, 3, h, w] from -1 to 1, encoded."""

    def texts(self, captions: list[str]) -> Texts:
        """Captions, encoded; each tensor [n, …]."""

    def loss(self, latents: torch.Tensor, texts: Texts) -> torch.Tensor:
        """The loss of a step."""


@dataclass(frozen=True)
class BenchFamily:
    """A family of base models as the benchmarks know it."""

    name: str
    """Of the ``Family``."""
    size: str
    """The published model that is measured, by ``BaseShape.name``."""
    tiny: str
    """``base.model`` of the tiny one."""
    sides: tuple[int, ...]
    """Pixels a side that are measured on a card, the most telling first."""
    script: Callable[[str], Script]
    """diffusers' script on the tiny base, by the folder that it lies in."""
    denoiser: Callable[[Device], Any]
    """A denoiser of full size with random weights, made on the device."""
    base: Callable[[Any], LoadedBase]
    """A denoiser alone as a base model, enough for a ``Learner``."""
    data: Callable[[Any, int], TrainingData]
    """Random data for a denoiser, for pictures of so many pixels a side."""
    bare_script: Callable[[Any], Script]
    """The script with a denoiser alone, which encodes nothing."""


class PlainLoop:
    """The steps of a script: its loss, backwards, the gradient clipped, AdamW, the loss read.

    Args:
        script: the family's.
        rank: the LoRA's.
        checkpointing: whether activations are computed twice.
        half: what autocast computes in; None: it does not.
    """

    def __init__(
        self, script: Script, rank: int, checkpointing: bool = False, half: tuple[str, torch.dtype] | None = None
    ) -> None:
        self.script, self._half = script, half
        denoiser = script.denoiser
        denoiser.requires_grad_(False)
        config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(script.targets))
        denoiser.add_adapter(config)
        self._parameters = [each for each in denoiser.parameters() if each.requires_grad]
        for each in self._parameters:
            each.data = each.data.float()
        if checkpointing:
            denoiser.enable_gradient_checkpointing()
        denoiser.train()
        self._optimizer = torch.optim.AdamW(self._parameters, lr=RATE, betas=(0.9, 0.999), weight_decay=1e-2)

    def step(self, latents: torch.Tensor, texts: Texts) -> None:
        """One step."""
        device, dtype = self._half or ("cpu", torch.float32)
        with torch.autocast(device, dtype, enabled=self._half is not None):
            loss = self.script.loss(latents, texts)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        loss.item()
