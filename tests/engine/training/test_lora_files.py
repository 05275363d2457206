"""LoRA files: what diffusers makes of them, what they say about themselves, and broken ones."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.errors import LoraFileError
from engine.lora.compatibility import clients
from engine.lora.file import LoraPair, Modules, pairs_of_peft, read_lora, write_lora
from engine.lora.header import lora_hash, read_header
from engine.lora.metadata import LoraFacts
from engine.lora.module_names import Part, diffusers_name, sdxl_modules
from engine.models.locate import find_base
from engine.models.sdxl.loaded import TARGETS
from engine.models.sdxl.loading import Pipeline, load_pipeline
from engine.settings import BaseSettings
from engine.training.step.lora_adapter import add_lora, lora_state

FACTS = LoraFacts(name="jx265", rank=4, alpha=2.0, trigger="jx265", resolution=1024, epoch=3, epochs=10, steps=750)


@pytest.fixture
def tiny() -> Pipeline:
    return load_pipeline(find_base(BaseSettings(model="demo")))


def random_lora(pipeline: Pipeline, rank: int, alpha: float) -> Modules:
    """A LoRA on every target of a pipeline's U-Net, with random numbers that float16 holds exactly."""
    add_lora(pipeline.unet, rank, alpha, 1, TARGETS)
    torch.manual_seed(2)
    state = {name: torch.randn_like(each).half().float() * 0.125 for name, each in lora_state(pipeline.unet).items()}
    pipeline.unet.delete_adapters(["limner"])
    return pairs_of_peft(state, alpha)


@pytest.mark.parametrize(
    ("rank", "alpha"), [(4, 2.0), *(pytest.param(*each, marks=pytest.mark.long) for each in [(4, 4.0), (3, 7.3)])]
)
def test_diffusers_loads_every_module_with_its_true_scale(
    tiny: Pipeline, tmp_path: Path, rank: int, alpha: float
) -> None:
    lora = random_lora(tiny, rank, alpha)
    path = tmp_path / "lora.safetensors"
    write_lora(path, lora, FACTS, tiny.unet.config.layers_per_block)
    tiny.load_lora_weights(str(path), adapter_name="person")
    loaded = {name: module for name, module in tiny.unet.named_modules() if hasattr(module, "lora_A")}
    assert set(loaded) == {module for _, module in lora}
    for name, module in loaded.items():
        pair = lora[Part.UNET, name]
        wanted = pair.up @ pair.down * (alpha / rank)
        assert torch.allclose(module.get_delta_weight("person"), wanted, atol=1e-5), name
        x = torch.randn(3, pair.down.shape[1])
        with torch.no_grad():
            change = module(x) - module.base_layer(x)
        assert torch.allclose(change, x @ wanted.T, atol=1e-3), name


def test_a_unet_paints_the_same_with_its_lora_and_with_the_lora_s_file(tiny: Pipeline, tmp_path: Path) -> None:
    lora = random_lora(tiny, 4, 2.0)
    add_lora(tiny.unet, 4, 2.0, 1, TARGETS)
    for name, module in tiny.unet.named_modules():
        if (Part.UNET, name) in lora:
            module.lora_A["limner"].weight.data = lora[Part.UNET, name].down
            module.lora_B["limner"].weight.data = lora[Part.UNET, name].up
    trained = see(tiny)
    tiny.unet.delete_adapters(["limner"])
    bare = see(tiny)
    path = tmp_path / "lora.safetensors"
    write_lora(path, lora, FACTS, tiny.unet.config.layers_per_block)
    tiny.load_lora_weights(str(path))
    assert torch.allclose(see(tiny), trained, atol=1e-4)
    assert not torch.allclose(bare, trained, atol=1e-2)


def see(pipeline: Pipeline) -> torch.Tensor:
    """What the U-Net says of one noisy latent."""
    config = pipeline.unet.config
    randomness = torch.Generator().manual_seed(0)
    pooled = pipeline.text_encoder_2.config.projection_dim
    with torch.no_grad():
        return pipeline.unet(
            torch.randn(1, 4, config.sample_size, config.sample_size, generator=randomness),
            500,
            torch.randn(1, 77, config.cross_attention_dim, generator=randomness),
            added_cond_kwargs={
                "text_embeds": torch.randn(1, pooled, generator=randomness),
                "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]]),
            },
        ).sample


