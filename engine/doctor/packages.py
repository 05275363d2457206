"""The Python packages: those that nothing works without, and those that only some settings want."""

from __future__ import annotations

import importlib.util
import platform
import sys

from engine.doctor.check import Check

NEEDED = ("accelerate", "diffusers", "numpy", "onnxruntime", "peft", "PIL", "safetensors", "tokenizers", "transformers")
"""By the names that they are imported by; torch has a check of its own."""

OPTIONAL = {
    "bitsandbytes": ("8-bit optimizers, which take less memory", "pip install 'limner[optimizers]'"),
    "prodigyopt": ("the Prodigy optimizer, which finds its own learning rate", "pip install 'limner[optimizers]'"),
    "tensorboard": ("runs for TensorBoard", "pip install 'limner[tensorboard]'"),
}
"""What each is for, and how it is had."""


def package_checks() -> list[Check]:
    """All of them in a few lines; nothing is imported."""
    missing = [name for name in NEEDED if not _is_there(name)]
    python = f"Python {platform.python_version()} in {sys.prefix}"
    if missing:
        checks = [
            Check("packages", False, f"{python}: {', '.join(missing)} missing", "pip install limner", needed=True)
        ]
    else:
        checks = [Check("packages", True, f"{python}, all there")]
    return checks + [
        Check(name, True, f"there: {what}") if _is_there(name) else Check(name, False, f"not installed: {what}", fix)
        for name, (what, fix) in OPTIONAL.items()
    ]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
