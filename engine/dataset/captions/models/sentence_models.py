"""What models that write sentences have in common. Only inside a job's process."""

from __future__ import annotations

from typing import Any

import torch

BEAMS = 3


def first_device() -> tuple[torch.device, torch.dtype]:
    """The first GPU in half the bytes where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.device("cpu"), torch.float32


def on_device(inputs: Any, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Inputs on a device; pictures in the model's numbers."""
    return {
        key: value.to(device, dtype) if value.is_floating_point() else value.to(device)
        for key, value in inputs.items()
        if isinstance(value, torch.Tensor)
    }
