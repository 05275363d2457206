"""SDXL's LoRA files in other programs' names, and the command that converts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import LoraFileError
from engine.lora.compatibility import clients
from engine.lora.conversion.convert import convert
from engine.lora.file import read_contents
from engine.lora.header import read_header, read_metadata
from engine.lora.layouts import Style
from engine.models.locate import find_base
from engine.models.sdxl.loading import load_pipeline
from engine.settings import BaseSettings
from tests.support.lora_spellings import SPELLINGS, Made, Place, layers_of, make, spelt, written
from tui.cli.main import main

SPELT = {Style.KOHYA: "kohya", Style.DIFFUSERS: "diffusers", Style.COMFYUI: "ComfyUI"}

QUERY = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"


@pytest.fixture(scope="module")
def lora() -> dict[Place, Made]:
    """On all that the demo's base has, alpha half of each rank, in numbers that float16 holds."""
    made = make(layers_of(load_pipeline(find_base(BaseSettings(model="demo")))))
    return {
        place: replace(each, down=each.down.half(), up=each.up.half(), alpha=each.rank / 2)
        for place, each in made.items()
    }


def deltas(path: Path, layers: int = 1) -> dict[Any, torch.Tensor]:
    contents = read_contents(path, layers)
    assert contents.left_out == ()
    return {place: pair.delta() for place, pair in contents.modules.items()}


@pytest.mark.parametrize("style", Style)
def test_each_module_is_the_same_to_the_bit_there_and_back(
    style: Style, lora: dict[Place, Made], tmp_path: Path
) -> None:
    first = tmp_path / "a.safetensors"
    about = {"ss_network_dim": "4", "modelspec.trigger_phrase": "jx265"}
    save_file(spelt(lora, SPELLINGS["kohya"]), first, about)
    assert convert(first, tmp_path / "b.safetensors", style) == len(lora)
    assert convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors", Style.KOHYA) == len(lora)
    for name in ("b", "c"):
        seen = deltas(tmp_path / f"{name}.safetensors")
        assert set(seen) == set(deltas(first))
        assert all(torch.equal(seen[place], each) for place, each in deltas(first).items())
        assert read_metadata(tmp_path / f"{name}.safetensors") == about
    wanted = spelt(lora, SPELLINGS[SPELT[style]], alphas=style is not Style.DIFFUSERS)
    assert {name: each.shape for name, each in load_file(tmp_path / "b.safetensors").items()} == {
        name: each.shape for name, each in wanted.items()
    }


def test_a_scale_that_would_be_rounded_is_kept_in_float32(tmp_path: Path) -> None:
    randomness = torch.Generator().manual_seed(0)
    down, up = torch.randn(3, 640, generator=randomness), torch.randn(640, 3, generator=randomness)
    tensors = {f"{QUERY}.lora_down.weight": down, f"{QUERY}.lora_up.weight": up}
    tensors = {name: each.half() for name, each in tensors.items()} | {f"{QUERY}.alpha": torch.tensor(7.3)}
    first = tmp_path / "a.safetensors"
    save_file(tensors, first)
    convert(first, tmp_path / "b.safetensors", Style.DIFFUSERS)
    [wanted], [seen] = deltas(first, 2).values(), deltas(tmp_path / "b.safetensors", 2).values()
    assert torch.allclose(seen, wanted, rtol=1e-5, atol=1e-5)
    assert {each.dtype for each in load_file(tmp_path / "b.safetensors").values()} == {torch.float16, torch.float32}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({f"{QUERY}.dora_scale": torch.ones(640, 1)}, "is a DoRA"),
        ({"lora_unet_x.lora_down.weight": torch.ones(4, 8)}, "would be lost, such as lora_unet_x"),
        ({f"lora_te_x.lora_{each}.weight": torch.ones(4, 4) for each in ("down", "up")}, "no base model"),
    ],
)  # fmt: skip
def test_what_would_be_lost_is_refused(more: dict[str, torch.Tensor], why: str, tmp_path: Path) -> None:
    tensors = {f"{QUERY}.lora_down.weight": torch.ones(4, 640), f"{QUERY}.lora_up.weight": torch.ones(640, 4)}
    path = written(tmp_path / "a.safetensors", tensors | more)
    with pytest.raises(LoraFileError, match=why):
        convert(path, tmp_path / "b.safetensors", Style.COMFYUI)
    assert not (tmp_path / "b.safetensors").exists()


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in words])
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


def test_the_command_converts_and_replaces_nothing_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tensors = {f"{QUERY}.lora_down.weight": torch.ones(4, 640), f"{QUERY}.lora_up.weight": torch.ones(640, 4)}
    written(Path("a.safetensors"), tensors)
    (tmp_path / "torch.py").write_text("raise SystemExit('not this one')")
    order = ("lora", "convert", "a.safetensors", "-o", "b.safetensors", "--to", "diffusers")
    code, out, _ = run(capsys, *order, "--json")
    assert not code
    assert json.loads(out) == {"file": "b.safetensors", "to": "diffusers", "family": "SDXL", "modules": 1}
    assert clients(read_header(Path("b.safetensors")))["diffusers"].startswith("loads 1 modules")
    code, _, err = run(capsys, *order)
    assert code == 1
    assert "b.safetensors is there already: choose another name, or replace it with --overwrite" in err
    code, _, err = run(capsys, *order, "--overwrite")
    assert not code
    assert "1 module made for SDXL in b.safetensors" in err
    code, _, err = run(capsys, *order[:4], "b.bin", *order[5:])
    assert "b.bin does not end in .safetensors" in err
