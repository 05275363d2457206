"""Base models: every way in which one can be given, and everything that can be wrong with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from engine.base_model import BaseKind, BaseModel, find_base
from engine.demo.single_file import write_single_file
from engine.demo.tiny_parts import TinyBase
from engine.errors import BaseModelError
from engine.settings import BaseSettings
from engine.training.base import load_pipeline, native_resolution, noise_schedule
from engine.training.caches import fingerprint

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny base model that a test may break."""
    copy = tmp_path / "base"
    shutil.copytree(find_base(BaseSettings(model="demo")).source, copy)
    return copy


def load(source: Path, config: Path | None = None) -> object:
    return load_pipeline(find_base(BaseSettings(model=str(source), config=config)))


def test_a_folder_is_loaded_in_float32_and_knows_what_it_was_made_for(folder: Path) -> None:
    pipeline = load_pipeline(find_base(BaseSettings(model=str(folder))))
    assert {getattr(pipeline, part).dtype for part in PARTS} == {torch.float32}
    assert native_resolution(pipeline) == 64
    assert noise_schedule(pipeline).config.prediction_type == "epsilon"


def test_a_folder_with_half_precision_files_alone_is_loaded(folder: Path) -> None:
    for part in PARTS:
        for weights in (folder / part).glob("*.safetensors"):
            weights.rename(weights.with_name(weights.name.replace(".safetensors", ".fp16.safetensors")))
    assert native_resolution(load(folder)) == 64


def test_a_single_file_is_the_same_model_as_its_folder(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    write_single_file(TinyBase.load(folder), path)
    whole = load_pipeline(find_base(BaseSettings(model=str(folder))))
    single = load_pipeline(find_base(BaseSettings(model=str(path), config=folder)))
    for part in PARTS:
        assert fingerprint(getattr(single, part)) == fingerprint(getattr(whole, part)), part
    wanted, found = ((each.encode_prompt("photo of a man", device="cpu"))[0] for each in (whole, single))
    assert torch.equal(wanted, found)


def test_a_single_file_without_network_says_that_it_needs_a_configuration(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = tmp_path / "tiny.safetensors"
    write_single_file(TinyBase.load(folder), path)
    with pytest.raises(BaseModelError, match=r"base\.config"):
        load(path)


def test_a_hub_model_that_cannot_be_fetched_says_what_to_do_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BaseModelError) as caught:
        load_pipeline(BaseModel(BaseKind.HUB, "nobody/no-such-model"))
    assert "nobody/no-such-model can't be fetched" in caught.value.one_line()
    assert "network" in caught.value.fix


def test_a_folder_with_pickles_instead_of_safetensors_is_refused_and_nothing_is_unpickled(folder: Path) -> None:
    trap = folder / "trap"
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.unlink()

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (trap,)

    torch.save(Trap(), folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(BaseModelError):
        load(folder)
    assert not trap.exists()


def test_a_base_of_another_architecture_is_refused(folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text())
    config |= {"addition_embed_type": None, "projection_class_embeddings_input_dim": None}
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    with pytest.raises(BaseModelError, match="not of SDXL's architecture"):
        load(folder)


def test_a_folder_without_its_second_text_encoder_is_refused(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "text_encoder_2": [None, None]}))
    with pytest.raises(BaseModelError):
        load(folder)


@pytest.mark.parametrize("what", ["truncated", "missing part", "no json"])
def test_a_broken_folder_is_refused_in_one_line(folder: Path, what: str) -> None:
    weights = next((folder / "unet").glob("*.safetensors"))
    if what == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif what == "missing part":
        shutil.rmtree(folder / "vae")
    else:
        (folder / "model_index.json").write_text("{")
    with pytest.raises(BaseModelError) as caught:
        load(folder)
    assert "\n" not in caught.value.one_line()
    assert caught.value.fix
