"""The benchmark for a card works before there is one: its whole code on the tiny base, and whatever fails in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.training.gpu import Measured, Variant, _ask, _markdown, _results, _Worker, variants

ROOT = Path(__file__).parents[3]


@pytest.mark.long
def test_the_whole_benchmark_runs_unattended_and_leaves_a_table(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.bench", "train", "--gpu", "--tiny"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    record = json.loads((tmp_path / ".bench" / "gpu.json").read_text("utf-8"))
    wanted = [each for some in variants(tiny=True) for each in some]
    assert [(each["family"], each["way"], each["batch"], each["checkpointing"]) for each in record["variants"]] == [
        (each.family, each.way, each.batch, each.checkpointing) for each in wanted
    ]
    assert {each.family for each in wanted} == {"sdxl", "flux2-klein"}
    assert {each.way for each in wanted} == {"peft", "eager", "graphed", "compiled"}
    for each in record["variants"]:
        assert each["images_per_s"] > 0, each
        assert each["told"] == []
    assert record["whole"]["checkpoints"] == 2, record["whole"]
    assert record["matmul_tflops"] > 0
    table = (tmp_path / ".bench" / "gpu.md").read_text("utf-8")
    assert "| flux2-klein | tiny | graphed | 2 | on |" in table
    assert "A whole LoRA of 8 image-steps" in table
    assert "train: a whole LoRA" in said.stdout


def test_a_variant_that_dies_or_hangs_is_told_and_the_next_one_is_measured() -> None:
    answers = """
import json, os, sys, time
for line in sys.stdin:
    batch = json.loads(line)["batch"]
    if batch == 2: os._exit(9)
    if batch == 3: time.sleep(60)
    print("noise")
    print(json.dumps({"images_per_s": 4.0 * batch, "memory_gb": 8.0, "ready_s": 1.0, "told": []}), flush=True)
"""
    worker, found = _Worker(tiny=True), Measured("card", "torch", tflops=100.0)
    worker._command = [sys.executable, "-c", answers]
    wanted = [Variant("peft", 1), Variant("eager", 2), Variant("eager", 1)]
    try:
        _ask(worker, found, wanted, float("inf"))
        assert "no answer within 0.5 s" in worker.ask({"batch": 3}, 0.5)["error"]
        _ask(worker, found, [Variant("graphed", 4)], float("inf"))
        _ask(worker, found, [Variant("graphed", 6)], 0.0)
    finally:
        worker.end()
    table = _markdown(found, tiny=False)
    assert "| sdxl | 1024 | eager | 2 | off | – | – | – | – | its process ended" in table
    # 14.6 TFLOP an image at 100 TFLOP/s are 0.146 s: 16 a second would be 2.3 times the card.
    assert "| sdxl | 1024 | graphed | 4 | off | 16.00 | 8.0 | 234% | 1.0 |" in table
    assert "| sdxl | 1024 | graphed | 6 | off | – | – | – | – | no time left |" in table
    named = {each.name: each for each in _results(found, tiny=False)}
    assert named["train: sdxl 1024, eager, batch 1"].ratio == 1.0
    assert named["train: sdxl 1024, graphed, batch 6"].value is None
