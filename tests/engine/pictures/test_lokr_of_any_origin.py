"""LoKr files of any program: each module changes by LyCORIS' formula, beside LoRAs, at any strength, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import LoraFileError
from engine.lora.compatibility import here
from engine.lora.header import read_header
from engine.models.locate import find_base
from engine.models.sdxl.loaded import SdxlBase
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.pictures.orders.picture import LoraWeight
from engine.pictures.painting.lora_cache import LoraCache
from engine.pictures.painting.pipeline import Painting
from engine.pictures.painting.request import GenerationParams
from engine.project import Project
from engine.settings import BaseSettings, Sampler
from tests.engine.pictures.test_loras_of_any_origin import changes
from tests.engine.training.test_ways_to_train import checkpoint, done
from tests.support.lokr_files import KINDS, MadeLokr, make_lokr, spelt_lokr
from tests.support.lora_spellings import SPELLINGS, Place, layers_of, make, spelt
from tests.support.rows import usual
from tests.support.run_here import ordered
from tests.support.small_project import small_project

PROMPT = "jx265 man, red shirt"
BLOCK = "lora_unet_middle_block_1_proj_in"


@pytest.fixture(scope="module")
def tiny() -> Pipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


def made_for(tiny: Pipeline, kind: str, texts: bool = True, factor: int = 4) -> dict[Place, MadeLokr]:
    """One for each layer, each with other numbers."""
    layers = layers_of(tiny, texts=texts)
    numbered = enumerate(layers.items())
    return {place: make_lokr(each.weight, kind, factor, seed=number) for number, (place, each) in numbered}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_does_to_every_layer_what_lycoris_does(kind: str, tiny: Pipeline, tmp_path: Path) -> None:
    lokr = made_for(tiny, kind)
    path = tmp_path / "some.safetensors"
    save_file(spelt_lokr(lokr, SPELLINGS["kohya"].name), path)
    cache = LoraCache(SdxlBase(tiny), "base")
    cache.set_loras([LoraWeight(path, 0.7, -0.4)])
    changes(tiny, {place: made.delta() for place, made in lokr.items()}, (0.7, -0.4))
    assert cache.left_out == ()
    assert here(read_header(path)) == f"applies {len(lokr)} of {len(lokr)} modules, each at its own scale"
    cache.set_loras([])
    changes(tiny, {})


@pytest.mark.parametrize("name", usual(SPELLINGS, list(SPELLINGS)[::4]))
def test_every_spelling_is_understood(name: str, tiny: Pipeline, tmp_path: Path) -> None:
    lokr = made_for(tiny, "w2 of two", SPELLINGS[name].texts)
    path = tmp_path / "some.safetensors"
    save_file(spelt_lokr(lokr, SPELLINGS[name].name), path)
    cache = LoraCache(SdxlBase(tiny), "base")
    cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {place: made.delta() for place, made in lokr.items()})
    cache.set_loras([])


def test_a_lokr_and_a_lora_change_a_layer_by_the_sum_of_both(tiny: Pipeline, tmp_path: Path) -> None:
    lokr, lora = made_for(tiny, "w2 of two"), make(layers_of(tiny))
    save_file(spelt_lokr(lokr, SPELLINGS["kohya"].name), tmp_path / "kron.safetensors")
    save_file(spelt(lora, SPELLINGS["kohya"]), tmp_path / "plain.safetensors")
    both = [LoraWeight(tmp_path / f"{name}.safetensors", 0.5, 0.5) for name in ("kron", "plain")]
    cache = LoraCache(SdxlBase(tiny), "base")
    cache.set_loras(both)
    sums = {place: 0.5 * (each.delta() + lora[place].delta().flatten(1)) for place, each in lokr.items()}
    changes(tiny, sums)
    cache.set_loras(both[1:])
    changes(tiny, {place: 0.5 * each.delta() for place, each in lora.items()})
    cache.set_loras([])
    changes(tiny, {})


def test_one_file_may_hold_loras_and_lokrs(tiny: Pipeline, tmp_path: Path) -> None:
    lokr, lora = made_for(tiny, "whole"), make(layers_of(tiny))
    places = list(lora)
    some = {place: lokr[place] for place in places[::2]}
    others = {place: lora[place] for place in places[1::2]}
    path = tmp_path / "mixed.safetensors"
    save_file(spelt_lokr(some, SPELLINGS["kohya"].name) | spelt(others, SPELLINGS["kohya"]), path)
    cache = LoraCache(SdxlBase(tiny), "base")
    cache.set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {place: each.delta() for place, each in (some | others).items()})
    cache.set_loras([])


def test_alpha_counts_only_where_a_matrix_is_made_of_two(tiny: Pipeline, tmp_path: Path) -> None:
    for kind, wanted in (("whole", 1.0), ("w2 of two", 3.0)):
        lokr = made_for(tiny, kind)
        for alpha in (2.0, 6.0):
            tensors = spelt_lokr(lokr, SPELLINGS["kohya"].name)
            tensors |= {name: torch.tensor(alpha) for name in tensors if name.endswith(".alpha")}
            save_file(tensors, tmp_path / f"{alpha}.safetensors")
        cache = LoraCache(SdxlBase(tiny), "base")
        cache.set_loras([LoraWeight(tmp_path / "6.0.safetensors", 1.0, 1.0)])
        scale = 1.0 if kind == "whole" else 6.0 / 2
        assert scale == wanted
        changes(tiny, {place: each.delta() / each.scale * scale for place, each in lokr.items()})
        cache.set_loras([])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "matrices that don't meet": (
        {"lokr_w1": (4, 4), "lokr_w2_a": (8, 2), "lokr_w2_b": (3, 8)}, "the matrices of .* don't fit"),
    "nothing in it": ({"lokr_w1": (4, 0), "lokr_w2": (8, 8)}, "don't fit"),
    "another size": ({"lokr_w1": (4, 4), "lokr_w2": (8, 8)}, "was made for another base model"),
    "DoRA's scales": (
        {"lokr_w1": (4, 4), "lokr_w2": (8, 8), "dora_scale": (32, 1)}, "another network .1 LoKr with DoRA's scales"),
    "a second core": (
        {"lokr_w1_a": (4, 2), "lokr_w1_b": (2, 4), "lokr_t1": (2, 2), "lokr_w2": (8, 8)}, "two Tucker cores"),
    "a LoRA under the same name": (
        {"lokr_w1": (4, 4), "lokr_w2": (8, 8), "lora_down.weight": (4, 32), "lora_up.weight": (32, 4)}, "don't fit"),
    "half of it": ({"lokr_w1": (4, 4)}, "holds no LoRA"),
    "vectors": ({"lokr_w1": (4,), "lokr_w2": (8,)}, "holds no LoRA"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_whole_lokr_is_refused_by_name(kind: str, tiny: Pipeline, tmp_path: Path) -> None:
    shapes, why = REFUSED[kind]
    path = tmp_path / "odd.safetensors"
    save_file({f"{BLOCK}.{end}": torch.ones(shape) for end, shape in shapes.items()}, path)
    with pytest.raises(LoraFileError, match=why):
        LoraCache(SdxlBase(tiny), "base").set_loras([LoraWeight(path, 1.0, 1.0)])
    changes(tiny, {})


def test_half_a_lokr_beside_whole_ones_is_left_out_and_told(tiny: Pipeline, tmp_path: Path) -> None:
    lokr = made_for(tiny, "whole")
    tensors = spelt_lokr(lokr, SPELLINGS["kohya"].name)
    tensors[f"{BLOCK}_half.lokr_w1"] = torch.ones(4, 4)
    save_file(tensors, tmp_path / "some.safetensors")
    cache = LoraCache(SdxlBase(tiny), "base")
    cache.set_loras([LoraWeight(tmp_path / "some.safetensors", 1.0, 1.0)])
    [told] = cache.left_out
    assert (told.count, told.such_as) == (1, f"{BLOCK}_half")
    cache.set_loras([])


@pytest.mark.parametrize("pattern", [False, True])
def test_a_lokr_that_peft_saved_has_its_config_s_scale(pattern: bool, tiny: Pipeline, tmp_path: Path) -> None:
    lokr = made_for(tiny, "whole", texts=False)
    save_file(spelt_lokr(lokr, SPELLINGS["PEFT"].name, alphas=False), tmp_path / "adapter_model.safetensors")
    config = '{"peft_type": "LOKR", "r": 8, "alpha": 4, "alpha_pattern": {%s}}'
    own = '"mid_block.attentions.0.proj_in": 16' if pattern else ""
    (tmp_path / "adapter_config.json").write_text(config % own)
    cache = LoraCache(SdxlBase(tiny), "base")
    cache.set_loras([LoraWeight(tmp_path / "adapter_model.safetensors", 1.0, 1.0)])
    scales = {place: 2.0 if pattern and place[1] == "mid_block.attentions.0.proj_in" else 0.5 for place in lokr}
    changes(tiny, {place: each.delta() * scales[place] for place, each in lokr.items()})
    cache.set_loras([])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("painted") / "james", images=4, training__network="lokr",
                         training__factor=4, training__learning_rate=5e-2)  # fmt: skip


def painted(painting: Painting, *loras: LoraWeight) -> Any:
    params = GenerationParams(steps=3, guidance=3.0, sampler=Sampler.EULER, others=loras)
    return painting.paint(PROMPT, [7], params)[0]


def test_a_file_paints_what_was_trained_and_strength_0_what_the_base_does(project: Project) -> None:
    """The trained network is added to the weights by the formula; the file is put on as pictures have it."""
    file = checkpoint(done(ordered(project, "trained")))
    base = find_base(project.settings.base)
    painting = Painting(base)
    bare = painted(painting)
    seen = painted(painting, LoraWeight(file, 1.0, 1.0))
    assert painted(painting, LoraWeight(file, 1.0, 1.0)) == seen, "the same seed, the same picture"
    assert seen != bare
    assert painted(painting, LoraWeight(file, 0.0, 0.0)) == bare
    assert painted(painting) == bare, "taken off again"
    merged = Painting(base)
    learnt = load_file(file)
    with torch.no_grad():
        for name, layer in merged._model.denoiser.named_modules():
            if isinstance(layer, torch.nn.Linear):
                spelt_as = SPELLINGS["kohya"].name("unet", name)
                if f"{spelt_as}.lokr_w1" in learnt:
                    made = {end: learnt[f"{spelt_as}.{end}"] for end in ("lokr_w1", "lokr_w2_a", "lokr_w2_b")}
                    layer.weight += MadeLokr(made, 2.0, tuple(layer.weight.shape)).delta()
    far = max(abs(one - other) for one, other in zip(painted(merged).tobytes(), seen.tobytes(), strict=True))
    assert far <= 2
