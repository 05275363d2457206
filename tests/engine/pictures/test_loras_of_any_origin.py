"""Whoever made a LoRA: each module of the base model changes by just what the file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import LoraFileError
from engine.lora.header import read_header
from engine.models.locate import find_base
from engine.models.sdxl.loaded import SdxlBase
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.pictures.orders.picture import LoraWeight
from engine.pictures.painting.lora_cache import LoraCache
from engine.settings import BaseSettings
from tests.support.lora_spellings import SPELLINGS, Made, Place, layers_of, look, make, spelt, with_weight, written
from tests.support.rows import usual


@pytest.fixture(scope="module")
def tiny() -> Pipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


def changes(tiny: Pipeline, deltas: Mapping[Place, torch.Tensor], strengths: tuple[float, float] = (1.0, 1.0)) -> None:
    """Whether every layer of the model does what its weight and ΔW do, and no other layer has changed."""
    for place, layer in layers_of(tiny).items():
        x, made = look(layer)
        weight = layer.weight.detach()
        if place in deltas:
            strength = strengths[0] if place[0] == "unet" else strengths[1]
            weight = weight + strength * deltas[place].reshape(weight.shape)
        assert torch.allclose(made, with_weight(layer, x, weight), atol=2e-4, rtol=1e-4), place
        if place in deltas:
            assert not torch.allclose(made, with_weight(layer, x, layer.weight), atol=1e-3), f"{place} is bare"


@pytest.mark.parametrize("name", usual(SPELLINGS, list(SPELLINGS)[::3]))
def test_every_module_changes_by_what_the_file_says_in_every_spelling(
    name: str, tiny: Pipeline, tmp_path: Path
) -> None:
    spelling = SPELLINGS[name]
    lora = make(layers_of(tiny, texts=spelling.texts))
    path = written(tmp_path / "some.safetensors", spelt(lora, spelling))
    assert read_header(path).part_counts()["unknown"] == 0
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(path, 0.8, -0.4)])
    changes(tiny, {place: made.delta() for place, made in lora.items()}, (0.8, -0.4))
    assert lora_cache.left_out == ()
    lora_cache.set_loras([])
    changes(tiny, {})


def test_what_was_worn_before_changes_nothing_whatever_its_ranks(tiny: Pipeline, tmp_path: Path) -> None:
    layers, kohya = layers_of(tiny), SPELLINGS["kohya"]
    one, other = make(layers, seed=1), make(layers, seed=2)
    plain = make(layers, seed=3, ranks=[4])
    files = [
        written(tmp_path / f"{number}.safetensors", spelt(each, kohya))
        for number, each in enumerate((one, other, plain))
    ]
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    for number in (0, 1, 2, 1, 0):
        lora_cache.set_loras([LoraWeight(files[number], 1.0, 1.0)])
        changes(tiny, {place: made.delta() for place, made in (one, other, plain)[number].items()})
    lora_cache.set_loras([LoraWeight(files[0], 0.5, 0.0), LoraWeight(files[1], 0.25, 1.0)])
    both = {
        place: 0.5 * one[place].delta() + 0.25 * other[place].delta() if place[0] == "unet" else other[place].delta()
        for place in layers
    }
    changes(tiny, both)
    lora_cache.set_loras([])


def test_ranks_that_differ_are_the_same_lora_padded_to_one_rank(tiny: Pipeline, tmp_path: Path) -> None:
    """As resizing and extracting make them: ranks 1 to 8 with alpha = rank."""
    kohya, lora = SPELLINGS["kohya"], make(layers_of(tiny))
    padded = {
        place: Made(
            torch.cat([made.down, torch.zeros(8 - made.rank, *made.down.shape[1:])]),
            torch.cat([made.up, torch.zeros(made.up.shape[0], 8 - made.rank, *made.up.shape[2:])], dim=1),
            8.0,
        )
        for place, made in lora.items()
    }
    lora_cache, seen = LoraCache(SdxlBase(tiny), "base"), []
    for name, each in (("mixed", lora), ("padded", padded)):
        lora_cache.set_loras([LoraWeight(written(tmp_path / f"{name}.safetensors", spelt(each, kohya)), 1.0, 1.0)])
        seen.append({place: look(layer)[1] for place, layer in layers_of(tiny).items()})
    for place, made in seen[0].items():
        assert torch.allclose(made, seen[1][place], atol=1e-5), place
    lora_cache.set_loras([])


ALPHAS: dict[str, dict[str, Any]] = {
    "one alpha": {"unet.lora_alpha": 16, "text_encoder.lora_alpha": 3, "text_encoder_2.lora_alpha": 5},
    "alphas by module": {
        "unet.lora_alpha": 2, "unet.alpha_pattern": {"to_q": 8, "^mid_block.attentions.0.proj_in": 32},
        "text_encoder.lora_alpha": 4, "text_encoder.alpha_pattern": {"^text_model.encoder.layers.0.mlp.fc1": 9},
        "text_encoder_2.lora_alpha": 4, "text_encoder_2.alpha_pattern": {r"layers\.1\.self_attn\.q_proj$": 7}},
    "rank-stabilised": {
        f"{part}.{key}": value for part in ("unet", "text_encoder", "text_encoder_2")
        for key, value in (("lora_alpha", 6), ("use_rslora", True))},
}  # fmt: skip


def told_scale(about: dict[str, Any], place: Place, rank: int) -> float:
    """The scale that a file's metadata gives a module, as peft reads it."""
    part, module = place
    alpha = about[f"{part}.lora_alpha"]
    special = {
        ("unet", "mid_block.attentions.0.proj_in"): 32,
        ("text_encoder", "encoder.layers.0.mlp.fc1"): 9,
        ("text_encoder_2", "encoder.layers.1.self_attn.q_proj"): 7,
    }
    if f"{part}.alpha_pattern" in about:
        alpha = special.get(place, 8 if part == "unet" and module.endswith(".to_q") else alpha)
    return float(alpha / rank**0.5 if about.get(f"{part}.use_rslora") else alpha / rank)


