"""Runs that are killed with SIGKILL at 50 places and resumed, against one that never was: bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests.bench.result import Result

KILLS = 50


def results() -> Iterator[Result]:
    """How many kills left a trace in losses, checkpoints or state."""
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            [sys.executable, "-m", "tests.support.killing", folder, str(KILLS)],
            # As a job has it: threads that wait and spin keep other programs, and each other, from the cores.
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(said.stdout)
    inside = sum(count for place, count in told["died"].items() if place.startswith("inside"))
    note = f"{inside} inside a line or a file being written; {told['runs']} runs, {told['seconds']} s"
    yield Result("training: kills survived bit for bit", told["kills"] - len(told["wrong"]), "kills", note=note)
    for wrong in told["wrong"]:
        yield Result(f"training: after a kill, {wrong}", None, "", note="differs from the unbroken run")
