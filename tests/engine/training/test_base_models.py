"""Base models: every way in which one can be given, and everything that can be wrong with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import BaseModelError
from engine.models.checks import fingerprint
from engine.models.locate import BaseKind, BaseModel, find_base
from engine.models.sdxl.loading import load_pipeline, native_resolution, noise_schedule
from engine.settings import BaseSettings
from tests.support.rows import usual
from tools.make_base.single_file import write_single_file
from tools.make_base.tiny_parts import TinyBase

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny base model that a test may break."""
    copy = tmp_path / "base"
    shutil.copytree(find_base(BaseSettings(model="demo")).source, copy)
    return copy


def load(source: Path, config: Path | None = None) -> Any:
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


def of_the_vae(folder: Path, changed: float = 1.5) -> dict[str, torch.Tensor]:
    """The tiny base's VAE with other numbers, in diffusers' names."""
    tensors = load_file(next((folder / "vae").glob("*.safetensors")))
    return {name: each * changed for name, each in tensors.items()}


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", usual(["the original's names", "a folder", "diffusers' names", "a folder, fp16 alone"], 2)
)
def test_a_vae_of_ones_own_takes_the_place_of_the_base_models(kind: str, folder: Path, tmp_path: Path) -> None:
    own = of_the_vae(folder)
    path = tmp_path / "sdxl-vae-fp16-fix.safetensors"
    if kind == "the original's names":
        changed = tmp_path / "changed"
        shutil.copytree(folder, changed)
        save_file(own, next((changed / "vae").glob("*.safetensors")), {"format": "pt"})
        whole = tmp_path / "whole.safetensors"
        write_single_file(TinyBase.load(changed), whole)
        prefix = "first_stage_model."
        save_file({n.removeprefix(prefix): t for n, t in load_file(whole).items() if n.startswith(prefix)}, path)
    elif kind == "diffusers' names":
        save_file(own, path)
    else:
        path = tmp_path / "vae"
        shutil.copytree(folder / "vae", path)
        weights = next(path.glob("*.safetensors"))
        save_file(own, weights, {"format": "pt"})
        if kind.endswith("alone"):
            weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    single = tmp_path / "tiny.safetensors"
    write_single_file(TinyBase.load(folder), single)
    for base in (BaseSettings(model=str(folder), vae=path), BaseSettings(model=str(single), config=folder, vae=path)):
        found = load_pipeline(find_base(base)).vae.state_dict()
        assert all(torch.allclose(found[name], each.float(), atol=1e-6) for name, each in own.items()), base.model


def test_a_single_file_without_a_vae_says_what_to_set_and_loads_with_one(folder: Path, tmp_path: Path) -> None:
    whole, bare = tmp_path / "whole.safetensors", tmp_path / "bare.safetensors"
    write_single_file(TinyBase.load(folder), whole)
    save_file({n: t for n, t in load_file(whole).items() if not n.startswith("first_stage_model.")}, bare)
    with pytest.raises(BaseModelError, match=r"holds no VAE: set base\.vae to one, such as sdxl-vae-fp16-fix"):
        load(bare, folder)
    settings = BaseSettings(model=str(bare), config=folder, vae=folder / "vae")
    assert fingerprint(load_pipeline(find_base(settings)).vae) == fingerprint(load(folder).vae)
    headless = tmp_path / "headless.safetensors"
    save_file({n: t for n, t in load_file(whole).items() if not n.startswith("conditioner.")}, headless)
    with pytest.raises(BaseModelError, match="holds no text encoders: give the whole checkpoint"):
        load(headless, folder)


@pytest.mark.long
@pytest.mark.parametrize("parts", [("text_encoder", "text_encoder_2"), ("vae",), ("unet", "text_encoder")])
def test_a_folder_with_some_parts_in_half_precision_alone_is_loaded(parts: tuple[str, ...], folder: Path) -> None:
    whole = load(folder)
    for part in parts:
        for weights in (folder / part).glob("*.safetensors"):
            weights.rename(weights.with_name(weights.name.replace(".safetensors", ".fp16.safetensors")))
    found = load(folder)
    for part in PARTS:
        assert fingerprint(getattr(found, part)) == fingerprint(getattr(whole, part)), part


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere.safetensors", "there is no VAE"), ("a.ckpt", "is a pickle"), ("a.txt", "no VAE")]
)
def test_a_vae_that_is_none_is_told_before_anything_is_loaded(name: str, says: str, folder: Path) -> None:
    if name == "a.txt":
        (folder / name).write_text("no VAE")
    with pytest.raises(BaseModelError, match=says):
        find_base(BaseSettings(model=str(folder), vae=folder / name))


def test_a_vae_that_does_not_fit_is_told_as_such(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    save_file({"encoder.down_blocks.0.x": torch.zeros(2)}, path)
    with pytest.raises(BaseModelError, match=r"the VAE .*vae\.safetensors can't be read"):
        load_pipeline(find_base(BaseSettings(model=str(folder), vae=path)))


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


def test_a_folder_of_pickles_is_refused_and_nothing_is_unpickled(folder: Path) -> None:
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
    with pytest.raises(BaseModelError, match="not have SDXL's architecture"):
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
