"""The LoRA or LoKr on a model: where it sits, and how it is taken out. Needs torch and peft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoKrConfig, LoraConfig, PeftConfig
from peft.tuners.lokr.layer import LoKrLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from engine.jobs.fast_imports import without_the_unasked
from engine.settings import TrainingSettings
from engine.training.step import fused_lokr, fused_lora
from engine.training.step.fused_lora import ADAPTER


def add_network(model: Any, settings: TrainingSettings, seed: int, targets: Sequence[str]) -> list[torch.nn.Parameter]:
    """Freezes a model and puts the network on it that the settings ask for; ΔW is 0 at first.

    Args:
        model: a denoiser or a text encoder.
        settings: of the run.
        seed: what its first matrices are drawn from.
        targets: how the names of the modules end that get one.

    Returns:
        The trainable parameters, float32, always in the same order.
    """
    rank, alpha, factor = settings.rank, settings.effective_alpha, settings.lokr_factor
    if factor is not None:
        return add_lokr(model, rank, alpha, factor, seed, targets)
    return add_lora(model, rank, alpha, seed, targets, settings.dropout)


def add_lora(
    model: Any, rank: int, alpha: float, seed: int, targets: Sequence[str], dropout: float = 0.0
) -> list[torch.nn.Parameter]:
    """Freezes a model and puts a LoRA on it, in float32; ΔW is 0 at first.

    Args:
        model: a denoiser or a text encoder.
        rank: the LoRA's.
        alpha: the LoRA's.
        seed: what its first matrices are drawn from.
        targets: how the names of the modules end that get one.
        dropout: the share of its inputs that is dropped by chance.

    Returns:
        The trainable parameters, always in the same order.
    """
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets))
    _add(model, config, seed)
    fused_lora.make_lean(model)
    return _trainable(model)


def add_lokr(
    model: Any, rank: int, alpha: float, factor: int, seed: int, targets: Sequence[str]
) -> list[torch.nn.Parameter]:
    """Freezes a model and puts a LoKr on it, in float32; ΔW = w1 ⊗ w2 is 0 at first, since w2 is.

    Args:
        model: a denoiser or a text encoder.
        rank: of w2, where it is not whole.
        alpha: ΔW is scaled by alpha / rank, as LyCORIS has it only where w2 is not whole.
        factor: into how many parts a weight's sides are divided; -1: as near their square roots as can be.
        seed: what its first matrices are drawn from.
        targets: how the names of the modules end that get one.

    Returns:
        The trainable parameters, always in the same order.
    """
    config = LoKrConfig(
        r=rank,
        alpha=alpha,
        decompose_factor=factor,
        target_modules=list(targets),
        init_weights="lycoris",
    )
    _add(model, config, seed)
    for each in model.modules():
        if isinstance(each, LoKrLayer) and ADAPTER in each.lokr_w2:
            each.alpha[ADAPTER], each.scaling[ADAPTER] = rank, 1.0
    fused_lokr.make_lean(model)
    return _trainable(model)


def lora_state(model: Any) -> dict[str, torch.Tensor]:
    """The network's tensors: ``MODULE.lora_A.weight`` [rank, inputs] and ``MODULE.lora_B.weight`` [outputs, rank], or
    ``MODULE.lokr_w1`` [a, b] with ``MODULE.lokr_w2`` [c, d] or its two, ``lokr_w2_a`` [c, rank] and ``lokr_w2_b``."""
    return dict(get_peft_model_state_dict(model, adapter_name=ADAPTER))


def _add(model: Any, config: PeftConfig, seed: int) -> None:
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with without_the_unasked():
            model.add_adapter(config, adapter_name=ADAPTER)


def _trainable(model: Any) -> list[torch.nn.Parameter]:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    return parameters


def copy_lora(trained: Any, onto: Any) -> None:
    """Gives a model the network of another as it is now; both have had theirs from ``add_network``, for the same
    modules."""
    set_peft_model_state_dict(onto, lora_state(trained), adapter_name=ADAPTER)