def full_size_lora(rank: int = 4, alpha: float = 2.0) -> Modules:
    """A LoRA on all 986 modules of full-size SDXL."""
    torch.manual_seed(0)
    return {
        diffusers_name(name): LoraPair(torch.randn(rank, inputs), torch.randn(outputs, rank), alpha)
        for name, (inputs, outputs) in sdxl_modules().items()
    }


@pytest.fixture(scope="module")
def full_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("full") / "jx265.safetensors"
    write_lora(path, full_size_lora(), FACTS)
    return path


def test_a_file_of_full_size_sdxl_is_named_and_typed_as_kohyas_are(full_file: Path) -> None:
    tensors = load_file(full_file)
    assert len(tensors) == 986 * 3
    assert {name.split(".", 1)[1] for name in tensors} == {"lora_down.weight", "lora_up.weight", "alpha"}
    assert {name.split(".", 1)[0] for name in tensors} == set(sdxl_modules())
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert tensors["lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha"].shape == ()
    assert float(tensors["lora_unet_middle_block_1_proj_in.alpha"]) == 2.0


def test_diffusers_reads_the_alpha_of_a_full_size_file(full_file: Path) -> None:
    class Config:
        layers_per_block = 2

    state, alphas = StableDiffusionXLPipeline.lora_state_dict(load_file(full_file), unet_config=Config())
    assert len(state) == 986 * 2
    assert len(alphas) == 986
    assert set(alphas.values()) == {2.0}


