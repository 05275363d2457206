"""What a job's process imports, and what it does without."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

from engine.jobs.fast_imports import fast_imports

ALL_OF_A_RUN = """
import json, sys
from engine.jobs.fast_imports import quick_imports
with quick_imports():
    import engine.training.run
from engine.models.locate import find_base
from engine.settings import BaseSettings
from engine.training.step.lora_adapter import add_lora
from engine.models.sdxl.loaded import TARGETS
from engine.models.sdxl.loading import load_pipeline
add_lora(load_pipeline(find_base(BaseSettings(model="demo"))).unet, rank=2, alpha=1.0, seed=0, targets=TARGETS)
unasked = [name for name in ("bitsandbytes", "scipy") if name in sys.modules]
import bitsandbytes, scipy.stats
print(json.dumps(unasked))
"""


@pytest.mark.long
def test_a_run_imports_nothing_unasked_and_8_bit_adamw_still_works() -> None:
    done = subprocess.run([sys.executable, "-c", ALL_OF_A_RUN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_what_fails_inside_leaves_imports_and_collecting_as_they_were() -> None:
    before = dict(sys.modules)
    try:
        with fast_imports():
            assert not gc.isenabled()
            raise ValueError("inside")
    except ValueError:
        pass
    assert gc.isenabled()
    assert [name for name, module in sys.modules.items() if module is None and name not in before] == []
