"""Limner's engine: the work, without any screen.

Nothing in here imports Textual or ``tui``. Modules that need torch say so in their docstring and are
imported only inside job processes (see ``engine.jobs.worker``).
"""

import os

__version__ = "0.1.0"

TELEMETRY_OFF = {
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
"""No library tells anybody that it is used. ONNX Runtime looks at its variable as it is imported, and from 1.29 on it
would otherwise name this machine to Microsoft (onnxruntime's ``docs/Privacy.md``)."""

os.environ.update(TELEMETRY_OFF)
