"""What SDXL can be trained with, FLUX.2 klein and Z-Image can: every option that changes a step, by commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.project import Project
from tests.commands.conftest import Run
from tests.support.small_project import portrait, small_project
from tests.support.tiny_klein import tiny_klein
from tests.support.tiny_z_image import tiny_z_image

WAYS = {
    "all at once": (
        *("masked_loss=true", "caption_shuffle=true", "ema_decay=0.9", "validation_split=1", "dropout=0.1"),
        *("gradient_accumulation_steps=2", "gradient_checkpointing=true", "save_every_n_steps=2"),
    ),
    "two processes": ("processes=2", "batch_size=1"),
    "Prodigy": ('optimizer="prodigy"', "learning_rate=1"),
    "Adafactor": ('optimizer="adafactor"',),
    "AdamW in 8 bits": ('optimizer="adamw8bit"',),
    "LoKr": ('network="lokr"', "factor=4"),
}

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(params=["flux2-klein", "z-image"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    make = {"flux2-klein": tiny_klein, "z-image": tiny_z_image}[request.param]
    project = small_project(tmp_path / "james", images=5, base__model=str(make(tmp_path / "base")))
    reg = project.root / "reg" / "1_man"
    reg.mkdir(parents=True)
    for number in range(3):
        portrait(number + 3).save(reg / f"{number}.png")
        (reg / f"{number}.txt").write_text("a man")
    return project


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_train_works_for_transformers(way: str, run: Run, project: Project) -> None:
    if way == "AdamW in 8 bits":
        pytest.importorskip("bitsandbytes")
    done = run("train", "--wait", "--json", *(word for each in WAYS[way] for word in ("--set", f"training.{each}")))
    assert done.code == 0, done.err
    assert done.record["state"] == "done"
    assert len(done.record["checkpoints"]) >= 2
    assert (done.record["validation_loss"] is not None) == (way == "all at once")


def test_every_way_to_paint_works_for_transformers(run: Run, project: Project, tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    portrait(1).save(source)
    looks = set()
    for number, options in enumerate(((), ("--hires", "1.5:0.6"), ("--face-fix",), ("--from", source))):
        out = tmp_path / f"{number}.png"
        done = run("paint", "jx265 man", "--seed", "1", "--steps", "3", "-o", out, *options)
        assert done.code == 0, done.err
        with Image.open(out) as picture:
            looks.add((picture.size, picture.tobytes()))
    assert len(looks) >= 3