@pytest.mark.parametrize("kind", ALPHAS)
def test_alphas_that_stand_in_the_metadata_alone_count(kind: str, tiny: Pipeline, tmp_path: Path) -> None:
    about, lora = ALPHAS[kind], make(layers_of(tiny), ranks=[4])
    path = written(tmp_path / "some.safetensors", spelt(lora, SPELLINGS["diffusers"], alphas=False), about)
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {place: made.delta(told_scale(about, place, made.rank)) for place, made in lora.items()})
    lora_cache.set_loras([])


def test_alphas_of_peft_s_own_config_beside_the_file_count(tiny: Pipeline, tmp_path: Path) -> None:
    lora = make(layers_of(tiny, texts=False), ranks=[2, 4])
    path = written(tmp_path / "adapter_model.safetensors", spelt(lora, SPELLINGS["PEFT"], alphas=False))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 16, "use_rslora": True}), "utf-8")
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {place: made.delta(16 / made.rank**0.5) for place, made in lora.items()})
    lora_cache.set_loras([])


def test_a_tensor_s_alpha_goes_before_the_metadata_s(tiny: Pipeline, tmp_path: Path) -> None:
    lora = make(layers_of(tiny))
    about = {f"{part}.lora_alpha": 50 for part in ("unet", "text_encoder", "text_encoder_2")}
    path = written(tmp_path / "some.safetensors", spelt(lora, SPELLINGS["kohya"]), about)
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {place: made.delta() for place, made in lora.items()})
    lora_cache.set_loras([])


def decomposed(weight: torch.Tensor, delta: torch.Tensor, magnitude: torch.Tensor, rows: bool) -> torch.Tensor:
    """What DoRA makes of a weight: W' - W. https://arxiv.org/abs/2402.09353, formula 5; columns as LyCORIS has it."""
    whole = weight + delta
    flat = whole.flatten(2) if whole.dim() > 2 else whole[..., None]
    lengths = flat.pow(2).sum(dim=(1, 2) if rows else (0, 2)).sqrt()
    shape = (-1, *[1] * (whole.dim() - 1)) if rows else (1, -1, *[1] * (whole.dim() - 2))
    return whole * (magnitude.reshape(shape) / lengths.reshape(shape)) - weight


