"""FLUX.2 klein by commands: trained with samples, its LoRA loaded by diffusers, pictures painted with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinPipeline
from PIL import Image

from engine.lora.header import read_header
from engine.models.locate import find_base
from engine.models.registry import family_of, shape_of
from engine.project import Project
from tests.commands.conftest import Run
from tests.support.distilled_klein import distilled_klein
from tests.support.small_project import small_project
from tests.support.tiny_klein import tiny_klein


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Trains on a base model of klein's architecture with random weights."""
    project = small_project(
        tmp_path / "james",
        base__model=str(tiny_klein(tmp_path / "klein")),
        training__epochs=1,
        training__noise_offset=0.1,
        training__sample_prompts=["jx265 man, red shirt"],
        training__sample_inference_steps=2,
        painting__idle_seconds=8.0,
    )
    # As klein is usually painted.
    text = project.settings_path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("guidance_scale", "sampler"))]
    project.settings_path.write_text("\n".join(kept) + "\n")
    return project


def test_the_demo_takes_a_tiny_klein_and_keeps_to_it(run: Run, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    assert run("demo", folder, "--base", "flux2-klein", "--json").record["project"] == str(folder)
    demo = Project(folder)
    base = find_base(demo.settings.base)
    assert (base.title, family_of(base).title, shape_of(base).resolution) == ("limner-tiny-klein", "FLUX.2 klein", 64)
    assert demo.settings.painting.steps == 8
    assert run("demo", folder, "--json").code == 0, "the one that is there"
    assert "holds a demo with another base model" in run("demo", folder, "--base", "sdxl", "--json").failure


def test_klein_is_trained_and_painted_with_by_commands(run: Run, project: Project, tmp_path: Path) -> None:
    trained = run("train", "--wait", "--json")
    assert trained.code == 0, trained.out + trained.err
    [log] = project.runs.glob("*/events.jsonl")
    assert "training.noise_offset has no effect: FLUX.2 klein follows a rectified flow" in log.read_text()
    [sample] = project.runs.glob("*/samples/*.png")
    assert "Sampler: Euler, CFG scale: 4" in Image.open(sample).info["parameters"]
    [checkpoint] = project.runs.glob("*/checkpoints/*.safetensors")
    header = read_header(checkpoint)
    assert header.metadata["modelspec.architecture"] == "Flux.2-klein-4b/lora"
    assert len(header.modules) == 12 + 2 * 2
    pipeline = Flux2KleinPipeline.from_pretrained(project.settings.base.model, dtype=torch.float32)
    pipeline.load_lora_weights(str(checkpoint))
    assert pipeline.get_list_adapters() == {"transformer": ["default_0"]}
    looks = []
    for strength in (0, 1):
        out = tmp_path / f"{strength}.png"
        painted = run(
            "paint", "jx265 man, (red:1.2) shirt", "--lora", f"{checkpoint}:{strength}", "--seed", "3", "-o", out
        )
        assert painted.code == 0, painted.err
        assert "FLUX.2 klein ignores weights: (word:1.2) is read as word" in painted.err
        looks.append(Image.open(out).tobytes())
    assert looks[0] != looks[1]


def test_samples_by_a_distilled_model_are_what_paint_makes(run: Run, project: Project, tmp_path: Path) -> None:
    distilled = distilled_klein(tmp_path / "distilled")
    project.change({"base.paint_with": str(distilled), "training.noise_offset": 0.0})
    samples = {"sample_base": "paint_with", "sample_inference_steps": 3}
    changed = [word for name, value in samples.items() for word in ("--set", f"training.{name}={value}")]
    trained = run("train", "--wait", "--json", *changed)
    assert trained.code == 0, trained.out + trained.err
    [sample] = project.runs.glob("*/samples/*.png")
    assert "Sampler: Euler, CFG scale: 1" in Image.open(sample).info["parameters"]
    assert f'paint_with = "{distilled}"' in next(project.runs.glob("*/run.toml")).read_text()
    [checkpoint] = project.runs.glob("*/checkpoints/*.safetensors")
    out = tmp_path / "again.png"
    seed = str(project.settings.training.sample_seed)
    again = run("paint", "jx265 man, red shirt", "--steps", "3", "--lora", f"{checkpoint}:1", "--seed", seed, "-o", out)
    assert again.code == 0, again.err
    was, now = (np.asarray(Image.open(each)).astype(int) for each in (sample, out))
    assert np.abs(was - now).max() <= 2
    plain = tmp_path / "plain.png"
    run("paint", "jx265 man, red shirt", "--steps", "3", "--lora", "none", "--seed", seed, "-o", plain)
    assert np.abs(was - np.asarray(Image.open(plain)).astype(int)).max() > 2, "the LoRA was not worn"
