"""BLIP and Florence-2 are loaded by transformers' own classes from a folder, and what they say becomes a caption."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from engine.dataset.captions.job import write_captions
from engine.dataset.captions.models.blip import Blip
from engine.dataset.captions.models.florence import Florence
from engine.dataset.files.layout import DatasetFolder
from engine.errors import DatasetError
from engine.project import Project
from engine.settings import FlorenceTask
from tests.support.sentence_models import WORDS, save_blip, save_florence


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    return save_blip(tmp_path_factory.mktemp("models") / "blip")


@pytest.fixture(scope="module")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_florence(tmp_path_factory.mktemp("models") / "florence")


def test_blip_says_what_the_model_itself_says(blip: Path) -> None:
    picture = Image.linear_gradient("L").convert("RGB")
    model, processor = BlipForConditionalGeneration.from_pretrained(blip), BlipProcessor.from_pretrained(blip)
    with torch.inference_mode():
        made = model.generate(**processor(images=picture, return_tensors="pt"), max_new_tokens=50, num_beams=3)
    said = Blip(str(blip)).describe(picture)
    assert said == processor.decode(made[0], skip_special_tokens=True).strip()
    assert set(said.split()) <= set(WORDS)
    assert said


def test_a_sentence_model_s_words_follow_the_person_s(built: Project, blip: Path) -> None:
    built.change({"captions.blip": str(blip)})
    report = write_captions(built, "blip", images=["0001.png"])
    assert report.written == ["0001.png"]
    caption = DatasetFolder(built).images()[0].caption
    assert caption.startswith("jx265, man, close-up, ")
    assert caption.count("jx265") == 1


def test_florence_is_asked_for_as_much_as_is_wanted(florence: Path) -> None:
    picture = Image.new("RGB", (80, 60), "red")
    short = Florence(str(florence), FlorenceTask.SHORT).describe(picture)
    detailed = Florence(str(florence)).describe(picture)
    assert 0 < len(short.split()) <= 40
    assert len(short.split()) < len(detailed.split()) <= 120


def test_no_pickle_is_loaded_and_no_code_of_the_model_s_folder_runs(blip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    for file in blip.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    marker = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Evil: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForVision2Seq": "evil.Evil", "AutoProcessor": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps(config))
    assert Blip(str(folder)).describe(Image.new("RGB", (32, 32)))
    assert not marker.exists()
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(DatasetError, match=r"holds pytorch_model\.bin: a pickle can run anything"):
        Blip(str(folder))


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no config\.json: check captions\.blip"):
        Blip(str(tmp_path))
    with pytest.raises(DatasetError, match="there is no model at /nowhere/florence"):
        Florence("/nowhere/florence")
