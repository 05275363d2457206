"""Converting a LoRA file in a process of its own, which may import torch. No torch here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from engine import TELEMETRY_OFF
from engine.errors import LoraFileError
from engine.lora.layouts import Style

SECONDS = 600.0
"""A file of many GB on a slow disk takes less."""


def convert_file(source: Path, target: Path, style: Style, *, overwrite: bool = False) -> int:
    """As ``convert.convert``, in a process of its own.

    Raises:
        LoraFileError: as there; or the process died.
    """
    order = {"source": str(source.absolute()), "target": str(target.absolute()), "style": style, "overwrite": overwrite}
    root = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "engine.lora.conversion.convert", json.dumps(order)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=True,
            cwd="/",
            env={**os.environ, **TELEMETRY_OFF, "PYTHONPATH": paths},
        )
        answer = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:
        told = getattr(error, "stderr", None) or b""
        why = (told.decode("utf-8", "replace").strip().splitlines() or [type(error).__name__])[-1]
        raise LoraFileError(f"{source} can't be converted ({why})", "free memory, and try again") from error
    if "what" in answer:
        raise LoraFileError(answer["what"], answer["fix"])
    return int(answer["modules"])
