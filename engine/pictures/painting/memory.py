"""What painting does when memory runs out: less at once, then slower, and only then it gives up. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

MOST_TOGETHER = 8
"""Pictures in a batch at most: more gain nothing on a card that one picture nearly fills, and the first comes later."""

BYTES_A_PIXEL = 1800
"""Of the card, a picture's share of a batch while it is painted; an estimate, for the first try only."""

SHARE = 0.8
"""Of the free memory."""

CPU_PIXELS = 2 * 1024 * 1024
"""Pixels painted together without a card."""

Tell = Callable[[str, str], None]
"""Gets what was changed so that the work fits, and why."""


def ran_out(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of a card or of the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    # A CPU's allocator and some of CUDA's libraries say it in a plain RuntimeError.
    wanted = ("out of memory", "can't allocate memory", "not enough memory", "cublas_status_alloc_failed")
    return isinstance(error, RuntimeError) and any(words in said for words in wanted)


def most_together(device: str, pixels: int, wanted: int | None) -> int:
    """How many pictures of so many pixels to try together; ``wanted`` is the user's own word."""
    if wanted is not None:
        return wanted
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        free += torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return max(1, min(MOST_TOGETHER, int(free * SHARE) // (pixels * BYTES_A_PIXEL)))
    return max(1, min(MOST_TOGETHER, CPU_PIXELS // pixels))


def free_memory() -> None:
    """Gives back what the card's allocator holds for nobody."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fits_whole(parts: Sequence[Any], device: str) -> bool:
    """Whether a card has room for all parts of a model at once, and for painting with them."""
    if device != "cuda":
        return True
    wanted = sum(each.numel() * each.element_size() for part in parts for each in part.parameters())
    free, _ = torch.cuda.mem_get_info()
    return bool(wanted <= free * SHARE)


def keep_one_part_on_the_card(parts: Sequence[Any], device: str) -> list[Any]:
    """Moves models to the device as each is called, and the one before it away. Returns the hooks.

    The models are given in the order in which painting calls them. What ``enable_model_cpu_offload`` of diffusers
    does, for parts that are not all of one pipeline.
    """
    from accelerate import cpu_offload_with_hook

    hooks: list[Any] = []
    before = None
    for part in parts:
        part.to("cpu")
        _, before = cpu_offload_with_hook(part, device, prev_module_hook=before)
        hooks.append(before)
    free_memory()
    return hooks
