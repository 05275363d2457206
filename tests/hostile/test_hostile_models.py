"""Model files nobody should trust: none of them ever runs, wherever it is named, and each is refused with a reason."""

from __future__ import annotations

import ast
import json
import pickle
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import engine
from engine.dataset.captions.models.blip import Blip
from engine.dataset.captions.models.florence import Florence
from engine.dataset.captions.models.wd14 import Tagger
from engine.errors import BaseModelError, DatasetError, LoraFileError
from engine.lora.compatibility import clients
from engine.lora.file import read_lora
from engine.lora.header import read_header, read_metadata
from engine.lora.lokr_header import factor_of
from engine.models.locate import find_base
from engine.models.sdxl.loaded import SdxlBase
from engine.models.sdxl.loading import load_pipeline
from engine.pictures.orders.picture import LoraWeight
from engine.pictures.painting.lora_cache import LoraCache
from engine.settings import BaseSettings
from engine.training.init_lora import read_start
from engine.training.runs.resume_state import read_data, read_state
from tests.support.rows import usual
from tests.support.small_project import random_lora

ROOT = Path(engine.__file__).resolve().parents[1]
PICKLED = (".ckpt", ".pt", ".pth", ".bin", ".PT", ".pkl")


class Bomb:
    """Whoever unpickles it makes a file."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.trap,)


@pytest.fixture
def trap(tmp_path: Path) -> Any:
    """What a bomb makes; it must never be there."""
    path = tmp_path / "it-ran"
    yield path
    assert not path.exists(), "something of a model was run"


@pytest.fixture(params=["torch", "plain"])
def bomb(request: pytest.FixtureRequest, trap: Path, tmp_path: Path) -> bytes:
    """A pickle as torch writes it, in an archive, and a plain one."""
    if request.param == "plain":
        return pickle.dumps(Bomb(trap))
    torch.save({"state_dict": Bomb(trap)}, tmp_path / "bomb")
    return (tmp_path / "bomb").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny base model that a test may break."""
    return Path(shutil.copytree(find_base(BaseSettings(model="demo")).source, tmp_path / "base"))


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_lora(tmp_path_factory.mktemp("lora") / "good.safetensors")


def load(source: Path, config: Path | None = None) -> object:
    return load_pipeline(find_base(BaseSettings(model=str(source), config=config)))


