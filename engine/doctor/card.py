"""The graphics card, its driver, and whether this torch fits it.

Torch is not imported here: where there is a card it is asked in a process of its own, else what its package says of
itself is enough.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pynvml

from engine.doctor.check import Check, gigabytes
from engine.jobs.needed_packages import is_client

TORCH_SECONDS = 30
"""How long torch may take to say whether it sees the card; cold disks are slow."""

WHEELS = (118, 121, 124, 126, 128, 130)
"""The CUDA versions that PyTorch's own index has had builds for (https://download.pytorch.org/whl/)."""

NVIDIA = "0x10de"
"""NVIDIA's number among PCI vendors."""

_ASK = """
import json, torch
there = torch.cuda.is_available()
print(json.dumps({"there": there, "bf16": there and torch.cuda.is_bf16_supported()}))
"""


@dataclass(frozen=True)
class Cards:
    """What the driver says."""

    names: tuple[str, ...] = ()
    memory: tuple[int, ...] = ()
    """Bytes, of each."""
    free: tuple[int, ...] = ()
    driver: str = ""
    cuda: int = 0
    """The newest CUDA that the driver knows: 12040 is 12.4."""
    problem: str = ""
    """Why the driver could not be asked; empty where it could."""


@dataclass(frozen=True)
class Torch:
    """What torch's package says of itself."""

    version: str
    cuda: str | None
    """The CUDA it was built for, ``12.8``; None: a build for CPUs."""


def card_checks() -> list[Check]:
    """The card, and torch on it."""
    cards, torch = ask_driver(), read_torch()
    return [card_check(cards, has_card()), torch_check(torch, cards, ask_torch if cards.names else None)]


def card_check(cards: Cards, in_machine: bool) -> Check:
    """Whether there is a card that can be used."""
    if cards.names:
        told = [
            f"{name}, {gigabytes(free)} of {gigabytes(total)} free"
            for name, total, free in zip(cards.names, cards.memory, cards.free, strict=True)
        ]
        known = f"driver {cards.driver}, CUDA {_dotted(cards.cuda)}"
        return Check("gpu", True, f"{'; '.join(told)} ({known})")
    if in_machine:
        what = f"there is an NVIDIA GPU, but its driver does not answer ({cards.problem})"
        return Check("gpu", False, what, f"{_install_driver()} && sudo reboot")
    detail = "no NVIDIA GPU: everything runs on the CPU, which is enough for the demo and too slow for SDXL"
    return Check("gpu", False, detail, "run Limner on a machine with one; a rented 24 GB card is enough")


def torch_check(torch: Torch | None, cards: Cards, ask: Callable[[], tuple[bool, str]] | None = None) -> Check:
    """Whether torch is there, and fits the card and its driver.

    Args:
        torch: what its package says; None: there is none.
        cards: what the driver says.
        ask: asks torch itself; None: there is no card that it could see.
    """
    if torch is None:
        if is_client():
            return Check("torch", True, "not installed: see limner train --on, limner rent")
        return Check("torch", False, "not installed", "pip install torch", needed=True)
    built = f"for CUDA {torch.cuda}" if torch.cuda else "for CPUs"
    detail = f"{torch.version}, built {built}"
    if not cards.names:
        return Check("torch", True, detail, needed=True)
    fix = f"pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu{_wheel(cards.cuda)}"
    if torch.cuda is None:
        return Check("torch", False, f"{detail}: it can't see the GPU", fix)
    if int(torch.cuda.split(".")[0]) > cards.cuda // 1000:
        return Check(
            "torch", False, f"{detail}: driver {cards.driver} supports CUDA {_dotted(cards.cuda)} at most", fix
        )
    if ask is not None:
        seen, why = ask()
        if not seen:
            return Check("torch", False, f"{detail}: it does not see the GPU{f' ({why})' if why else ''}", fix)
        detail += f", sees the GPU{f', {why}' if why else ''}"
    return Check("torch", True, detail, needed=True)


def ask_driver() -> Cards:
    """Asks the driver (NVML), which takes milliseconds."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Cards(problem=str(error))
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
        memory = [pynvml.nvmlDeviceGetMemoryInfo(handle) for handle in handles]
        return Cards(
            tuple(_text(pynvml.nvmlDeviceGetName(handle)) for handle in handles),
            tuple(int(each.total) for each in memory),
            tuple(int(each.free) for each in memory),
            _text(pynvml.nvmlSystemGetDriverVersion()),
            int(pynvml.nvmlSystemGetCudaDriverVersion()),
        )
    except pynvml.NVMLError as error:
        return Cards(problem=str(error))
    finally:
        pynvml.nvmlShutdown()


def has_card(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether an NVIDIA display adapter is on the PCI bus (class 0x03…), driver or not."""
    for device in devices.glob("*"):
        try:
            vendor, kind = (device / "vendor").read_text().strip(), (device / "class").read_text()
        except OSError:
            continue
        if vendor == NVIDIA and kind.startswith("0x03"):
            return True
    return False


def read_torch() -> Torch | None:
    """Reads torch's version and what it was built for from its ``version.py``, without importing it."""
    try:
        version = importlib.metadata.version("torch")
        found = importlib.util.find_spec("torch")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    try:
        text = (Path(found.origin).parent / "version.py").read_text("utf-8")
    except OSError:
        return Torch(version, None)
    cuda = re.search(r"^cuda[^=\n]*=\s*'([\d.]+)'", text, re.MULTILINE)
    return Torch(version, cuda[1] if cuda else None)


def ask_torch() -> tuple[bool, str]:
    """Whether torch sees the card, and what it says besides; asked in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=TORCH_SECONDS, check=True
        )
        told = json.loads(done.stdout.splitlines()[-1])
        return bool(told["there"]), "bf16" if told["bf16"] else ""
    except subprocess.CalledProcessError as error:
        return False, (error.stderr.strip().splitlines() or ["it failed"])[-1]
    except (subprocess.SubprocessError, OSError, ValueError, IndexError, KeyError) as error:
        return False, type(error).__name__


def _install_driver(os_release: Path = Path("/etc/os-release")) -> str:
    """What installs the driver on Ubuntu, and on Debian and its other children."""
    try:
        ubuntu = "ID=ubuntu" in os_release.read_text().splitlines()
    except OSError:
        ubuntu = False
    return "sudo ubuntu-drivers install" if ubuntu else "sudo apt-get install nvidia-driver"


def _wheel(cuda: int) -> int:
    """The build for the newest CUDA that the driver knows: minor versions of one major version fit each other."""
    known = cuda // 1000 * 10 + cuda % 1000 // 10
    return max((wheel for wheel in WHEELS if wheel <= known), default=WHEELS[0])


def _dotted(cuda: int) -> str:
    return f"{cuda // 1000}.{cuda % 1000 // 10}"


def _text(told: str | bytes) -> str:
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
