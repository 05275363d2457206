"""LoKr files: what Limner writes does the same in diffusers' real loader, and of others is told what that does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import Flux2KleinPipeline
from diffusers.utils.peft_utils import _create_lokr_config
from safetensors.torch import load_file, save_file

from engine.errors import LoraFileError, TrainingError
from engine.kronecker import lokr_shape
from engine.lora.compatibility import clients, here
from engine.lora.conversion.convert import convert
from engine.lora.families.klein_lokr import in_diffusers
from engine.lora.file import modules_of_peft, read_contents, write_lora
from engine.lora.header import read_header
from engine.lora.layouts import Style, made_for
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part
from engine.models.flux2_klein.shape import PUBLISHED
from engine.models.locate import find_base
from engine.models.sdxl.loading import load_pipeline
from engine.settings import BaseSettings, Settings
from engine.training.init_lora import read_lokr_start
from engine.training.runs.start_from import check_start
from engine.training.step.lora_adapter import add_lokr, lora_state
from tests.engine.training.test_klein_loras import look, written
from tests.support.klein_spellings import BFL, FUSED, linears_of
from tests.support.lokr_files import MadeLokr, make_lokr, spelt_lokr
from tests.support.lora_spellings import SPELLINGS, layers_of
from tests.support.tiny_klein import tiny_klein


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_klein(tmp_path_factory.mktemp("klein"))


@pytest.fixture
def pipeline(folder: Path) -> Any:
    """Anew each time: diffusers fuses q, k and v for some files, and never takes them apart again."""
    return Flux2KleinPipeline.from_pretrained(folder, torch_dtype=torch.float32)


def with_deltas(pipeline: Any, deltas: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What the transformer makes of an input with these added to its weights."""
    layers = linears_of(pipeline.transformer)
    kept = {name: layers[name].weight.detach().clone() for name in deltas}
    with torch.no_grad():
        for name, delta in deltas.items():
            layers[name].weight += delta
        seen = look(pipeline)
        for name, weight in kept.items():
            layers[name].weight.copy_(weight)
    return seen


def by_diffusers(pipeline: Any, path: Path) -> torch.Tensor | None:
    """The same with the file, loaded by diffusers; None where it fails."""
    try:
        pipeline.load_lora_weights(str(path))
        return look(pipeline)
    except (ValueError, RuntimeError, KeyError, TypeError):
        return None


def learnt(pipeline: Any, rank: int, alpha: float, factor: int) -> dict[str, torch.Tensor]:
    """A LoKr as training has it, with numbers in it."""
    transformer = pipeline.transformer
    targets = list(linears_of(transformer))
    add_lokr(transformer, rank, alpha, factor, 0, targets)
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for each in transformer.parameters():
            if each.requires_grad:
                each.copy_((torch.randn(each.shape, generator=chance) * 0.2).half())
    return {name: each.detach().clone() for name, each in lora_state(transformer).items()}


@pytest.mark.parametrize(("rank", "factor"), [(2, 4), (4, -1), (64, 4), (3, 2), (2, 8)])
def test_what_training_writes_for_klein_does_the_same_in_diffusers(
    rank: int, factor: int, folder: Path, pipeline: Any, tmp_path: Path
) -> None:
    state = learnt(pipeline, rank, rank / 2, factor)
    trained = look(pipeline)
    path = tmp_path / "some.safetensors"
    write_lora(path, modules_of_peft(state, rank / 2), LoraFacts("a", rank, rank / 2, "a", 64, factor=factor), None)
    fresh = Flux2KleinPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    bare = look(fresh)
    deltas = {module: lokr.delta() for (_, module), lokr in read_contents(path, None).modules.items()}
    assert torch.allclose(with_deltas(fresh, deltas), trained, atol=1e-4)
    seen = by_diffusers(fresh, path)
    assert seen is not None
    assert torch.allclose(seen, trained, atol=1e-4)
    assert not torch.allclose(seen, bare, atol=1e-3)
    header = read_header(path)
    assert clients(header)["diffusers"] == f"loads {len(deltas)} of {len(deltas)} modules"
    assert clients(header)["ComfyUI"] == f"loads {len(deltas)} modules, since January 2026"
    assert made_for(header) == "flux2-klein"