def test_the_bomb_goes_off_where_it_is_unpickled(tmp_path: Path) -> None:
    """Else no test here could fail."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", PICKLED)
def test_a_pickled_base_model_is_refused_by_its_name(suffix: str, bomb: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(bomb)
    with pytest.raises(BaseModelError, match=r"is a pickle, which can run anything: use the \.safetensors version"):
        load(path)


def test_a_pickle_that_calls_itself_safetensors_is_refused(bomb: bytes, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bomb)
    with pytest.raises(BaseModelError, match="can't be read"):
        load(path, folder)
    for read in (read_header, read_metadata, read_lora):
        with pytest.raises(LoraFileError, match="is not a safetensors file"):
            read(path)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "text_encoder_2"])
def test_a_folder_with_one_part_pickled_is_refused(part: str, bomb: bytes, folder: Path) -> None:
    for weights in (folder / part).glob("*.safetensors"):
        weights.unlink()
    name = "pytorch_model.bin" if part.startswith("text") else "diffusion_pytorch_model.bin"
    (folder / part / name).write_bytes(bomb)
    with pytest.raises(BaseModelError, match=rf"holds {part}/{re.escape(name)}: a pickle can run"):
        load(folder)


def test_a_model_s_index_that_is_vast_is_not_read(folder: Path) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "_more": "x" * 1_000_000}))
    with pytest.raises(BaseModelError, match=r"model_index\.json can't be read \(it has more than"):
        load(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "training_args.bin", "optimizer.PT", "more/of/it.ckpt", "x.pkl"])
@pytest.mark.parametrize("part", ["unet", "text_encoder", "scheduler", "."])
def test_a_pickle_beside_safetensors_is_refused_too(part: str, name: str, bomb: bytes, folder: Path) -> None:
    path = folder / part / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bomb)
    with pytest.raises(BaseModelError, match=r"a pickle can run anything: use the \.safetensors version, and move"):
        load(folder)


NAMED = [
    "w.bin",
    "w",
    "w.safetensors.bin",
    "W.SAFETENSORS",
    "../w.safetensors",
    "/w.safetensors",
    "a\\w.safetensors",
    7,
]


@pytest.mark.parametrize("named", NAMED, ids=str)
@pytest.mark.parametrize("part", usual(["unet", "vae", "text_encoder", "text_encoder_2"], 1))
def test_an_index_that_names_a_pickle_is_refused(part: str, named: object, bomb: bytes, folder: Path) -> None:
    """However the pickle is called: the libraries go by what the index says."""
    (weights,) = (folder / part).glob("*.safetensors")
    with safe_open(weights, "pt") as file:
        shards = dict.fromkeys(file.keys(), named)
    if isinstance(named, str) and "/" not in named and Path(named).suffix != ".bin":
        (folder / part / named).write_bytes(bomb)
    elif named == "w.bin":
        (folder / part / "w.bin").symlink_to(folder.parent / "bomb")
        (folder.parent / "bomb").write_bytes(bomb)
    (folder / part / f"{weights.name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    weights.unlink()
    with pytest.raises(BaseModelError, match="can run anything"):
        load(folder)


@pytest.mark.parametrize("kind", [Blip, Florence])
def test_a_captioners_index_that_names_a_pickle_is_refused(
    kind: Callable[[str], Any], bomb: bytes, tmp_path: Path, trap: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "blip"}))
    (folder / "weights").write_bytes(bomb)
    for name in ("model.safetensors.index.json", "model.safetensors.index.fp16.json", "pytorch_model.BIN.index.json"):
        (folder / name).write_text(json.dumps({"weight_map": {"a": "weights"}}))
        with pytest.raises(DatasetError, match="can run anything"):
            kind(str(folder))
        (folder / name).unlink()


def test_a_part_that_is_a_link_to_a_folder_with_a_pickle_is_refused(folder: Path, bomb: bytes) -> None:
    elsewhere = folder.parent / "elsewhere"
    (folder / "unet").rename(elsewhere)
    (folder / "unet").symlink_to(elsewhere)
    assert load(folder)
    (elsewhere / "diffusion_pytorch_model.bin").write_bytes(bomb)
    with pytest.raises(BaseModelError, match="a pickle can run anything"):
        load(folder)


def test_a_models_folder_of_endless_files_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.models.folder_safety.MOST_FILES", 40)
    for number in range(40):
        (folder / f"unet/{number}.txt").touch()
    with pytest.raises(BaseModelError, match="more than 40 files"):
        load(folder)


@pytest.mark.parametrize("way", ["a part", "the pipeline", "another package", "no index", "an index in circles"])
def test_a_folder_that_brings_code_is_refused_and_nothing_of_it_runs(way: str, folder: Path, trap: Path) -> None:
    program = f"import pathlib\npathlib.Path({str(trap)!r}).touch()\nclass Own: pass\n"
    for place in (folder, folder / "unet"):
        (place / "own.py").write_text(program)
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    if way == "a part":
        index["unet"] = ["own", "Own"]
    elif way == "the pipeline":
        index["_class_name"] = ["own", "Own"]
    elif way == "another package":
        index["vae"] = ["subprocess", "Popen"]
    path.write_text(json.dumps(index))
    if way == "no index":
        path.write_text("7")
    elif way == "an index in circles":
        path.write_text("[" * 50_000)
    reason = {"no index": "is not a model index", "an index in circles": "can't be read"}.get(way, "code of its own")
    with pytest.raises(BaseModelError, match=reason):
        load(folder)
    single = folder.parent / "single.safetensors"
    save_file({"a": torch.zeros(1)}, single)
    with pytest.raises(BaseModelError):
        load(single, folder)


def test_what_a_configuration_maps_to_code_of_its_own_never_runs(folder: Path, trap: Path) -> None:
    program = f"import pathlib\npathlib.Path({str(trap)!r}).touch()\nclass Own: pass\n"
    for part, name in [
        ("text_encoder", "config.json"),
        ("tokenizer", "tokenizer_config.json"),
        ("unet", "config.json"),
        ("scheduler", "scheduler_config.json"),
    ]:
        path = folder / part / name
        record = json.loads(path.read_text()) if path.exists() else {}
        names = ("AutoConfig", "AutoModel", "AutoTokenizer", "UNet2DConditionModel")
        path.write_text(json.dumps({**record, "auto_map": dict.fromkeys(names, "own.Own"), "trust_remote_code": True}))
        (folder / part / "own.py").write_text(program)
    assert load(folder)


@pytest.mark.parametrize("kind", [Blip, Florence])
def test_a_captioner_s_pickle_or_code_is_refused(
    kind: Callable[[str], Any], bomb: bytes, tmp_path: Path, trap: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    auto = {"auto_map": {"AutoModelForCausalLM": "own.Own", "AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps({"model_type": "florence2", **auto}))
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(trap)!r}).touch()\nclass Own: pass\n")
    with pytest.raises(DatasetError):
        kind(str(folder))
    (folder / "pytorch_model.bin").write_bytes(bomb)
    with pytest.raises(DatasetError, match="a pickle can run anything"):
        kind(str(folder))


def test_a_tagger_s_pickle_is_refused(bomb: bytes, tmp_path: Path) -> None:
    (tmp_path / "selected_tags.csv").write_text("tag_id,name,category,count\n1,a,0,1\n")
    (tmp_path / "model.pt").write_bytes(bomb)
    with pytest.raises(DatasetError, match=r"holds no model\.onnx"):
        Tagger(str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(bomb)
    with pytest.raises(DatasetError, match="can't be loaded"):
        Tagger(str(tmp_path))


@pytest.mark.parametrize("suffix", [*PICKLED, ".safetensors"])
def test_a_pickled_lora_is_refused_wherever_it_is_named(suffix: str, bomb: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"lora{suffix}"
    path.write_bytes(bomb)
    for read in (
        read_header,
        read_lora,
        lambda path: read_start(path, {}, 4, 4.0, 2),
        lambda path: LoraCache(None, "base").set_loras([LoraWeight(path, 1.0, 1.0)]),
    ):
        # By its name nothing of it is read, by its content nothing is made of it.
        why = "is a pickle, which can run anything" if suffix in PICKLED else "is not a safetensors file"
        with pytest.raises(LoraFileError, match=why):
            read(path)


def test_a_run_s_pickled_state_is_refused(bomb: bytes, tmp_path: Path) -> None:
    (tmp_path / "latest.safetensors").write_bytes(bomb)
    (tmp_path / "data.safetensors").write_bytes(bomb)
    for read in (read_state, lambda state: read_data(state, {})):
        with pytest.raises(LoraFileError, match="can't be read"):
            read(tmp_path)


PAIR = {"dtype": "F32", "shape": [4, 8], "data_offsets": [0, 128]}
UP = {"dtype": "F32", "shape": [8, 4], "data_offsets": [128, 256]}
MODULE = "lora_unet_mid_block_attentions_0_proj_in"


def safetensors(record: object, data: int = 256, length: int | None = None) -> bytes:
    header = record if isinstance(record, bytes) else json.dumps(record).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(data)


def lora_of(**down: object) -> bytes:
    return safetensors({f"{MODULE}.lora_down.weight": {**PAIR, **down}, f"{MODULE}.lora_up.weight": UP})


HEADERS: dict[str, bytes] = {
    "length of all": safetensors(b"{}", length=2**64 - 1),
    "length of gigabytes": safetensors(b"{}", length=90_000_000),
    "length of nothing": safetensors(b"", length=0),
    "seven bytes": b"\0" * 7,
    "no json": safetensors(b"\xff\xfe" * 20),
    "a list": safetensors([1, 2]),
    "in circles": safetensors(b"[" * 100_000),
    "metadata in a list": safetensors({"__metadata__": [1]}),
    "tensor in a list": safetensors({f"{MODULE}.lora_down.weight": [1]}),
    "over another": lora_of(data_offsets=[64, 192]),
    "behind the end": lora_of(data_offsets=[256, 384]),
    "backwards": lora_of(data_offsets=[128, 0]),
    "below nothing": lora_of(data_offsets=[-128, 0]),
    "endless": safetensors(b'{"a.lora_down.weight": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}'),
    "more than its bytes": lora_of(shape=[4, 9]),
    "less than nothing": lora_of(shape=[-4, -8]),
    "vast": lora_of(shape=[2**62, 2**62]),
    "unknown type": lora_of(dtype="OBJECT"),
    "another type": lora_of(dtype="F16"),
    "words for numbers": lora_of(shape=["four", 8]),
    "no shape": lora_of(shape=None),
    "LoKr behind the end": safetensors(
        {f"{MODULE}.lokr_w1": PAIR, f"{MODULE}.lokr_w2": {**UP, "data_offsets": [256, 384]}}
    ),
    "a vast LoKr": safetensors({f"{MODULE}.lokr_w1": {**PAIR, "shape": [2**62, 2**62]}, f"{MODULE}.lokr_w2": UP}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies_is_refused_before_anything_is_made_of_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    path.write_bytes(HEADERS[name])
    for read in (read_header, read_lora):
        with pytest.raises(LoraFileError) as caught:
            read(path)
        assert "\n" not in caught.value.one_line()
        assert len(caught.value.one_line()) < 400
    path.rename(tmp_path / "latest.safetensors")
    with pytest.raises(LoraFileError):
        read_state(tmp_path)


@pytest.mark.parametrize(
    ("left", "right"), [((1, 1), (1, 300_000)), ((300_000, 1), (1, 1)), ((1, 0), (1, 4)), ((7, 11), (13, 17))]
)
def test_a_lokr_of_thin_matrices_never_becomes_a_vast_one(
    left: tuple[int, int], right: tuple[int, int], tmp_path: Path
) -> None:
    """The product of the largest would take 360 GB."""
    shapes = {"lokr_w1": left, "lokr_w2_a": right[::-1], "lokr_w2_b": right}
    path = tmp_path / "vast.safetensors"
    save_file({f"{MODULE}.{end}": torch.ones(shape) for end, shape in shapes.items()}, path)
    header = read_header(path)
    assert factor_of(header.lokr.values()) in (None, *left, -1)
    assert set(clients(header)) >= {"diffusers", "ComfyUI"}
    pipeline = load_pipeline(find_base(BaseSettings(model="demo")))
    with pytest.raises(LoraFileError, match=r"another base model|don't fit"):
        LoraCache(SdxlBase(pipeline), "base").set_loras([LoraWeight(path, 1.0, 1.0)])


def test_the_whole_header_of_the_tests_is_read(tmp_path: Path) -> None:
    """Else no test above could fail for its own reason."""
    path = tmp_path / "lora.safetensors"
    path.write_bytes(lora_of())
    assert read_header(path).rank == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_lora_of_numbers_that_are_none_is_refused_before_it_paints_black(
    value: float, lora: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    tensors = load_file(lora)
    name = next(name for name in tensors if "lora_up" in name)
    tensors[name].view(-1)[0] = value
    path = tmp_path / "black.safetensors"
    save_file(tensors, path)
    pipeline = load_pipeline(find_base(BaseSettings(model="demo")))
    with pytest.raises(LoraFileError, match="NaN or infinite"):
        LoraCache(SdxlBase(pipeline), "base").set_loras([LoraWeight(path, 1.0, 1.0)])
    with pytest.raises(LoraFileError, match="NaN or infinite"):
        read_start(path, {}, 4, 2.0, pipeline.unet.config.layers_per_block)


FORBIDDEN = {
    "unpickles": r"\b(torch\.load|pickle|cPickle|dill|joblib|shelve|marshal)\b",
    "unpickles arrays": r"allow_pickle\s*=\s*True",
    "trusts remote code": r"trust_remote_code\s*=\s*True",
    "runs text": r"(?<![.\w])(eval|exec)\(|os\.system|shell\s*=\s*True",
    "reads any YAML": r"yaml\.(unsafe_)?load\(",
    "takes pickled weights": r"use_safetensors\s*=\s*(False|None)",
}


def test_no_line_of_limner_unpickles_evaluates_or_trusts() -> None:
    """Words in docstrings and messages may name what the code must not do."""
    for path in [*ROOT.glob("engine/**/*.py"), *ROOT.glob("tui/**/*.py")]:
        text = path.read_text("utf-8")
        if not any(re.search(pattern, text) for pattern in FORBIDDEN.values()):
            continue
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = ""
        code = ast.unparse(tree)
        for what, pattern in FORBIDDEN.items():
            assert not re.search(pattern, code), f"{path} {what}"


def test_every_model_is_loaded_from_safetensors_and_named_as_such() -> None:
    for path in ROOT.glob("engine/**/*.py"):
        for call in re.findall(
            r"(?s)\b(?:Pipeline|Generation|Model)\.from_pretrained\((.*?)\)\n", path.read_text("utf-8")
        ):
            if "engine/demo" not in str(path):
                assert "use_safetensors=True" in call, (path, call)
