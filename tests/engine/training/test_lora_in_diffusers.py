"""What ``limner lora show`` says of diffusers is what diffusers' own loader does, on each kind of file."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.lora.compatibility import clients
from engine.lora.diffusers_loader import in_diffusers
from engine.lora.header import read_header
from engine.lora.key_formats import module_of
from engine.lora.module_names import Part
from engine.models.locate import find_base
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.settings import BaseSettings
from tests.support.lora_spellings import SPELLINGS, Made, Place, layers_of, make, spelt, written
from tests.support.rows import usual

PARTS = {Part.UNET: "unet", Part.TE1: "text_encoder", Part.TE2: "text_encoder_2"}

KOHYA, DIFFUSERS = SPELLINGS["kohya"], SPELLINGS["diffusers"]
RENAMED = SPELLINGS["kohya with diffusers' blocks, as LCM's"]


@pytest.fixture(scope="module")
def tiny() -> Pipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


@pytest.fixture(scope="module")
def layers(tiny: Pipeline) -> dict[Place, Any]:
    """All but the projection, whose rank diffusers loses."""
    return {place: layer for place, layer in layers_of(tiny).items() if place[1] != "text_projection"}


def loaded(tiny: Pipeline, path: Path, lora: Mapping[Place, Made]) -> dict[Place, float] | None:
    """The scale of each module that diffusers' loader puts on; None where it fails."""
    try:
        tiny.load_lora_weights(str(path), adapter_name="seen")
        found: dict[Place, float] = {}
        for part in PARTS.values():
            for name, layer in getattr(tiny, part).named_modules():
                if hasattr(layer, "lora_A") and "seen" in layer.lora_A:
                    place = (part, name.removeprefix("text_model."))
                    own = lora[place].delta(1.0)
                    seen = layer.get_delta_weight("seen").detach().reshape(own.shape)
                    if seen.abs().max() > 0:
                        found[place] = float((seen * own).sum() / (own * own).sum())
        return found
    except (ValueError, RuntimeError, KeyError, IndexError, TypeError):
        return None
    finally:
        tiny.unload_lora_weights()


def told(path: Path) -> dict[Place, float] | None:
    """The same as ``lora show`` has it."""
    said = in_diffusers(read_header(path))
    if said.fails:
        return None
    places = {name: module_of(name, 1) for name in said.scales}
    return {
        (PARTS[part], module.removeprefix("text_model.")): said.scales[name] for name, (part, module) in places.items()
    }


def agree(tiny: Pipeline, path: Path, lora: Mapping[Place, Made]) -> dict[Place, float] | None:
    seen, said = loaded(tiny, path, lora), told(path)
    assert (seen is None) == (said is None), in_diffusers(read_header(path)).fails
    if seen is None or said is None:
        return None
    assert set(said) == set(seen)
    for place, scale in seen.items():
        assert said[place] == pytest.approx(scale, rel=1e-3), place
    return seen


@pytest.mark.parametrize("alphas", usual([True, False], 1))
@pytest.mark.parametrize("name", usual(SPELLINGS, 3))
def test_what_diffusers_loads_of_each_spelling(
    name: str, alphas: bool, tiny: Pipeline, layers: dict[Place, Any], tmp_path: Path
) -> None:
    spelling = SPELLINGS[name]
    lora = make({place: each for place, each in layers.items() if spelling.texts or place[0] == "unet"}, ranks=[4])
    lora = {place: replace(each, alpha=2.0) for place, each in lora.items()}
    agree(tiny, written(tmp_path / "some.safetensors", spelt(lora, spelling, alphas=alphas)), lora)


def by_place(value: Callable[[Place, Made], float]) -> Callable[[dict[Place, Made]], dict[Place, Made]]:
    return lambda lora: {place: replace(made, alpha=value(place, made)) for place, made in lora.items()}


MIXES = {
    "ranks that differ, alpha = rank": (range(1, 9), by_place(lambda _, made: float(made.rank))),
    "ranks that differ, one alpha": (range(1, 9), by_place(lambda *_: 2.0)),
    "alphas that differ": ([4], by_place(lambda place, _: random.Random(str(place)).choice([1.0, 2.0, 4.0, 4.0]))),
}


@pytest.mark.parametrize("part", usual(PARTS.values(), 1))
@pytest.mark.parametrize("mix", usual(MIXES, 1))
def test_the_scales_of_mixed_files_are_told(
    mix: str, part: str, tiny: Pipeline, layers: dict[Place, Any], tmp_path: Path
) -> None:
    ranks, mixed = MIXES[mix]
    lora = mixed(make({place: each for place, each in layers.items() if place[0] == part}, ranks=ranks))
    path = written(tmp_path / "mixed.safetensors", spelt(lora, KOHYA))
    seen = agree(tiny, path, lora)
    wrong = sum(abs(scale - lora[place].alpha / lora[place].rank) > 1e-3 for place, scale in (seen or {}).items())
    assert bool(wrong) == (mix != "ranks that differ, one alpha")
    path = written(tmp_path / "own.safetensors", spelt(lora, DIFFUSERS, alphas=False))
    own = agree(tiny, path, lora)
    assert own
    assert all(scale == pytest.approx(1.0, rel=1e-3) for scale in own.values())


