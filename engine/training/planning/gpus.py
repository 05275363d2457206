"""GPUs: what the common ones can do, and which one is in this machine. No torch."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import pynvml

from engine.errors import TrainingError


@dataclass(frozen=True)
class Card:
    """A GPU. The rates are its makers' data sheets', which no program reaches in full."""

    name: str
    memory_gb: float
    """In GB of 10⁹ bytes, as runs tell their memory."""
    tflops: float | None = None
    """Dense bf16 with float32 sums, TFLOP/s; None: not known here."""
    gb_per_s: float | None = None
    """How fast its memory is read."""

    @property
    def class_gb(self) -> float:
        """The size that the card is sold by: binary gigabytes, and those that error correction takes, too."""
        return self.memory_gb * 1e9 / 2**30 / ECC_LEAVES


ECC_LEAVES = 0.935
"""The least share of its memory that a card reports: an A10 of 24 GB says 22.5 GiB, a T4 of 16 GB says 15."""

_SHEETS: tuple[tuple[str, int, float, int], ...] = (
    ("H200", 141, 989, 4800),
    ("H100 NVL", 94, 835, 3900),
    ("H100 PCIe", 80, 756, 2000),
    ("H100", 80, 989, 3350),
    ("B200", 180, 2250, 8000),
    ("A100 40GB", 40, 312, 1555),
    ("A100", 80, 312, 2039),
    ("L40S", 48, 362, 864),
    ("L40", 48, 181, 864),
    ("L4", 24, 121, 300),
    ("RTX 6000 Ada", 48, 364, 960),
    ("RTX A6000", 48, 155, 768),
    ("RTX A5000", 24, 111, 768),
    ("RTX A4000", 16, 76.7, 448),
    ("A40", 48, 150, 696),
    ("A10G", 24, 70, 600),
    ("A10", 24, 125, 600),
    ("RTX 5090", 32, 210, 1792),
    ("RTX 5080", 16, 113, 960),
    ("RTX 4090", 24, 165, 1008),
    ("RTX 4080", 16, 98, 717),
    ("RTX 4070 Ti", 12, 80, 504),
    ("RTX 4070", 12, 58, 504),
    ("RTX 4060 Ti", 16, 44, 288),
    ("RTX 4060", 8, 30, 272),
    ("RTX 3090 Ti", 24, 80, 1008),
    ("RTX 3090", 24, 71, 936),
    ("RTX 3080 Ti", 12, 68, 912),
    ("RTX 3080", 10, 60, 760),
    ("RTX 3070", 8, 41, 448),
    ("RTX 3060", 12, 25, 360),
)
"""Name, memory in GiB, dense bf16 TFLOP/s with float32 sums, GB/s: the makers' data sheets, without sparsity.

A name that contains another stands before it.
"""


def named_card(name: str) -> Card:
    """A card by a name that a person types: ``4090``, ``rtx 3060``, ``h100``.

    Raises:
        TrainingError: no card is called so.
    """
    wanted = _words(name)
    fitting = [sheet for sheet in _SHEETS if wanted and wanted <= _words(sheet[0])]
    if fitting:
        plainest = min(fitting, key=lambda sheet: len(sheet[0]))
        return _card(plainest[0], plainest[1])
    near = difflib.get_close_matches(name.upper(), [sheet for sheet, *_ in _SHEETS], n=3, cutoff=0.3)
    such = ", ".join(near) or "RTX 4090, H100"
    raise TrainingError(f"no GPU called {name} is known", f"give one such as {such}, or its memory with --memory")


def card_of_memory(gib: float) -> Card:
    """Some card of so much memory, of whose speed nothing is known."""
    return Card(f"card of {gib:g} GB", gib * 2**30 / 1e9)


@cache
def card_here() -> Card | None:
    """The GPU of this machine that training would take; None where there is none, or no driver.

    Asked of the driver once (NVML), so that no torch is needed and a screen that redraws costs nothing.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handle = first_visible()
        if handle is None:
            return None
        name = pynvml.nvmlDeviceGetName(handle)
        total = pynvml.nvmlDeviceGetMemoryInfo(handle).total
        return reported_card(name.decode() if isinstance(name, bytes) else name, int(total))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def reported_card(name: str, memory_bytes: int) -> Card:
    """A card as its driver describes it: ``NVIDIA GeForce RTX 4090``, 25_757_220_864."""
    words = _words(name)
    fitting = [sheet for sheet in _SHEETS if _words(sheet[0]) <= words]
    # Cards of one name come with several memories (A100: 40 and 80 GB): the nearest.
    best = min(
        fitting, key=lambda sheet: (abs(sheet[1] - memory_bytes / 2**30) > 8, -len(_words(sheet[0]))), default=None
    )
    rates = (None, None) if best is None else (best[2], float(best[3]))
    return Card(name.removeprefix("NVIDIA "), memory_bytes / 1e9, *rates)


def first_visible() -> Any | None:
    """NVML's handle of the first card that CUDA_VISIBLE_DEVICES leaves to programs, by number or uuid."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return pynvml.nvmlDeviceGetHandleByIndex(0) if pynvml.nvmlDeviceGetCount() else None
    first = visible.split(",")[0].strip()
    if not first or first == "-1":
        return None
    if first.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(first))
    return pynvml.nvmlDeviceGetHandleByUUID(first)


def _card(name: str, gib: int) -> Card:
    tflops, gb_per_s = next((sheet[2], sheet[3]) for sheet in _SHEETS if sheet[0] == name)
    return Card(name, gib * 2**30 / 1e9, tflops, gb_per_s)


def _words(name: str) -> frozenset[str]:
    """The words that tell cards apart: a driver's name says more than a person does."""
    parted = re.sub(r"(?<=\d)(?=(?:ti|super)\b)|[^a-z0-9]+", " ", name.lower().replace(" gb", "gb"))
    words = set(parted.split()) - {"nvidia", "geforce", "tesla", "sxm4", "sxm5", "sxm", "hbm3", "hbm2e"}
    return frozenset(words)
