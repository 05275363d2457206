"""``limner lora show`` on files of every kind: it says what becomes of them, and refuses none in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import LoraFileError
from engine.lora.compatibility import clients
from engine.lora.header import read_header
from tui.cli.main import main

QUERY = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
CONV = "lora_unet_input_blocks_1_0_in_layers_2"


def pair(name: str, inputs: int = 640, outputs: int = 640) -> dict[str, torch.Tensor]:
    return {f"{name}.lora_down.weight": torch.zeros(4, inputs), f"{name}.lora_up.weight": torch.zeros(outputs, 4)}


FILES: dict[str, tuple[dict[str, torch.Tensor], str, str]] = {
    "Stable Diffusion 1, text only": (
        pair("lora_te_text_model_encoder_layers_0_mlp_fc1", 768, 3072), "A1111", "have one text encoder"),
    "Stable Diffusion 1, U-Net": (
        pair("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320), "ComfyUI", "768 wide"),
    "SDXL, text only": (
        pair("lora_te1_text_model_encoder_layers_0_mlp_fc1", 768, 3072), "Forge", "loads 1 of 1 modules"),
    "LoCon": (
        pair(QUERY) | {f"{CONV}.lora_down.weight": torch.zeros(4, 320, 3, 3),
                       f"{CONV}.lora_up.weight": torch.zeros(320, 4, 1, 1)}, "A1111", "loads 2 of 2 modules"),
    "DoRA": (pair(QUERY) | {f"{QUERY}.dora_scale": torch.zeros(640, 1)}, "diffusers", "without their DoRA scales"),
    "LoHa": ({f"{QUERY}.hada_{each}": torch.zeros(4, 4) for each in ("w1_a", "w1_b", "w2_a", "w2_b")},
             "ComfyUI", "1 LoHa"),
    "LoKr": ({f"{QUERY}.lokr_w1": torch.zeros(8, 8), f"{QUERY}.lokr_w2": torch.zeros(80, 80)},
             "A1111", "loads 1 of 1 modules"),
    "LoKr of another size": (
        {f"{QUERY}.lokr_w1": torch.zeros(4, 4), f"{QUERY}.lokr_w2": torch.zeros(4, 4)}, "ComfyUI", "other sizes"),
    "LoKr with DoRA's scales": (
        {f"{QUERY}.lokr_w1": torch.zeros(8, 8), f"{QUERY}.lokr_w2": torch.zeros(80, 80),
         f"{QUERY}.dora_scale": torch.zeros(640, 1)}, "diffusers", "refuses it: 1 LoKr with DoRA"),
    "peft": ({"unet.mid_block.attentions.0.proj_in.lora_A.weight": torch.zeros(4, 1280),
              "unet.mid_block.attentions.0.proj_in.lora_B.weight": torch.zeros(1280, 4)}, "A1111", "loads nothing"),
    "diffusers' older names": (
        {"unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight": torch.zeros(4, 1280),
         "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight": torch.zeros(1280, 4)},
        "InvokeAI", "fails"),
    "attention processors in ComfyUI": (
        {"unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight":
            torch.zeros(4, 1280),
         "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.up.weight":
            torch.zeros(1280, 4)}, "ComfyUI", "loads 1 of 1 modules"),
    "peft without a pipeline": (
        {"base_model.model.mid_block.attentions.0.proj_in.lora_A.weight": torch.zeros(4, 1280),
         "base_model.model.mid_block.attentions.0.proj_in.lora_B.weight": torch.zeros(1280, 4)},
        "diffusers", "loads nothing"),
    "an adapter by its name": (
        {"unet.mid_block.attentions.0.proj_in.lora_A.default.weight": torch.zeros(4, 1280),
         "unet.mid_block.attentions.0.proj_in.lora_B.default.weight": torch.zeros(1280, 4)}, "diffusers", "fails"),
    "two spellings": (
        {"unet.mid_block.attentions.0.proj_in.lora_A.weight": torch.zeros(4, 1280),
         "unet.mid_block.attentions.0.proj_in.lora_B.weight": torch.zeros(1280, 4),
         "unet.mid_block.attentions.0.proj_out.lora.down.weight": torch.zeros(4, 1280),
         "unet.mid_block.attentions.0.proj_out.lora.up.weight": torch.zeros(1280, 4)},
        "diffusers", "loads 1 of 2 modules"),
    "diffusers' blocks in kohya's names": (
        pair("lora_unet_mid_block_attentions_0_proj_in", 1280, 1280), "sd-scripts", "continues 0 of 1 modules"),
    "kohya's names": (pair(QUERY), "sd-scripts", "continues 1 of 1 modules"),
    "another size": (pair(QUERY, 320, 320), "A1111", "other sizes than SDXL's"),
    "Flux in kohya's names": (
        pair("lora_unet_double_blocks_0_img_attn_qkv", 3072, 9216), "ComfyUI", "without a U-Net"),
    "of no model known": (pair("lora_unet_something", 8, 8), "Forge", "none of its 1 modules"),
    "Flux": ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": torch.zeros(4, 8),
              "transformer.single_transformer_blocks.0.attn.to_q.lora_B.weight": torch.zeros(8, 4)},
             "diffusers", "without a U-Net"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_each_kind_of_file_is_told_of(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors, client, says = FILES[kind]
    path = tmp_path / "some.safetensors"
    save_file(tensors, path)
    with pytest.raises(SystemExit) as ended:
        main(["lora", "show", str(path), "--json"])
    assert not ended.value.code
    record = json.loads(capsys.readouterr().out)
    assert says in record["clients"][client]
    assert set(record["clients"]) == {"A1111", "Forge", "ComfyUI", "InvokeAI", "diffusers", "SwarmUI", "sd-scripts"}
    assert sum(record["modules"].values()) + sum(record["other_networks"].values()) > 0
    with pytest.raises(SystemExit) as ended:
        main(["lora", "show", str(path)])
    assert not ended.value.code


def shown(tensors: dict[str, torch.Tensor], path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    save_file(tensors, path)
    with pytest.raises(SystemExit):
        main(["lora", "show", str(path), "--json"])
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_what_is_no_number_and_what_has_lost_its_pair_is_told(
    dtype: torch.dtype, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {name: each.to(dtype) for name, each in (pair(QUERY) | pair(f"{CONV}_half")).items()}
    tensors |= {f"{QUERY}.alpha": torch.tensor(65504.0).to(dtype)}
    del tensors[f"{CONV}_half.lora_up.weight"]
    record = shown(tensors, tmp_path / "sound.safetensors", capsys)
    assert (record["no_numbers"], record["stray"]) == ([], [f"{CONV}_half.lora_down.weight"])
    tensors[f"{QUERY}.lora_up.weight"][3, 1] = float("nan")
    tensors[f"{QUERY}.lora_down.weight"][3, 1] = float("-inf")
    record = shown(tensors, tmp_path / "broken.safetensors", capsys)
    assert set(record["no_numbers"]) == {f"{QUERY}.lora_up.weight", f"{QUERY}.lora_down.weight"}


def test_a_network_that_is_no_lora_is_not_painted_with_and_told_why(tmp_path: Path) -> None:
    path = tmp_path / "loha.safetensors"
    save_file(FILES["LoHa"][0], path)
    with pytest.raises(LoraFileError, match="another network"):
        read_header(path)
    assert "LoHa" in clients(read_header(path, any_network=True))["A1111"]