@pytest.mark.parametrize("kind", ["rows", "columns", "PEFT"])
def test_a_dora_wears_its_scales(kind: str, tiny: Pipeline, tmp_path: Path) -> None:
    layers = layers_of(tiny)
    rows = kind != "columns"
    lora, chance = make(layers), torch.Generator().manual_seed(5)
    sizes = {place: layer.weight.shape[0 if rows else 1] for place, layer in layers.items()}
    scales = {place: torch.rand(size, generator=chance) + 0.5 for place, size in sizes.items()}
    half = {place for at, place in enumerate(layers) if at % 2}

    def scale(place: Place) -> torch.Tensor | None:
        if place not in half:
            return None
        dims = layers[place].weight.dim()
        if kind == "PEFT":
            return scales[place] if dims == 2 else scales[place].reshape(1, -1, 1, 1)
        return scales[place].reshape((-1, *[1] * (dims - 1)) if rows else (1, -1, *[1] * (dims - 2)))

    spelling, suffix = ("diffusers", ".lora_magnitude_vector") if kind == "PEFT" else ("kohya", ".dora_scale")
    path = written(
        tmp_path / "dora.safetensors", spelt(lora, SPELLINGS[spelling], alphas=kind != "PEFT", more={suffix: scale})
    )
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    for strength in (1.0, 0.6):
        lora_cache.set_loras([LoraWeight(path, strength, strength)])
        deltas = {
            place: decomposed(layer.weight.detach(), lora[place].delta(), scales[place], rows)
            if place in half
            else lora[place].delta()
            for place, layer in layers.items()
        }
        changes(tiny, deltas, (strength, strength))
    lora_cache.set_loras([])


def test_peft_makes_the_same_of_a_dora(tiny: Pipeline, tmp_path: Path) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    base = torch.nn.Sequential()
    layer = dict(tiny.unet.named_modules())["mid_block.attentions.0.proj_in"]
    base.add_module("proj_in", torch.nn.Linear(128, 128))
    base.proj_in.load_state_dict(layer.state_dict())
    inject_adapter_in_model(LoraConfig(r=4, lora_alpha=6, use_dora=True, target_modules=["proj_in"]), base)
    own, chance = base.proj_in, torch.Generator().manual_seed(1)
    with torch.no_grad():
        for each in (own.lora_A, own.lora_B):
            each["default"].weight.copy_(torch.randn(each["default"].weight.shape, generator=chance) * 0.1)
        own.lora_magnitude_vector["default"].weight.copy_(torch.rand(128, generator=chance) + 0.5)
    name = "unet.mid_block.attentions.0.proj_in"
    path = tmp_path / "dora.safetensors"
    tensors = {
        f"{name}.lora_A.weight": own.lora_A["default"].weight, f"{name}.lora_B.weight": own.lora_B["default"].weight,
        f"{name}.lora_magnitude_vector": own.lora_magnitude_vector["default"].weight,
    }  # fmt: skip
    written(path, {key: each.detach().clone() for key, each in tensors.items()}, {"unet.lora_alpha": 6})
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    x, made = look(layer)
    with torch.no_grad():
        assert torch.allclose(made, own(x), atol=1e-4)
    lora_cache.set_loras([])


def test_a_locon_of_three_matrices_is_worn_exactly(tiny: Pipeline, tmp_path: Path) -> None:
    layers = layers_of(tiny)
    lora, chance = make(layers), torch.Generator().manual_seed(3)
    for place, layer in layers.items():
        if layer.weight.dim() == 4 and layer.weight.shape[2] == 3:
            rank, kernel = lora[place].rank, layer.weight.shape[2:]
            lora[place] = replace(
                lora[place],
                down=torch.randn(rank, layer.weight.shape[1], 1, 1, generator=chance) * 0.1,
                mid=torch.randn(rank, rank, *kernel, generator=chance) * 0.3,
                alpha=rank / 2,
            )
    path = written(tmp_path / "tucker.safetensors", spelt(lora, SPELLINGS["kohya"]))
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    deltas = {place: made.delta() for place, made in lora.items()}
    for place, layer in layers.items():
        x, made = look(layer)
        assert torch.allclose(made, with_weight(layer, x, layer.weight + deltas[place]), atol=2e-4), place
    lora_cache.set_loras([])


def test_lycoris_learnt_factor_and_peft_s_bias_count(tiny: Pipeline, tmp_path: Path) -> None:
    place = ("unet", "mid_block.attentions.0.proj_in")
    lora = {place: replace(make(layers_of(tiny))[place], alpha=3.0)}
    layer = layers_of(tiny)[place]
    factor = written(
        tmp_path / "factor.safetensors",
        spelt(lora, SPELLINGS["kohya"], more={".scalar": lambda _: torch.tensor(0.25)}),
    )
    bias = torch.randn(128, generator=torch.Generator().manual_seed(2))
    biased = written(
        tmp_path / "biased.safetensors",
        spelt(lora, SPELLINGS["diffusers"], alphas=False, more={".lora_B.bias": lambda _: bias}),
        {"unet.lora_alpha": 3},
    )
    lora_cache, delta = LoraCache(SdxlBase(tiny), "base"), lora[place].delta()
    lora_cache.set_loras([LoraWeight(factor, 1.0, 1.0)])
    x, made = look(layer)
    assert torch.allclose(made, with_weight(layer, x, layer.weight + 0.25 * delta), atol=1e-4)
    lora_cache.set_loras([LoraWeight(biased, 1.0, 1.0)])
    _, made = look(layer)
    added = bias * 3.0 / lora[place].rank
    assert torch.allclose(made, with_weight(layer, x, layer.weight + delta) + added, atol=1e-4)
    lora_cache.set_loras([])


