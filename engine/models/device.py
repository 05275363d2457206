"""What the work runs on: the device, the numbers it computes in, the cores, the memory taken so far."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.settings import Precision


@dataclass(frozen=True)
class Device:
    """A device and the type that the frozen base model is kept in there."""

    name: str
    """``cuda``, ``mps`` or ``cpu``."""
    dtype: torch.dtype

    @property
    def on_gpu(self) -> bool:
        """Whether it is an NVIDIA or AMD card."""
        return self.name == "cuda"

    @property
    def total_gb(self) -> float | None:
        """The card's memory in GB; None on a CPU."""
        return torch.cuda.get_device_properties(0).total_memory / 1e9 if self.on_gpu else None

    def memory_gb(self) -> float:
        """The most memory taken so far in GB: of the card, or of this process on a CPU."""
        if self.on_gpu:
            return float(torch.cuda.max_memory_allocated()) / 1e9
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024) / 1e9

    def taken_gb(self) -> float:
        """The card's memory that is taken now, in GB: by this process, used or not, and by others; 0 on a CPU."""
        if not self.on_gpu:
            return 0.0
        free, total = torch.cuda.mem_get_info()
        return max(float(torch.cuda.memory_reserved()), float(total - free)) / 1e9

    def forget_peak(self) -> None:
        """Lets ``memory_gb`` tell of a card what is taken from here on; a CPU's process has no such thing."""
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()

    def wait(self) -> None:
        """Until it has done what it was told to do."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def free(self) -> None:
        """Gives back what the allocator holds for nobody."""
        if self.on_gpu:
            torch.cuda.empty_cache()


def choose_device(precision: Precision = Precision.AUTO) -> Device:
    """The card where there is one, else the CPU, with as many threads as OMP_NUM_THREADS says or cores are for us.

    ``auto`` is bf16 on a card that has it and float32 elsewhere: most CPUs compute bf16 many times slower.
    """
    if torch.cuda.is_available():
        # Cards before Ampere take bf16, too, and compute it many times slower.
        own = torch.cuda.is_bf16_supported(including_emulation=False)
        half = precision is Precision.BF16 or (precision is Precision.AUTO and own)
        return Device("cuda", torch.bfloat16 if half else torch.float32)
    # Processes that train together share the cores, whatever their launcher thinks.
    together = os.environ.get("LOCAL_WORLD_SIZE")
    if together or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() // int(together or 1)))
    if torch.backends.mps.is_available():
        return Device("mps", torch.float32)
    return Device("cpu", torch.bfloat16 if precision is Precision.BF16 else torch.float32)


def usable_cores(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: its affinity, and a container's quota (cgroup v2 ``cpu.max``)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        # No cgroup here, or no quota in it ("max").
        return cores
