"""A card's load, power, heat and memory, as NVIDIA's driver tells them (NVML). No torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pynvml

from engine.training.planning.gpus import first_visible

LOOK_SECONDS = 1.0
"""How often the driver is asked; it measures no faster itself."""

Vitals = dict[str, float]
"""What is known of a card, by the names of the ``step`` event's fields."""


class VitalsReader:
    """Asks the driver now and then. A card or driver that tells nothing, or not everything, is no error."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._handle = _handle()

    def look(self) -> Vitals:
        """What the driver says now; nothing where it was asked less than a second ago."""
        now = time.monotonic()
        if self._handle is None or now - self._asked < LOOK_SECONDS:
            return {}
        self._asked = now
        return vitals_of(self._handle)


def vitals_of(handle: Any) -> Vitals:
    """What the driver tells of one card: percent, watts, degrees Celsius, GB."""
    asked: dict[str, Callable[[], float]] = {
        "gpu_percent": lambda: float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        "gpu_watts": lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
        "gpu_celsius": lambda: float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
        "gpu_memory_gb": lambda: round(pynvml.nvmlDeviceGetMemoryInfo(handle).used / 1e9, 3),
        "gpu_total_gb": lambda: round(pynvml.nvmlDeviceGetMemoryInfo(handle).total / 1e9, 3),
    }
    found: Vitals = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except pynvml.NVMLError:
            # Some cards have no such sensor, or keep it from guests.
            continue
    return found


def _handle() -> Any | None:
    """The card that training takes; None where there is no driver, or one without NVML. It stays open to the end."""
    try:
        pynvml.nvmlInit()
        return first_visible()
    except pynvml.NVMLError:
        return None
