"""``python -m tests.support.rented``: both providers on loopback, to use Limner with by hand until the input ends."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.rented.api_server import KEY
from tests.support.rented.runpod_server import runpod
from tests.support.rented.vast_server import vast

with tempfile.TemporaryDirectory() as folder, runpod(Path(folder) / "a") as one, vast(Path(folder) / "b") as other:
    print(f"export LIMNER_RUNPOD_URL={one.url} LIMNER_RUNPOD_KEY={KEY}")
    print(f"export LIMNER_VAST_URL={other.url} LIMNER_VAST_KEY={KEY}", flush=True)
    sys.stdin.read()
