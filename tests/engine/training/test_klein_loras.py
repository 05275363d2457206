"""LoRA files for FLUX.2 klein: whoever wrote them, whoever reads them, and in other names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import Flux2KleinPipeline
from safetensors.torch import load_file, save_file

from engine.errors import LoraFileError, TrainingError
from engine.lora.compatibility import clients, here
from engine.lora.conversion.convert import convert
from engine.lora.families.klein_names import bfl_name, modules_of
from engine.lora.file import read_contents
from engine.lora.header import read_header, read_metadata
from engine.lora.layouts import Style, made_for
from engine.lora.module_names import Part
from engine.settings import Settings
from engine.training.init_lora import read_start
from engine.training.runs.start_from import check_start
from tests.support.klein_spellings import SPELLINGS, linears_of, make, spelt
from tests.support.lora_spellings import Made
from tests.support.tiny_klein import tiny_klein
from tui.cli.main import main

QKV = "diffusion_model.double_blocks.0.img_attn.qkv"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_klein(tmp_path_factory.mktemp("klein"))
    return Flux2KleinPipeline.from_pretrained(folder, torch_dtype=torch.float32)


@pytest.fixture(scope="module")
def lora(pipeline: Any) -> dict[str, Made]:
    return make(linears_of(pipeline.transformer))


def written(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str] | None = None) -> Path:
    save_file(dict(tensors), path, dict(about or {"format": "pt"}))
    return path


def deltas(path: Path) -> dict[str, torch.Tensor]:
    contents = read_contents(path, None)
    assert contents.left_out == ()
    return {module: pair.delta() for (_, module), pair in contents.modules.items()}


def same(seen: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    assert set(seen) == set(wanted)
    for module, each in wanted.items():
        assert torch.equal(seen[module], each), module


@pytest.mark.parametrize("name", SPELLINGS)
def test_each_spelling_does_the_same_to_every_module(name: str, lora: dict[str, Made], tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    same(deltas(path), {module: made.delta() for module, made in lora.items()})
    assert {pair.rank for pair in read_contents(path, None).modules.values()} == {4}
    assert made_for(read_header(path)) == "flux2-klein"
    total = len(read_header(path).modules)
    assert here(read_header(path)) == f"applies {total} of {total} modules, each at its own scale"


def test_q_k_and_v_that_share_their_ranks_each_get_their_rows(tmp_path: Path) -> None:
    down, up = torch.randn(6, 32), torch.randn(96, 6)
    path = written(tmp_path / "a.safetensors", {f"{QKV}.lora_A.weight": down, f"{QKV}.lora_B.weight": up})
    for each, rows in zip(("to_q", "to_k", "to_v"), up.chunk(3), strict=True):
        assert torch.equal(deltas(path)[f"transformer_blocks.0.attn.{each}"], rows @ down)
    told = written(tmp_path / "c.safetensors", load_file(path), {"modelspec.architecture": "Flux.2-klein-4b/lora"})
    convert(told, tmp_path / "d.safetensors", Style.DIFFUSERS)
    convert(tmp_path / "d.safetensors", tmp_path / "e.safetensors", Style.COMFYUI)
    back = load_file(tmp_path / "e.safetensors")
    assert torch.equal(back[f"{QKV}.lora_A.weight"], down), "one A again, of the rank that it had"
    assert torch.equal(back[f"{QKV}.lora_B.weight"], up)


def test_q_k_and_v_of_different_ranks_keep_their_own(tmp_path: Path) -> None:
    ups = [torch.randn(32, rank) for rank in (2, 3, 4)]
    tensors = {f"{QKV}.lora_A.weight": torch.randn(9, 32), f"{QKV}.lora_B.weight": torch.block_diag(*ups)}
    contents = read_contents(written(tmp_path / "a.safetensors", tensors), None)
    assert [pair.rank for pair in contents.modules.values()] == [2, 3, 4]
    assert {pair.scale for pair in contents.modules.values()} == {1.0}


@pytest.mark.parametrize(
    ("down", "up", "why"),
    [
        ((4, 32), (97, 4), "97 outputs are no 3 linears' of one size"),
        ((4, 32), (0, 4), "0 outputs"),
        ((4, 32), (96, 5), "don't fit"),
        ((4,), (96, 4), "don't fit"),
    ],
)
def test_fused_matrices_of_odd_shapes_are_refused_with_a_reason(
    down: tuple[int, ...], up: tuple[int, ...], why: str, tmp_path: Path
) -> None:
    tensors = {f"{QKV}.lora_A.weight": torch.ones(down), f"{QKV}.lora_B.weight": torch.ones(up)}
    with pytest.raises(LoraFileError, match=why):
        read_contents(written(tmp_path / "a.safetensors", tensors), None)


@pytest.mark.parametrize("shape", [(1, 32), (5, 1)])
def test_a_fused_dora_whose_scales_can_not_be_shared_is_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    tensors = {f"{QKV}.lora_A.weight": torch.ones(4, 32), f"{QKV}.lora_B.weight": torch.ones(96, 4)}
    tensors[f"{QKV}.dora_scale"] = torch.ones(shape)
    with pytest.raises(LoraFileError, match="DoRA's scales by columns"):
        read_contents(written(tmp_path / "a.safetensors", tensors), None)


def look(pipeline: Any) -> torch.Tensor:
    chance = torch.Generator().manual_seed(5)
    ids = torch.zeros(1, 4, 4)
    with torch.no_grad():
        seen: torch.Tensor = pipeline.transformer(
            hidden_states=torch.randn(1, 4, 16, generator=chance),
            encoder_hidden_states=torch.randn(1, 4, 96, generator=chance),
            timestep=torch.tensor([0.5]), img_ids=ids, txt_ids=ids, guidance=None, return_dict=False,
        )[0]  # fmt: skip
    return seen


def with_lora(pipeline: Any, lora: Mapping[str, Made]) -> torch.Tensor:
    """What the transformer makes of an input with the LoRA added to its weights."""
    layers = linears_of(pipeline.transformer)
    kept = {name: layers[name].weight.detach().clone() for name in lora}
    with torch.no_grad():
        for name, made in lora.items():
            layers[name].weight += made.delta()
        seen = look(pipeline)
        for name, weight in kept.items():
            layers[name].weight.copy_(weight)
    return seen


def by_diffusers(pipeline: Any, path: Path) -> torch.Tensor | None:
    """The same with the file, loaded by diffusers; None where it fails."""
    try:
        pipeline.load_lora_weights(str(path))
        return look(pipeline)
    except (ValueError, RuntimeError, KeyError):
        return None
    finally:
        pipeline.unload_lora_weights()


@pytest.mark.parametrize("name", SPELLINGS)
def test_what_is_told_of_diffusers_is_what_it_does(
    name: str, pipeline: Any, lora: dict[str, Made], tmp_path: Path
) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    seen, bare, whole = by_diffusers(pipeline, path), look(pipeline), with_lora(pipeline, lora)
    said = clients(read_header(path))["diffusers"]
    total = len(read_header(path).modules)
    if seen is None:
        assert said.startswith("fails")
    elif torch.equal(seen, bare):
        assert said.startswith("loads nothing")
    else:
        assert torch.allclose(seen, whole, atol=1e-5)
        assert said == f"loads {total} of {total} modules"


@pytest.mark.parametrize("style", Style)
def test_a_converted_file_does_in_diffusers_what_it_did(
    style: Style, pipeline: Any, lora: dict[str, Made], tmp_path: Path
) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS["kohya, diffusers' names, alphas"]))
    convert(path, tmp_path / "b.safetensors", style)
    seen = by_diffusers(pipeline, tmp_path / "b.safetensors")
    assert seen is not None
    assert torch.allclose(seen, with_lora(pipeline, lora), atol=1e-5)
    assert not torch.allclose(seen, look(pipeline), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("style", Style)
def test_there_and_back_every_module_is_the_same_to_the_bit(
    style: Style, dtype: torch.dtype, lora: dict[str, Made], tmp_path: Path
) -> None:
    about = {
        "ss_network_dim": "4",
        "ss_network_alpha": "4",
        "modelspec.trigger_phrase": "jx265",
        "sshs_model_hash": "1",
    }
    tensors = {name: each.to(dtype) for name, each in spelt(lora, SPELLINGS["diffusers"]).items()}
    first = written(tmp_path / "a.safetensors", tensors, about)
    assert convert(first, tmp_path / "b.safetensors", style) == len(lora)
    assert convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors", Style.DIFFUSERS) == len(lora)
    same(deltas(tmp_path / "b.safetensors"), deltas(first))
    back = load_file(tmp_path / "c.safetensors")
    assert set(back) == set(tensors)
    assert all(torch.equal(back[name], each) and back[name].dtype == dtype for name, each in tensors.items())
    assert read_metadata(tmp_path / "c.safetensors") == {key: about[key] for key in about if key != "sshs_model_hash"}


def test_a_lora_of_q_alone_is_converted_too(lora: dict[str, Made], tmp_path: Path) -> None:
    some = {name: made for name, made in lora.items() if not name.endswith(("to_k", "to_v", "add_q_proj"))}
    first = written(tmp_path / "a.safetensors", spelt(some, SPELLINGS["diffusers"]))
    convert(first, tmp_path / "b.safetensors", Style.COMFYUI)
    seen = deltas(tmp_path / "b.safetensors")
    same({name: seen[name] for name in some}, deltas(first))
    assert all(not seen[name].any() for name in set(seen) - set(some))


def test_a_run_goes_on_from_bfl_s_names_at_their_own_rank(lora: dict[str, Made], tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS["BFL"]))
    begun = read_start(path, {Part.UNET: list(lora)}, 4, 4.0, None)
    assert (begun.left_out, begun.fresh) == ((), 0)


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_run_of_its_rank_may_start_from_each_spelling(name: str, lora: dict[str, Made], tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    check_start(Settings.model_validate({"training": {"network_weights": str(path), "rank": 4}}))
    with pytest.raises(TrainingError, match=r"has rank 4, and training\.rank is 8: set training\.rank to 4"):
        check_start(Settings.model_validate({"training": {"network_weights": str(path), "rank": 8}}))


def test_alphas_that_diffusers_tells_of_a_transformer_count(lora: dict[str, Made], tmp_path: Path) -> None:
    full = {name: Made(made.down, made.up, 4.0) for name, made in lora.items()}
    about = {"lora_adapter_metadata": json.dumps({"transformer.r": 4, "transformer.lora_alpha": 2})}
    path = written(tmp_path / "a.safetensors", spelt(full, SPELLINGS["diffusers"]), about)
    same(deltas(path), {module: made.delta() for module, made in lora.items()})
    convert(path, tmp_path / "b.safetensors", Style.DIFFUSERS)
    same(deltas(tmp_path / "b.safetensors"), deltas(path))


@pytest.mark.parametrize(("layers", "kind"), [(2, "klein"), (None, "SDXL")])
def test_one_for_another_family_is_refused_by_its_name(
    layers: int | None, kind: str, lora: dict[str, Made], tmp_path: Path
) -> None:
    query = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    sdxl = {f"{query}.lora_down.weight": torch.ones(4, 640), f"{query}.lora_up.weight": torch.ones(640, 4)}
    tensors = spelt(lora, SPELLINGS["BFL"]) if kind == "klein" else sdxl
    path = written(tmp_path / "a.safetensors", tensors)
    with pytest.raises(LoraFileError, match=f"a.safetensors was made for .*{kind}, and this base model is of another"):
        read_contents(path, layers)


def test_flux_1_with_the_same_names_is_not_taken_for_klein(tmp_path: Path) -> None:
    name = "lora_unet_single_blocks_0_linear1"
    tensors = {f"{name}.lora_down.weight": torch.ones(4, 3072), f"{name}.lora_up.weight": torch.ones(21504, 4)}
    header = read_header(written(tmp_path / "a.safetensors", tensors))
    assert made_for(header) is None
    assert "without a U-Net" in clients(header)["ComfyUI"]
    with pytest.raises(LoraFileError, match="for no base model that Limner knows"):
        convert(header.path, tmp_path / "b.safetensors", Style.COMFYUI)


TOLD = {
    "diffusers": ("loads 16 modules, since January 2026", "loads 16 modules, as 6.14.2 does"),
    "BFL": ("loads 12 modules: its own names", "loads 12 modules, as 6.14.2 does"),
    "BFL, alphas": (
        "not known of BFL's names with alphas (12 modules)", "takes alphas beside such names for LyCORIS' only"),
    "kohya": ("not known", "not known"),
    "bare": ("not known", "not known"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_show_tells_the_family_and_what_each_program_makes_of_it(
    name: str, lora: dict[str, Made], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    with pytest.raises(SystemExit) as ended:
        main(["lora", "show", str(path), "--json"])
    assert not ended.value.code
    record = json.loads(capsys.readouterr().out)
    assert (record["family"], record["modules"]["unknown"]) == ("FLUX.2 klein", 0)
    assert (record["clients"]["ComfyUI"], record["clients"]["InvokeAI"]) == TOLD[name]
    assert {record["clients"][each] for each in ("A1111", "Forge", "SwarmUI", "sd-scripts")} == {"not known"}


def test_every_name_has_a_way_there_and_back(pipeline: Any) -> None:
    for module, layer in pipeline.transformer.named_modules():
        if isinstance(layer, torch.nn.Linear):
            assert modules_of(module) == (module,)
            place = bfl_name(module)
            if place is None:
                assert not module.startswith(("transformer_blocks.", "single_transformer_blocks."))
                continue
            assert modules_of(place[0])[place[1]] == module
            assert len(modules_of(place[0])) == place[2]