def _bfl(module: str) -> str:
    kind, number, leaf = module.split(".", 2)
    return f"{'single_blocks' if kind.startswith('single') else 'double_blocks'}.{number}.{BFL.get(leaf, leaf)}"


NAMES: dict[str, Callable[[str], str]] = {
    "diffusers": lambda module: f"transformer.{module}",
    "bare": lambda module: module,
    "LyCORIS": lambda module: f"lycoris_{module.replace('.', '_')}",
    "kohya": lambda module: f"lora_unet_{module.replace('.', '_')}",
    "ComfyUI": lambda module: f"diffusion_model.{module}",
    "BFL": lambda module: f"diffusion_model.{_bfl(module)}",
    "BFL in PEFT": lambda module: f"base_model.model.{_bfl(module)}",
    "kohya, BFL": lambda module: f"lora_unet_{_bfl(module).replace('.', '_')}",
}


def spelt(lokrs: Mapping[str, MadeLokr], name: str, alphas: bool = True) -> dict[str, torch.Tensor]:
    return spelt_lokr({("", module): made for module, made in lokrs.items()}, lambda _, each: NAMES[name](each), alphas)


def made_for_klein(pipeline: Any, kind: str, bfl: bool) -> tuple[dict[str, MadeLokr], dict[str, torch.Tensor]]:
    """A LoKr by its module, q, k and v in one for BFL's names; and what it does to each of diffusers' modules."""
    # LyCORIS makes two of w1 only of a rank below half its sides.
    rank = 1 if kind == "both of two" else 2
    layers = linears_of(pipeline.transformer)
    lokrs: dict[str, MadeLokr] = {}
    deltas: dict[str, torch.Tensor] = {}
    for number, (module, layer) in enumerate(layers.items()):
        fused = next((stream for stream, three in FUSED.items() if module.split(".")[-1] in three), None)
        if not bfl or fused is None or not module.startswith("transformer_blocks."):
            lokrs[module] = make_lokr(layer.weight, kind, rank=rank, seed=number)
            deltas[module] = lokrs[module].delta()
            continue
        block = module.rsplit(".attn.", 1)[0]
        if (name := f"{block}.{fused}.qkv") not in lokrs:
            lokrs[name] = make_lokr(layer.weight.repeat(3, 1), kind, rank=rank, seed=number)
            thirds = lokrs[name].delta().chunk(3)
            deltas |= {f"{block}.attn.{each}": third for each, third in zip(FUSED[fused], thirds, strict=True)}
    return lokrs, deltas


KINDS = ("whole", "w2 of two", "both of two")


