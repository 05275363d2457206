"""The Python packages: those that nothing works without, and those that only some settings want."""

from __future__ import annotations

import platform
import sys

from engine.doctor.check import Check
from engine.jobs.needed_packages import FACES, TRAINING, is_client, is_there

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
    left_out = {*TRAINING, *FACES, "tokenizers"} if is_client() else set()
    missing = [name for name in NEEDED if not is_there(name) and name not in left_out]
    python = f"Python {platform.python_version()} in {sys.prefix}"
    if missing:
        checks = [
            Check("packages", False, f"{python}: {', '.join(missing)} missing", "pip install limner", needed=True)
        ]
    else:
        words = "a client's: it trains and paints on other machines" if left_out else "all there"
        checks = [Check("packages", True, f"{python}, {words}")]
    return checks + [
        Check(name, True, f"there: {what}") if is_there(name) else Check(name, False, f"not installed: {what}", fix)
        for name, (what, fix) in OPTIONAL.items()
    ]
