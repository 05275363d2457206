"""Z-Image by commands: trained with samples, its LoRA loaded by diffusers, pictures painted with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import ZImagePipeline
from PIL import Image
from safetensors.torch import load_file

from engine.lora.header import read_header
from engine.project import Project
from tests.commands.conftest import Run
from tests.support.small_project import small_project
from tests.support.tiny_z_image import tiny_z_image


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Trains on a base model of Z-Image's architecture with random weights; captions of different lengths."""
    project = small_project(
        tmp_path / "james",
        base__model=str(tiny_z_image(tmp_path / "z")),
        training__epochs=1,
        training__noise_offset=0.1,
        training__validation_split=0.4,
        training__sample_prompts=["jx265 man, red shirt"],
        training__sample_inference_steps=2,
        painting__idle_seconds=8.0,
    )
    [longer] = project.root.rglob("0002.txt")
    longer.write_text(f"jx265 man, {', '.join(['blue shirt'] * 20)}\n", "utf-8")
    # As Z-Image is usually painted.
    text = project.settings_path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("guidance_scale", "sampler"))]
    project.settings_path.write_text("\n".join(kept) + "\n")
    return project


def test_z_image_is_trained_and_painted_with_by_commands(run: Run, project: Project, tmp_path: Path) -> None:
    trained = run("train", "--wait", "--json")
    assert trained.code == 0, trained.out + trained.err
    [log] = project.runs.glob("*/events.jsonl")
    assert "training.noise_offset has no effect: Z-Image follows a rectified flow" in log.read_text()
    [sample] = project.runs.glob("*/samples/*.png")
    assert "Sampler: Euler, CFG scale: 5" in Image.open(sample).info["parameters"]
    [checkpoint] = project.runs.glob("*/checkpoints/*.safetensors")
    header = read_header(checkpoint)
    assert header.metadata["modelspec.architecture"] == "Z-Image/lora"
    assert len(header.modules) == 7 * 2
    assert all(name.startswith("diffusion_model.layers.") for name in header.tensors)
    pipeline = ZImagePipeline.from_pretrained(project.settings.base.model, dtype=torch.float32)
    pipeline.load_lora_weights(str(checkpoint))
    assert pipeline.get_list_adapters() == {"transformer": ["default_0"]}
    shown = run("lora", "show", checkpoint, "--json").record
    assert (shown["family"], shown["clients"]["diffusers"]) == ("Z-Image", "loads 14 of 14 modules")
    looks = []
    for strength in (0, 1):
        out = tmp_path / f"{strength}.png"
        painted = run(
            "paint", "jx265 man, (red:1.2) shirt", "--lora", f"{checkpoint}:{strength}", "--seed", "3", "-o", out
        )
        assert painted.code == 0, painted.err
        assert "Z-Image ignores weights: (word:1.2) is read as word" in painted.err
        looks.append(Image.open(out).tobytes())
    assert looks[0] != looks[1]


def test_a_run_goes_on_from_what_a_run_of_z_image_has_learnt(run: Run, project: Project) -> None:
    assert run("train", "--wait", "--json").code == 0
    [first] = project.runs.glob("*/checkpoints/*.safetensors")
    project.change({"training.network_weights": str(first), "training.gradient_checkpointing": True})
    again = run("train", "--wait", "--json")
    assert again.code == 0, again.out + again.err
    [second] = [each for each in project.runs.glob("*/checkpoints/*.safetensors") if each != first]
    log = (second.parents[1] / "events.jsonl").read_text()
    assert "modules" not in log, "nothing of the file was left out, and nothing was missing in it"
    one, other = load_file(first), load_file(second)
    assert one.keys() == other.keys()
    grown = [float(other[name].float().norm() / one[name].float().norm()) for name in one if ".lora_B." in name]
    assert min(grown) > 1.5, "what begins at 0 is as far again: it has gone on"