def test_the_metadata_makes_every_program_know_it_for_sdxl(full_file: Path) -> None:
    with safe_open(full_file, "pt") as handle:
        about = handle.metadata()
    assert about["ss_base_model_version"] == "sdxl_base_v1-0"
    assert about["ss_v2"] == "False"
    assert about["ss_network_module"] == "networks.lora"
    assert (about["ss_network_dim"], about["ss_network_alpha"]) == ("4", "2.0")
    assert (about["ss_output_name"], about["ss_steps"], about["ss_epoch"]) == ("jx265", "750", "3")
    assert about["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert about["modelspec.trigger_phrase"] == "jx265"
    assert about["modelspec.resolution"] == "1024x1024"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", about["modelspec.date"])


def test_the_metadata_gives_away_no_folder_and_no_caption(full_file: Path) -> None:
    with safe_open(full_file, "pt") as handle:
        about = handle.metadata()
    assert not {"ss_dataset_dirs", "ss_tag_frequency", "ss_datasets", "ss_bucket_info"} & set(about)
    assert str(full_file.parent) not in json.dumps(about)


def test_what_was_written_is_read_back(full_file: Path) -> None:
    wanted = full_size_lora()
    found = read_lora(full_file)
    assert set(found) == set(wanted)
    for key, pair in found.items():
        assert (pair.alpha, pair.rank) == (2.0, 4)
        assert torch.equal(pair.down, wanted[key].down.half())
        assert torch.equal(pair.up, wanted[key].up.half())


def test_the_header_alone_tells_modules_rank_alpha_and_who_loads_it(full_file: Path) -> None:
    header = read_header(full_file)
    assert header.part_counts() == {"unet": 722, "te1": 72, "te2": 192, "unknown": 0}
    assert (header.rank, header.alpha) == (4, 2.0)
    told = clients(header)
    assert told["A1111"] == "loads 986 of 986 modules, shown as SDXL"
    assert told["Forge"] == "loads 986 of 986 modules"
    assert told["ComfyUI"] == "loads 986 of 986 modules"
    assert told["diffusers"] == "loads 986 modules, at scale 0.5"
    assert told["sd-scripts"] == "continues 986 of 986 modules"


def test_an_alpha_that_half_precision_would_change_stays_exact(tmp_path: Path) -> None:
    lora = {(Part.UNET, "mid_block.attentions.0.proj_in"): LoraPair(torch.zeros(4, 8), torch.zeros(8, 4), 7.3)}
    write_lora(tmp_path / "a.safetensors", lora, FACTS)
    assert read_header(tmp_path / "a.safetensors").alpha == pytest.approx(7.3, abs=1e-6)


def rewritten(path: Path, to: Path, rename: str, metadata: dict[str, str] | None) -> Path:
    """The file with its names changed by ``s/a/b/`` and other metadata."""
    old, new = rename.split(">")
    save_file({name.replace(old, new): each for name, each in load_file(path).items()}, to, metadata)
    return to


@pytest.mark.long
def test_other_layouts_are_told_apart_by_what_programs_make_of_them(full_file: Path, tmp_path: Path) -> None:
    hidden = rewritten(full_file, tmp_path / "hidden.safetensors", "x>x", {"format": "pt"})
    assert "hides it" in clients(read_header(hidden))["A1111"]
    nameless = rewritten(full_file, tmp_path / "none.safetensors", "x>x", None)
    assert "shown with every model" in clients(read_header(nameless))["A1111"]
    flattened = rewritten(full_file, tmp_path / "flat.safetensors", "te1_text_model_>te1_", None)
    header = read_header(flattened)
    assert header.part_counts() == {"unet": 722, "te1": 72, "te2": 192, "unknown": 0}
    assert clients(header)["Forge"].startswith("refuses it: 216 tensors")
    assert clients(header)["ComfyUI"].startswith("loads 914 of 986")
    halved = tmp_path / "halved.safetensors"
    kept = {n: t for n, t in load_file(full_file).items() if "te2_text_model_encoder_layers_0_self_attn_q_" not in n}
    save_file(kept, halved, {"ss_base_model_version": "sdxl_base_v1-0"})
    assert "leaves out 1 attention" in clients(read_header(halved))["A1111"]
    dotted = tmp_path / "peft.safetensors"
    save_file(
        {
            "unet.mid_block.attentions.0.proj_in.lora_A.weight": torch.zeros(4, 1280),
            "unet.mid_block.attentions.0.proj_in.lora_B.weight": torch.zeros(1280, 4),
        },
        dotted,
    )
    told = clients(read_header(dotted))
    assert told["A1111"].startswith("loads nothing")
    assert told["InvokeAI"].startswith("fails")


def test_the_hash_is_that_of_the_tensors_whatever_the_metadata_says(full_file: Path, tmp_path: Path) -> None:
    other = rewritten(full_file, tmp_path / "other.safetensors", "x>x", {"note": "other"})
    assert re.fullmatch(r"[0-9a-f]{12}", lora_hash(full_file))
    assert lora_hash(rewritten(other, tmp_path / "third.safetensors", "x>x", None)) == lora_hash(other)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 8, b"\xff" * 64, b"\x05\0\0\0\0\0\0\0hello", b"\x02\0\0\0\0\0\0\0{}"]
)
def test_a_file_that_is_no_lora_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(LoraFileError) as caught:
        read_header(path)
    assert "\n" not in caught.value.one_line()


def test_a_file_that_was_cut_short_is_refused(full_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(full_file.read_bytes()[:-100])
    with pytest.raises(LoraFileError, match="is truncated"):
        read_header(path)


def test_a_key_that_is_not_understood_is_named(full_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "extra.safetensors"
    save_file({**load_file(full_file), "lora_unet_middle_block_1_proj_in.dora_scale": torch.zeros(1)}, path)
    with pytest.raises(LoraFileError, match="dora_scale is not understood"):
        read_lora(path)


def test_a_module_without_a_name_in_the_file_stops_the_writing(tmp_path: Path) -> None:
    lora = {(Part.UNET, "time_embedding.linear_1"): LoraPair(torch.zeros(4, 8), torch.zeros(8, 4), 2.0)}
    with pytest.raises(LoraFileError, match="time_embedding"):
        write_lora(tmp_path / "a.safetensors", lora, FACTS)
    assert os.listdir(tmp_path) == []


def test_an_older_file_stays_whole_when_writing_fails(
    full_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(full_file.read_bytes())

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(LoraFileError, match="No space left"):
        write_lora(path, full_size_lora(rank=1), FACTS)
    assert path.read_bytes() == full_file.read_bytes()
    assert os.listdir(tmp_path) == ["a.safetensors"]
