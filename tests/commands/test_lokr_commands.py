"""LoKr by commands: trained, told of, converted, painted with, and what is refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.lora.header import read_header
from engine.project import Project
from tests.commands.conftest import Run
from tests.support.lokr_files import make_lokr
from tests.support.small_project import random_lora, small_project
from tests.support.tiny_klein import tiny_klein

QUERY = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "james", training__epochs=1, training__learning_rate=5e-2,
                         training__sample_prompts=["jx265 man"], training__sample_inference_steps=2,
                         painting__idle_seconds=8.0)  # fmt: skip


def painted(run: Run, out: Path, *words: object) -> bytes:
    done = run("paint", *words, "--seed", "3", "-o", out)
    assert done.code == 0, done.err
    return Image.open(out).tobytes()


def test_a_lokr_is_trained_shown_painted_with_and_gone_on_from(run: Run, project: Project, tmp_path: Path) -> None:
    asked = ("--network", "lokr", "--factor", "4")
    trained = run("train", "--wait", "--json", *asked)
    assert trained.code == 0, trained.out + trained.err
    [checkpoint] = project.runs.glob("*/checkpoints/jx265.safetensors")
    assert list(project.runs.glob("*/samples/*.png"))
    shown = run("lora", "show", checkpoint, "--json").record
    assert (shown["network"], shown["factor"], shown["rank"], shown["alpha"]) == ("LoKr", 4, 4, 2.0)
    assert shown["here"] == "applies 84 of 84 modules, each at its own scale"
    told = " ".join(run("lora", "show", checkpoint).out.split())
    assert "network LoKr, factor 4" in told
    bare = painted(run, tmp_path / "bare.png", "jx265 man", "--lora", f"{checkpoint}:0")
    whole = painted(run, tmp_path / "whole.png", "jx265 man", "--lora", checkpoint)
    part = painted(run, tmp_path / "part.png", "jx265 man <lora:jx265:0.7>")
    assert len({bare, whole, part}) == 3
    assert painted(run, tmp_path / "again.png", "jx265 man", "--lora", f"{checkpoint}:0.7") == part
    goes_on = run("train", "--wait", "--json", *asked, "--set", f"network_weights={checkpoint}")
    assert goes_on.code == 0, goes_on.err
    other = run("train", "--set", f"network_weights={checkpoint}").failure
    assert "jx265.safetensors is a LoKr, and training.network is lora: set training.network to lokr" in other
    other = run("train", *asked[:2], "--factor", "8", "--set", f"network_weights={checkpoint}").failure
    assert "has factor 4, and training.factor is 8: set training.factor to 4" in other


def test_what_a_lokr_can_not_have_is_refused_in_a_line(run: Run, tmp_path: Path) -> None:
    assert "set training.dropout to 0" in run("train", "--network", "lokr", "--set", "dropout=0.1").failure
    assert "training.network" in run("train", "--network", "loha").failure
    assert "write 2 or more, or -1" in run("estimate", "--network", "lokr", "--factor", "0").failure
    plain = random_lora(tmp_path / "plain.safetensors")
    told = run("train", "--network", "lokr", "--set", f"network_weights={plain}").failure
    assert "plain.safetensors is a LoRA, and training.network is lokr: set training.network to lora" in told


def test_an_estimate_tells_the_memory_of_a_lokr(run: Run, project: Project) -> None:
    project.change({"base.model": "stabilityai/stable-diffusion-xl-base-1.0"})
    asked = ("estimate", "--card", "NVIDIA GeForce RTX 4090", "--json", "--images", "20", "--rank", "64",
             "--set", "gradient_checkpointing=true")  # fmt: skip
    lora, lokr = run(*asked), run(*asked, "--network", "lokr")
    assert (lora.code, lokr.code) == (0, 0), lora.err + lokr.err
    assert lokr.record["memory_gb"] < lora.record["memory_gb"] - 2
    assert lokr.record["network"] == {"kind": "lokr", "factor": 8}
    told = " ".join(run(*(each for each in asked if each != "--json"), "--network", "lokr").out.split())
    assert "network LoKr of rank 64, factor 8" in told


def sdxls(path: Path, **kinds: str) -> Path:
    """A LoKr for full-size SDXL: the query, and more of its block, by kind."""
    tensors: dict[str, torch.Tensor] = {}
    for name, kind in ({"q": "w2 of two"} | kinds).items():
        made = make_lokr(torch.empty(640, 640), kind, factor=8)
        spelt = f"{QUERY[:-1]}{name}"
        tensors |= {f"{spelt}.{end}": each.half() for end, each in made.tensors.items()}
        tensors[f"{spelt}.alpha"] = torch.tensor(1.0)
    save_file(tensors, path)
    return path


def test_show_tells_ranks_and_what_each_program_makes_of_it(run: Run, tmp_path: Path) -> None:
    path = sdxls(tmp_path / "some.safetensors", k="whole", v="both of two")
    shown = run("lora", "show", path, "--json").record
    assert (shown["family"], shown["network"], shown["factor"]) == ("SDXL", "LoKr", 8)
    assert (shown["rank"], shown["ranks"], shown["whole_modules"]) == (2, [2], 1)
    assert {name: shown["clients"][name] for name in ("A1111", "Forge", "ComfyUI", "InvokeAI")} == {
        "A1111": "loads 3 of 3 modules, shown with every model (no metadata)",
        "Forge": "loads 3 of 3 modules",
        "ComfyUI": "loads 3 of 3 modules",
        "InvokeAI": "loads 3 of 3 modules",
    }
    assert shown["clients"]["diffusers"].startswith("fails")
    assert "lycoris.kohya" in shown["clients"]["sd-scripts"]
    told = " ".join(run("lora", "show", path).out.split())
    assert "network LoKr, factor 8" in told
    assert "rank 2, 1 module whole" in told


def test_convert_keeps_what_it_does_or_says_why_not(run: Run, tmp_path: Path) -> None:
    path, there, back = (tmp_path / f"{name}.safetensors" for name in "abc")
    sdxls(path, k="whole")
    assert run("lora", "convert", path, "-o", there, "--to", "comfyui", "--json").record["modules"] == 2
    assert all(name.startswith("diffusion_model.input_blocks.4.1.") for name in load_file(there))
    assert run("lora", "convert", there, "-o", back, "--to", "kohya").code == 0
    before, after = load_file(path), load_file(back)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before if ".lokr_" in name)
    assert "diffusers has no loader of LoKr for SDXL: convert it to kohya" in run(
        "lora", "convert", path, "-o", tmp_path / "d.safetensors", "--to", "diffusers").failure  # fmt: skip


def test_klein_s_file_is_diffusers_own(run: Run, project: Project, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"base.model": str(tiny_klein(tmp_path / "klein")), "training.sample_prompts": []}
    project.change({**changes, "training.network": "lokr", "training.factor": 2, "painting.sampler": "Euler"})
    trained = run("train", "--wait", "--json")
    assert trained.code == 0, trained.out + trained.err
    [checkpoint] = project.runs.glob("*/checkpoints/*.safetensors")
    header = read_header(checkpoint)
    assert (len(header.lokr), header.metadata["ss_network_args"]) == (16, '{"algo": "lokr", "factor": "2"}')
    shown = run("lora", "show", checkpoint, "--json").record
    assert shown["family"] == "FLUX.2 klein"
    assert shown["clients"]["diffusers"] == "loads 16 of 16 modules"
    assert shown["clients"]["ComfyUI"] == "loads 16 modules, since January 2026"
    assert shown["clients"]["InvokeAI"] == "loads such networks (16 LoKr modules), as 6.14.2 does"
    bare = painted(run, tmp_path / "bare.png", "jx265 man", "--lora", f"{checkpoint}:0")
    assert painted(run, tmp_path / "one.png", "jx265 man", "--lora", checkpoint) != bare
