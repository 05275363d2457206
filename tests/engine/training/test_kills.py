"""A run that is killed anywhere and resumed is the unbroken run, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 2
"""``python -m tests.bench kills`` does 50."""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("base", "network"), [("demo", "lora"), ("demo", "lokr"), ("demo-flux2-klein", "lora")])
def test_runs_killed_in_steps_and_writes_end_as_unbroken_bit_for_bit(base: str, network: str, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.killing", str(tmp_path), str(KILLS), base, network],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert told["kills"] == KILLS
    assert told["wrong"] == []
    assert any(place.startswith("inside writing") for place in told["died"]), told["died"]
    assert told["places"] > 100