@pytest.mark.parametrize("alphas", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_of_diffusers_is_what_it_does(
    name: str, kind: str, alphas: bool, folder: Path, pipeline: Any, tmp_path: Path
) -> None:
    lokrs, deltas = made_for_klein(pipeline, kind, "BFL" in name)
    if not alphas:
        deltas = {module: each / (1.0 if kind == "whole" else 0.5) for module, each in deltas.items()}
    tensors = spelt_lokr(
        {("", module): made for module, made in lokrs.items()}, lambda _, each: NAMES[name](each), alphas
    )
    path = written(tmp_path / "some.safetensors", tensors)
    contents = read_contents(path, None)
    assert contents.left_out == ()
    assert {module for _, module in contents.modules} == set(deltas)
    for (_, module), lokr in contents.modules.items():
        assert torch.allclose(lokr.delta(), deltas[module], atol=1e-5), module
    header = read_header(path)
    assert here(header) == f"applies {len(lokrs)} of {len(lokrs)} modules, each at its own scale"
    wanted = with_deltas(pipeline, deltas)
    seen, said = by_diffusers(pipeline, path), clients(header)["diffusers"]
    if seen is None:
        assert said.startswith("fails"), said
    else:
        assert said == f"loads {len(lokrs)} of {len(lokrs)} modules"
        assert torch.allclose(seen, wanted, atol=1e-4)
    fails = name in ("kohya", "ComfyUI", "kohya, BFL") or (name == "diffusers" and alphas)
    assert (seen is None) == fails


@pytest.mark.parametrize(("rank", "factor"), itertools.product((4, 16, 320), (-1, 2, 4, 6, 8, 10, 12, 16, 25)))
def test_diffusers_finds_the_factor_of_every_network_of_klein(rank: int, factor: int, tmp_path: Path) -> None:
    """By its config alone, on the published sizes: no numbers are read for it."""
    for size in PUBLISHED.values():
        tensors: dict[str, torch.Tensor] = {}
        for number, (inputs, outputs) in enumerate(size.sizes):
            shape = lokr_shape(inputs, outputs, rank, factor)
            name = f"transformer_blocks.{number}.attn.to_q"
            tensors[f"{name}.lokr_w1"] = torch.empty(shape.left, device="meta")
            (c, d), low = shape.right, shape.rank
            if low is None:
                tensors[f"{name}.lokr_w2"] = torch.empty(c, d, device="meta")
            else:
                tensors[f"{name}.lokr_w2_a"] = torch.empty(c, low, device="meta")
                tensors[f"{name}.lokr_w2_b"] = torch.empty(low, d, device="meta")
        config = _create_lokr_config(tensors, None)
        for inputs, outputs in size.sizes:
            assert lokr_shape(inputs, outputs, rank, config.decompose_factor) == lokr_shape(
                inputs, outputs, rank, factor
            )


def test_a_file_that_no_one_factor_makes_fails_in_diffusers(pipeline: Any, tmp_path: Path) -> None:
    tensors = {}
    for number, (module, layer) in enumerate(linears_of(pipeline.transformer).items()):
        made = make_lokr(layer.weight, "whole", factor=(2, 4, 8)[number % 3])
        tensors |= spelt_lokr({("", module): made}, lambda _, each: f"transformer.{each}", alphas=False)
    path = written(tmp_path / "odd.safetensors", tensors)
    assert in_diffusers(read_header(path)) == "fails: no one factor divides all of its modules so"
    assert by_diffusers(pipeline, path) is None


def test_a_rank_at_which_peft_makes_no_two_matrices_fails_in_diffusers(pipeline: Any, tmp_path: Path) -> None:
    layers = linears_of(pipeline.transformer)
    lokrs = {module: make_lokr(layer.weight, "both of two", rank=2) for module, layer in layers.items()}
    path = written(tmp_path / "odd.safetensors", spelt(lokrs, "diffusers", alphas=False))
    assert in_diffusers(read_header(path)) == "fails: peft would make other matrices of these sizes and ranks"
    assert by_diffusers(pipeline, path) is None


def test_diffusers_has_no_loader_of_lokr_for_sdxl(tmp_path: Path) -> None:
    tiny = load_pipeline(find_base(BaseSettings(model="demo")))
    lokr = {place: make_lokr(each.weight, "w2 of two") for place, each in layers_of(tiny, convs=False).items()}
    for name in ("kohya", "diffusers", "LyCORIS"):
        path = tmp_path / f"{name}.safetensors"
        save_file(spelt_lokr(lokr, SPELLINGS[name].name), path)
        said = clients(read_header(path))["diffusers"]
        with pytest.raises((ValueError, RuntimeError, KeyError, TypeError)):
            tiny.load_lora_weights(str(path))
        tiny.unload_lora_weights()
        assert said.startswith("fails"), said


def deltas_of(path: Path, layers: int | None) -> dict[Any, torch.Tensor]:
    return {place: each.delta() for place, each in read_contents(path, layers).modules.items()}


@pytest.mark.parametrize("kind", ["whole", "w2 of two", "both of two", "w1 of two", "Tucker"])
def test_sdxl_s_names_there_and_back_change_no_number(kind: str, tmp_path: Path) -> None:
    tiny = load_pipeline(find_base(BaseSettings(model="demo")))
    lokr = {place: make_lokr(each.weight, kind) for place, each in layers_of(tiny).items()}
    first = written(tmp_path / "a.safetensors", spelt_lokr(lokr, SPELLINGS["kohya"].name), {"ss_network_dim": "2"})
    assert convert(first, tmp_path / "b.safetensors", Style.COMFYUI) == len(lokr)
    assert convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors", Style.KOHYA) == len(lokr)
    before, after = load_file(first), load_file(tmp_path / "c.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], each) for name, each in after.items() if not name.endswith(".alpha"))
    for name in ("b", "c"):
        seen = deltas_of(tmp_path / f"{name}.safetensors", 1)
        assert all(torch.equal(seen[place], each) for place, each in deltas_of(first, 1).items())
    with pytest.raises(LoraFileError, match="diffusers has no loader of LoKr for SDXL"):
        convert(first, tmp_path / "d.safetensors", Style.DIFFUSERS)


@pytest.mark.parametrize("name", ["LyCORIS", "kohya", "bare"])
def test_klein_s_become_files_that_diffusers_loads_with_an_equal_effect(
    name: str, pipeline: Any, tmp_path: Path
) -> None:
    lokrs, deltas = made_for_klein(pipeline, "w2 of two", bfl=False)
    tensors = spelt(lokrs, name)
    first = written(tmp_path / "a.safetensors", tensors)
    convert(first, tmp_path / "b.safetensors", Style.DIFFUSERS)
    before, after = deltas_of(first, None), deltas_of(tmp_path / "b.safetensors", None)
    assert all(torch.equal(after[place], each) for place, each in before.items())
    wanted, seen = with_deltas(pipeline, deltas), by_diffusers(pipeline, tmp_path / "b.safetensors")
    assert seen is not None
    assert torch.allclose(seen, wanted, atol=1e-4)
    for style in (Style.COMFYUI, Style.KOHYA):
        with pytest.raises(LoraFileError, match=r"(img|txt)_attn\.qkv would need one LoKr for all of its linears"):
            convert(first, tmp_path / "c.safetensors", style)


def test_one_lokr_for_q_k_and_v_keeps_being_one(pipeline: Any, tmp_path: Path) -> None:
    lokrs, _ = made_for_klein(pipeline, "w2 of two", bfl=True)
    tensors = spelt(lokrs, "BFL")
    first = written(tmp_path / "a.safetensors", tensors)
    convert(first, tmp_path / "b.safetensors", Style.KOHYA)
    convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors", Style.COMFYUI)
    wanted = deltas_of(first, None)
    for name in ("b", "c"):
        seen = deltas_of(tmp_path / f"{name}.safetensors", None)
        assert seen.keys() == wanted.keys()
        assert all(torch.equal(seen[place], each) for place, each in wanted.items())
    assert clients(read_header(tmp_path / "b.safetensors"))["ComfyUI"] == f"loads {len(lokrs)} modules: its own names"
    assert clients(read_header(tmp_path / "c.safetensors"))["ComfyUI"] == f"loads {len(lokrs)} modules: its own names"
    with pytest.raises(LoraFileError, match="has rows of one LoKr with others"):
        convert(first, tmp_path / "d.safetensors", Style.DIFFUSERS)


def test_a_run_starts_from_klein_s_lokr_unless_q_k_and_v_are_one(pipeline: Any, tmp_path: Path) -> None:
    training: dict[str, Any] = {"network": "lokr", "factor": 4, "rank": 2}
    for name, alphas in (("diffusers", False), ("LyCORIS", True), ("BFL", True)):
        lokrs, _ = made_for_klein(pipeline, "w2 of two", bfl=name == "BFL")
        path = written(tmp_path / f"{name}.safetensors", spelt(lokrs, name, alphas))
        settings = Settings.model_validate({"training": {**training, "network_weights": str(path)}})
        if name != "BFL":
            check_start(settings)
            continue
        with pytest.raises(TrainingError, match=r"BFL\.safetensors has one LoKr for several linears"):
            check_start(settings)
        add_lokr(pipeline.transformer, 2, 1.0, 4, 0, list(linears_of(pipeline.transformer)))
        with pytest.raises(LoraFileError, match=r"has one LoKr for .* and others together"):
            read_lokr_start(path, {Part.UNET: lora_state(pipeline.transformer)}, 0.5, None)