def _without_some_alphas(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    dropped = [name for name in tensors if name.endswith(".alpha")][::3]
    return {name: each for name, each in tensors.items() if name not in dropped}


def _also(name: str, *suffixes: str) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda tensors: tensors | {name + suffix: torch.ones(4, 4) for suffix in suffixes}


def _of_all(suffix: str, shape: tuple[int, ...]) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    def change(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        names = {name.removesuffix(".lora_up.weight") for name in tensors if name.endswith(".lora_up.weight")}
        return tensors | {f"{name}{suffix}": torch.ones(shape) for name in names}

    return change


BESIDE = {
    "some modules have no alpha": _without_some_alphas,
    "modules that SDXL has not": _also("lora_unet_double_blocks_0_x", ".lora_down.weight", ".lora_up.weight"),
    "a block that SDXL has not": _also("lora_unet_input_blocks_19_1_proj_in", ".lora_down.weight", ".lora_up.weight"),
    "half a pair": _also("lora_unet_middle_block_1_norm", ".lora_down.weight"),
    "an embedding": _also("bundle_emb.word", ".string_to_param"),
    "DoRA": _of_all(".dora_scale", (3,)),
    "a learnt factor": _of_all(".scalar", ()),
    "a third matrix": _of_all(".lora_mid.weight", (4, 4, 3, 3)),
    "full weights": _also("lora_unet_middle_block_1_norm", ".diff"),
}


@pytest.mark.parametrize("kind", usual(BESIDE, 3))
def test_what_stands_beside_a_lora_is_told(kind: str, tiny: Pipeline, layers: dict[Place, Any], tmp_path: Path) -> None:
    lora = make({place: each for place, each in layers.items() if place[0] == "unet"}, ranks=[4])
    lora = {place: replace(each, alpha=2.0) for place, each in lora.items()}
    path = written(tmp_path / "some.safetensors", BESIDE[kind](spelt(lora, KOHYA)))
    if kind == "full weights":
        assert loaded(tiny, path, lora) is None
        assert "refuses it" in clients(read_header(path, any_network=True))["diffusers"]
        return
    agree(tiny, path, lora)


def test_two_ways_to_name_blocks_are_told(tiny: Pipeline, layers: dict[Place, Any], tmp_path: Path) -> None:
    lora = make({place: each for place, each in layers.items() if place[0] == "unet"}, ranks=[4])
    places = list(lora)
    one, other = ({place: lora[place] for place in some} for some in (places[:60], places[60:]))
    seen = agree(tiny, written(tmp_path / "two.safetensors", spelt(one, KOHYA) | spelt(other, RENAMED)), lora)
    assert seen is not None
    assert 0 < len(seen) < len(lora)


@pytest.mark.parametrize("rank", [4, 2])
def test_the_projection_of_text_encoder_2_is_told(rank: int, tiny: Pipeline, tmp_path: Path) -> None:
    texts = {place: each for place, each in layers_of(tiny).items() if place[0] == "text_encoder_2"}
    lora = make(texts, ranks=[4])
    projection = ("text_encoder_2", "text_projection")
    lora[projection] = make({projection: texts[projection]}, ranks=[rank])[projection]
    seen = agree(tiny, written(tmp_path / "all.safetensors", spelt(lora, KOHYA)), lora)
    assert (seen is not None) == (rank == 4)
    alone = {projection: lora[projection]}
    assert agree(tiny, written(tmp_path / "alone.safetensors", spelt(alone, KOHYA)), alone) is None


METADATA: dict[str, dict[str, Any]] = {
    "no targets": {"unet.r": 4, "unet.lora_alpha": 2},
    "an alpha": {"unet.r": 4, "unet.lora_alpha": 2, "unet.target_modules": ["proj_in", "proj_out"]},
    "rank-stabilised": {
        "unet.r": 4, "unet.lora_alpha": 2, "unet.use_rslora": True, "unet.target_modules": ["proj_in", "proj_out"]},
    "alphas by module": {
        "unet.r": 4, "unet.lora_alpha": 2, "unet.alpha_pattern": {"proj_in": 8},
        "unet.target_modules": ["proj_in", "proj_out"]},
}  # fmt: skip


@pytest.mark.parametrize("kind", METADATA)
def test_scales_of_an_adapter_s_metadata_are_told(
    kind: str, tiny: Pipeline, layers: dict[Place, Any], tmp_path: Path
) -> None:
    lora = make({p: each for p, each in layers.items() if p[0] == "unet" and p[1].endswith(("proj_in", "proj_out"))})
    lora = make({place: layers[place] for place in lora}, ranks=[4])
    path = written(tmp_path / "own.safetensors", spelt(lora, DIFFUSERS, alphas=False), METADATA[kind])
    seen = agree(tiny, path, lora)
    assert (seen is None) == (kind == "no targets")
    agree(tiny, written(tmp_path / "both.safetensors", spelt(lora, KOHYA), METADATA[kind]), lora)