def test_modules_that_the_base_has_not_are_counted_and_told(tiny: Pipeline, tmp_path: Path) -> None:
    lora = make(layers_of(tiny))
    tensors = spelt(lora, SPELLINGS["kohya"])
    for name in ("lora_unet_input_blocks_19_1_proj_in", "lora_unet_double_blocks_0_img_attn_qkv"):
        tensors |= {f"{name}.lora_down.weight": torch.ones(2, 8), f"{name}.lora_up.weight": torch.ones(8, 2)}
    tensors["lora_unet_output_blocks_0_0_in_layers_2_half.lora_down.weight"] = torch.ones(2, 8)
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(written(tmp_path / "more.safetensors", tensors), 1.0, 1.0)])
    changes(tiny, {place: made.delta() for place, made in lora.items()})
    (told,) = lora_cache.left_out
    assert (told.name, told.count, told.total) == ("more", 3, len(lora) + 3)
    assert "3 of" in str(told)
    assert "left out" in str(told)
    lora_cache.set_loras([])
    assert lora_cache.left_out == ()


OTHERS = {
    "LoHa": {f"hada_{each}": torch.zeros(4, 4) for each in ("w1_a", "w1_b", "w2_a", "w2_b")},
    "LoKr with two": {f"lokr_{each}": torch.zeros(4, 4) for each in ("w1", "w2", "t1")},
    "LoKr with DoRA": {"lokr_w1": torch.zeros(4, 4), "lokr_w2": torch.zeros(4, 4), "dora_scale": torch.zeros(16, 1)},
    "GLoRA": {f"{each}.weight": torch.zeros(4, 4) for each in ("a1", "a2", "b1", "b2")},
    "norms": {"w_norm": torch.zeros(4), "b_norm": torch.zeros(4)},
    "full weights": {"diff": torch.zeros(4, 4)},
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("beside", [True, False])
def test_another_network_is_refused_by_name_and_never_worn_in_part(
    kind: str, beside: bool, tiny: Pipeline, tmp_path: Path
) -> None:
    tensors = spelt(make(layers_of(tiny)), SPELLINGS["kohya"]) if beside else {}
    tensors |= {f"lora_unet_middle_block_1_norm.{suffix}": each for suffix, each in OTHERS[kind].items()}
    path = tmp_path / "other.safetensors"
    save_file(tensors, path)
    with pytest.raises(LoraFileError, match=f"another network .1 {kind}"):
        LoraCache(SdxlBase(tiny), "base").set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {})


def test_a_module_that_is_there_twice_is_refused(tiny: Pipeline, tmp_path: Path) -> None:
    place = ("unet", "mid_block.attentions.0.proj_in")
    lora = {place: make(layers_of(tiny))[place]}
    tensors = spelt(lora, SPELLINGS["kohya"]) | spelt(lora, SPELLINGS["diffusers"], alphas=False)
    path = written(tmp_path / "twice.safetensors", tensors)
    with pytest.raises(LoraFileError, match="twice"):
        LoraCache(SdxlBase(tiny), "base").set_loras([LoraWeight(path, 1.0, 1.0)])


def test_one_that_does_not_fit_leaves_what_was_on(tiny: Pipeline, tmp_path: Path) -> None:
    lora = make(layers_of(tiny))
    good = written(tmp_path / "good.safetensors", spelt(lora, SPELLINGS["kohya"]))
    place = ("unet", "mid_block.attentions.0.proj_in")
    wide = {place: Made(torch.ones(4, 640), torch.ones(640, 4), 4.0)}
    bad = written(tmp_path / "bad.safetensors", spelt(wide, SPELLINGS["kohya"]))
    lora_cache = LoraCache(SdxlBase(tiny), "base")
    lora_cache.set_loras([LoraWeight(good, 1.0, 1.0)])
    with pytest.raises(LoraFileError, match="made for another base model"):
        lora_cache.set_loras([LoraWeight(bad, 1.0, 1.0)])
    changes(tiny, {place: made.delta() for place, made in lora.items()})
    lora_cache.set_loras([])
