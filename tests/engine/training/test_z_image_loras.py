"""LoRA files for Z-Image: whoever wrote them, whoever reads them, and in other names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ZImagePipeline
from safetensors.torch import load_file, save_file

from engine.errors import LoraFileError
from engine.lora.compatibility import clients, here
from engine.lora.conversion.convert import convert
from engine.lora.families.z_image_names import modules_of
from engine.lora.file import LoraPair, read_contents, write_lora
from engine.lora.header import read_header, read_metadata
from engine.lora.layouts import Style, made_for
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part
from engine.models.registry import family_named
from engine.settings import Settings
from engine.training.init_lora import read_start
from engine.training.runs.start import check_start
from tests.support.klein_spellings import make
from tests.support.lora_spellings import Made
from tests.support.tiny_z_image import tiny_z_image
from tests.support.z_image_spellings import SPELLINGS, linears_of, spelt
from tui.cli.main import main


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return ZImagePipeline.from_pretrained(tiny_z_image(tmp_path_factory.mktemp("z")), torch_dtype=torch.float32)


@pytest.fixture(scope="module")
def lora(pipeline: Any) -> dict[str, Made]:
    return make(linears_of(pipeline.transformer))


def written(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str] | None = None) -> Path:
    save_file(dict(tensors), path, dict(about or {"format": "pt"}))
    return path


def deltas(path: Path) -> dict[str, torch.Tensor]:
    contents = read_contents(path, None, "z-image")
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
    assert made_for(read_header(path)) == "z-image"
    total = len(read_header(path).modules)
    assert here(read_header(path)) == f"applies {total} of {total} modules, each at its own scale"


def look(pipeline: Any) -> torch.Tensor:
    chance = torch.Generator().manual_seed(5)
    noisy, text = torch.randn(4, 1, 8, 8, generator=chance), torch.randn(7, 32, generator=chance)
    with torch.no_grad():
        seen: torch.Tensor = pipeline.transformer([noisy], torch.tensor([0.5]), [text], return_dict=False)[0][0]
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


def by_diffusers(pipeline: Any, path: Path) -> tuple[torch.Tensor | None, int]:
    """The same with the file, loaded by diffusers, and how many modules it has loaded; None where it fails."""
    try:
        pipeline.load_lora_weights(str(path))
        count = sum(hasattr(each, "lora_A") for each in pipeline.transformer.modules())
        return look(pipeline), count
    except (ValueError, RuntimeError, KeyError, IndexError):
        return None, 0
    finally:
        pipeline.unload_lora_weights()


@pytest.mark.parametrize("name", SPELLINGS)
def test_what_is_told_of_diffusers_is_what_it_does(
    name: str, pipeline: Any, lora: dict[str, Made], tmp_path: Path
) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    (seen, loaded), bare, whole = by_diffusers(pipeline, path), look(pipeline), with_lora(pipeline, lora)
    said = clients(read_header(path))["diffusers"]
    total = len(read_header(path).modules)
    if seen is None:
        assert said.startswith("fails")
    elif torch.equal(seen, bare):
        assert said.startswith("loads nothing")
    elif loaded == len(lora):
        assert torch.allclose(seen, whole, atol=1e-4)
        assert said == f"loads {total} of {total} modules"
    else:
        assert said == f"loads {loaded} of {total} modules"
        assert not torch.allclose(seen, whole, atol=1e-2)


def test_what_a_run_writes_diffusers_loads_whole(pipeline: Any, lora: dict[str, Made], tmp_path: Path) -> None:
    family, path = family_named("z-image"), tmp_path / "a.safetensors"
    facts = LoraFacts(
        "jx265", 4, 2.0, "jx265", 64, base_version=family.base_version, architecture=family.architecture,
        prefix=family.lora_prefix,
    )  # fmt: skip
    pairs = {(Part.UNET, name): LoraPair(each.down, each.up, each.alpha) for name, each in lora.items()}
    write_lora(path, pairs, facts, None, torch.float32)
    assert "diffusion_model.layers.0.attention.to_q.lora_A.weight" in load_file(path)
    assert not any(name.endswith(".alpha") for name in load_file(path))
    assert read_metadata(path)["modelspec.architecture"] == "Z-Image/lora"
    seen, loaded = by_diffusers(pipeline, path)
    assert loaded == len(lora)
    assert seen is not None
    assert torch.allclose(seen, with_lora(pipeline, lora), atol=1e-4)
    same(deltas(path), {module: made.delta() for module, made in lora.items()})


@pytest.mark.parametrize("style", Style)
def test_a_converted_file_does_in_diffusers_what_it_did(
    style: Style, pipeline: Any, lora: dict[str, Made], tmp_path: Path
) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS["LyCORIS"]))
    convert(path, tmp_path / "b.safetensors", style)
    seen, loaded = by_diffusers(pipeline, tmp_path / "b.safetensors")
    assert loaded == len(lora)
    assert seen is not None
    assert torch.allclose(seen, with_lora(pipeline, lora), atol=1e-4)
    assert not torch.allclose(seen, look(pipeline), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("style", Style)
def test_there_and_back_every_module_is_the_same_to_the_bit(
    style: Style, dtype: torch.dtype, lora: dict[str, Made], tmp_path: Path
) -> None:
    about = {"ss_network_dim": "4", "ss_network_alpha": "4", "modelspec.trigger_phrase": "jx265"}
    tensors = {name: each.to(dtype) for name, each in spelt(lora, SPELLINGS["ours"]).items()}
    first = written(tmp_path / "a.safetensors", tensors, about)
    assert convert(first, tmp_path / "b.safetensors", style) == len(lora)
    assert convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors", Style.COMFYUI) == len(lora)
    same(deltas(tmp_path / "b.safetensors"), deltas(first))
    back = load_file(tmp_path / "c.safetensors")
    assert set(back) == set(tensors)
    assert all(torch.equal(back[name], each) and back[name].dtype == dtype for name, each in tensors.items())
    assert read_metadata(tmp_path / "c.safetensors") == about


@pytest.mark.parametrize("name", ["its own", "kohya of its own"])
def test_a_fused_file_is_converted_to_each_linear_for_itself(name: str, lora: dict[str, Made], tmp_path: Path) -> None:
    first = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    assert convert(first, tmp_path / "b.safetensors", Style.COMFYUI) == len(lora)
    same(deltas(tmp_path / "b.safetensors"), {module: made.delta() for module, made in lora.items()})
    assert clients(read_header(tmp_path / "b.safetensors"))["diffusers"] == f"loads {len(lora)} of {len(lora)} modules"


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_run_goes_on_from_each_spelling_at_its_own_rank(name: str, lora: dict[str, Made], tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS[name]))
    check_start(Settings.model_validate({"training": {"network_weights": str(path), "rank": 4}}))
    begun = read_start(path, {Part.UNET: list(lora)}, 4, 4.0, None, "z-image")
    assert (begun.left_out, begun.fresh) == ((), 0)


@pytest.mark.parametrize("family", ["flux2-klein", "sdxl"])
def test_one_for_z_image_is_refused_by_other_families(family: str, lora: dict[str, Made], tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", spelt(lora, SPELLINGS["ours"]))
    with pytest.raises(LoraFileError, match=r"was made for Z-Image, .*: use it with a base model of Z-Image"):
        read_contents(path, 2 if family == "sdxl" else None, family)


def test_one_for_klein_is_refused_by_z_image(tmp_path: Path) -> None:
    name = "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj"
    tensors = {f"{name}.lora_A.weight": torch.ones(4, 32), f"{name}.lora_B.weight": torch.ones(288, 4)}
    path = written(tmp_path / "a.safetensors", tensors)
    with pytest.raises(LoraFileError, match=r"was made for FLUX\.2 klein, and this base model is of another family"):
        read_contents(path, None, "z-image")


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("diffusion_model.layers.0.attention.qkv", 2304, 3840),
        ("diffusion_model.layers.0.feed_forward.w1", 2304, 9216),
        ("diffusion_model.layers.0.attention.out", 2304, 2304),
    ],
)
def test_lumina_2_with_the_same_names_is_not_taken_for_z_image(
    name: str, inputs: int, outputs: int, tmp_path: Path
) -> None:
    tensors = {f"{name}.lora_A.weight": torch.ones(4, inputs), f"{name}.lora_B.weight": torch.ones(outputs, 4)}
    header = read_header(written(tmp_path / "a.safetensors", tensors))
    assert made_for(header) is None
    assert "without a U-Net" in clients(header)["ComfyUI"]


def test_what_a_file_says_of_itself_decides_where_sizes_do_not(tmp_path: Path) -> None:
    name = "diffusion_model.layers.0.attention.out"
    tensors = {f"{name}.lora_A.weight": torch.ones(4, 3840), f"{name}.lora_B.weight": torch.ones(3840, 4)}
    path = written(tmp_path / "a.safetensors", tensors, {"modelspec.architecture": "Z-Image/lora"})
    assert made_for(read_header(path)) == "z-image"


NOT_LOADED = "the rest only appears in its log (lora key not loaded)"

TOLD = {
    "ours": ("loads 14 modules, since 29 November 2025", "loads 14 modules, as 6.14.2 does"),
    "ours, alphas": (
        "loads 14 modules, since 29 November 2025", "not known of alphas beside such names (14 modules)"),
    "diffusers": ("loads 14 modules", "loads 14 modules, as 6.14.2 does"),
    "kohya": (f"loads 6 of 14 modules; {NOT_LOADED}", "fails: it knows no names such as lora_unet_layers_0_…"),
    "kohya of its own": ("loads 10 modules: its own names", "fails: it knows no names such as lora_unet_layers_0_…"),
    "its own": ("loads 10 modules: its own names", "not known"),
    "PEFT": ("loads nothing; all appears in its log (lora key not loaded)", "not known"),
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
    assert (record["family"], record["modules"]["unknown"]) == ("Z-Image", 0)
    assert (record["clients"]["ComfyUI"], record["clients"]["InvokeAI"]) == TOLD[name]
    assert {record["clients"][each] for each in ("A1111", "Forge", "SwarmUI", "sd-scripts")} == {"not known"}


def test_every_linear_has_a_name_that_is_understood_in_every_spelling(pipeline: Any) -> None:
    for module, layer in pipeline.transformer.named_modules():
        if isinstance(layer, torch.nn.Linear):
            for prefix in ("", "transformer.", "diffusion_model."):
                assert modules_of(f"{prefix}{module}") == (module,)
            assert modules_of(f"lora_unet_{module.replace('.', '_')}") == (module,)
