"""The optimizers, and their memory as plain tensors and numbers. Needs torch.

Each is the well-known implementation; a run's state holds what they remember without pickling it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from engine.errors import TrainingError
from engine.settings import Optimizer, TrainingSettings
from engine.training.step.optional_packages import OF_OPTIMIZERS, missing

Parameters = Sequence[torch.nn.Parameter] | Sequence[dict[str, Any]]
"""Parameters, or groups of them as ``torch.optim`` takes them."""

OptimizerState = tuple[dict[str, torch.Tensor], dict[str, Any]]
"""Tensors on the CPU, and what is no tensor (plain JSON), both by ``PARAMETER/SLOT``."""


def make_optimizer(
    kind: Optimizer, parameters: Parameters, settings: TrainingSettings, device: str
) -> torch.optim.Optimizer:
    """The optimizer over some parameters; the learning rate is set anew at each step.

    Raises:
        TrainingError: it needs a package that is not there, or that does not work on this device.
    """
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    match kind:
        case Optimizer.ADAMW:
            return torch.optim.AdamW(parameters, betas=settings.betas, fused=device != "mps", **common)
        case Optimizer.ADAMW_8BIT:
            return _adamw_8bit(parameters, betas=settings.betas, **common)
        case Optimizer.ADAFACTOR:
            from transformers.optimization import Adafactor

            return Adafactor(parameters, scale_parameter=False, relative_step=False, **common)  # type: ignore[no-any-return]
        case Optimizer.PRODIGY:
            return _prodigy(parameters, betas=settings.betas, **common)


def works(kind: Optimizer, device: str) -> bool:
    """Whether an optimizer can be made and takes a step on this device."""
    try:
        trial = torch.nn.Parameter(torch.ones(64, 64, device=device))
        optimizer = make_optimizer(kind, [trial], TrainingSettings(), device)
        trial.grad = torch.ones_like(trial)
        optimizer.step()
    except Exception:
        # bitsandbytes has no class of its own for a device that it can't do.
        return False
    return bool(torch.isfinite(trial).all())


def memory_of(optimizer: torch.optim.Optimizer) -> OptimizerState:
    """What an optimizer remembers, copied, so that it stays as it is while training goes on."""
    tensors: dict[str, torch.Tensor] = {}
    plain: dict[str, Any] = {}
    state = optimizer.state_dict()
    for number, slots in state["state"].items():
        for name, value in _flat(slots):
            if isinstance(value, torch.Tensor):
                tensors[f"{number}/{name}"] = value.detach().to("cpu", copy=True).contiguous()
            elif value is not None:
                plain[f"{number}/{name}"] = value
    for number, group in enumerate(state["param_groups"]):
        # Prodigy keeps what it found here.
        plain[f"group/{number}"] = {key: value for key, value in group.items() if isinstance(value, (int, float))}
    return tensors, plain


def remember(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], plain: Mapping[str, Any]) -> None:
    """Gives an optimizer back what ``memory_of`` took.

    Raises:
        TrainingError: it was taken by an older Limner, which moved each of a LoRA's matrices by itself.
    """
    slots: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain}.items():
        number, *path = name.split("/")
        if number == "group":
            continue
        place = slots.setdefault(int(number), {})
        for each in path[:-1]:
            place = place.setdefault(each, {})
        place[path[-1]] = value
    if max(slots, default=-1) >= sum(len(group["params"]) for group in optimizer.param_groups):
        raise TrainingError(
            "this run's state was written by an older Limner, in a format that is no longer read",
            "start a new run from its last checkpoint: limner train --set training.network_weights=FILE",
        )
    groups = [
        {**group, **plain.get(f"group/{number}", {})}
        for number, group in enumerate(optimizer.state_dict()["param_groups"])
    ]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})


def into_8bit(adamw: torch.optim.Optimizer, eight: Any) -> None:
    """Hands AdamW's memory on to its 8-bit sister, block by block quantised as bitsandbytes does it itself."""
    from bitsandbytes.functional import quantize_blockwise

    for index, group in enumerate(eight.param_groups):
        for place, parameter in enumerate(group["params"]):
            known = adamw.state.get(parameter)
            if not known:
                continue
            if not eight.initialized:
                eight.check_overrides()
                eight.to_gpu()
                eight.initialized = True
            eight.init_state(group, parameter, index, place)
            state = eight.state[parameter]
            state["step"] = int(known["step"])
            for number, slot in (("1", "exp_avg"), ("2", "exp_avg_sq")):
                into = state[f"state{number}"]
                if into.dtype is not torch.uint8:
                    into.copy_(known[slot])
                    continue
                quantize_blockwise(
                    known[slot],
                    code=state[f"qmap{number}"],
                    absmax=state[f"absmax{number}"],
                    out=into,
                    blocksize=256,
                )


def _flat(slots: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in slots.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}/")
        else:
            yield f"{above}{name}", value


def _adamw_8bit(parameters: Parameters, **arguments: Any) -> torch.optim.Optimizer:
    # It greets by printing, which belongs to nobody here.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            from bitsandbytes.optim import AdamW8bit
        except (ImportError, RuntimeError, OSError) as error:
            raise _unusable(Optimizer.ADAMW_8BIT, error) from error
    return AdamW8bit(parameters, **arguments)  # type: ignore[no-any-return]


def _prodigy(parameters: Parameters, **arguments: Any) -> torch.optim.Optimizer:
    try:
        from prodigyopt import Prodigy
    except ImportError as error:
        raise _unusable(Optimizer.PRODIGY, error) from error
    return Prodigy(parameters, safeguard_warmup=True, use_bias_correction=True, **arguments)  # type: ignore[no-any-return]


def _unusable(kind: Optimizer, error: Exception) -> TrainingError:
    said = "" if isinstance(error, ModuleNotFoundError) else f" ({' '.join(str(error).split())[:120]})"
    return missing(*OF_OPTIMIZERS[kind], said)
