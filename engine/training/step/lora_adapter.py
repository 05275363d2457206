"""The LoRA on a model: where it sits, and how it is taken out. Needs torch and peft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from engine.jobs.fast_imports import without_the_unasked
from engine.training.step.fused_lora import ADAPTER, make_lean


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
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets))
        with without_the_unasked():
            model.add_adapter(config, adapter_name=ADAPTER)
    make_lean(model)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    return parameters


def copy_lora(trained: Any, onto: Any) -> None:
    """Gives a model the LoRA of another as it is now; both have had theirs from ``add_lora``, for the same modules."""
    set_peft_model_state_dict(onto, lora_state(trained), adapter_name=ADAPTER)


def lora_state(model: Any) -> dict[str, torch.Tensor]:
    """The LoRA's tensors: ``MODULE.lora_A.weight`` [rank, inputs] and ``MODULE.lora_B.weight`` [outputs, rank]."""
    return dict(get_peft_model_state_dict(model, adapter_name=ADAPTER))
