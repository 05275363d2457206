"""WD14's taggers see the pixels as they were trained to see them, and their tags come out as they are written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset.captions.models.wd14 import Tagger, mcut, prepared, spoken
from engine.errors import DatasetError
from tests.support.onnx_tagger import SIDE, write_tagger


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_a_picture_is_given_as_blue_green_red_from_0_to_255_on_white() -> None:
    picture = Image.new("RGB", (SIDE * 2, SIDE), (200, 100, 50))
    values = prepared(picture, SIDE * 2)
    assert (values.shape, values.dtype) == ((1, SIDE * 2, SIDE * 2, 3), np.float32)
    assert values[0, SIDE, SIDE].tolist() == [50.0, 100.0, 200.0]
    assert values[0, 0, 0].tolist() == [255.0, 255.0, 255.0]
    top = SIDE // 2
    assert (values[0, :top] == 255).all()
    assert (values[0, top : top + SIDE] != 255).all(), "the picture stands in the middle"


def test_a_picture_is_brought_to_size_by_bicubic_interpolation() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8))
    wanted = np.asarray(noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)[:, :, ::-1]
    assert np.array_equal(prepared(noise, SIDE)[0], wanted)


def test_probabilities_are_the_model_s_own_by_category_and_not_by_order(tmp_path: Path) -> None:
    folder = write_tagger(
        tmp_path,
        {
            "smile": (4, 0, 0, -2),
            "blue_shirt": (0, 0, 4, -2),
            "general": (0, 0, 0, 9),
            "hatsune_miku": (0, 0, 0, 9),
            "^_^": (0, 4, 0, -2),
        },
    )
    red = Image.new("RGB", (50, 50), (255, 51, 204))
    tags = {tag.name: tag.probability for tag in Tagger(str(folder), threshold=0.1).tags(red)}
    assert tags == {
        "smile": pytest.approx(sigmoid(4 * 0.8 - 2), abs=1e-5),
        "blue shirt": pytest.approx(sigmoid(4 - 2), abs=1e-5),
        "^_^": pytest.approx(sigmoid(4 * 0.2 - 2), abs=1e-5),
    }, "the first channel is blue; ratings and characters are no tags"
    assert list(tags) == ["blue shirt", "smile", "^_^"]
    assert [tag.name for tag in Tagger(str(folder)).tags(red)] == ["blue shirt", "smile"]


def test_mcut_cuts_at_the_largest_gap(tmp_path: Path) -> None:
    assert mcut([0.9, 0.8, 0.2, 0.1]) == pytest.approx(0.5)
    assert mcut([0.4]) == 0.0
    folder = write_tagger(tmp_path, {"smile": (0, 0, 0, -1.5), "1boy": (0, 0, 0, -1.6)})
    white = Image.new("RGB", (20, 20), "white")
    assert Tagger(str(folder)).tags(white) == []
    assert [tag.name for tag in Tagger(str(folder), mcut=True).tags(white)] == ["smile", "1boy"]


def test_underscores_are_spaces_except_in_little_faces() -> None:
    assert [spoken(name) for name in ("looking_at_viewer", "^_^", "||_||", "v")] == [
        *("looking at viewer", "^_^", "||_||", "v"),
    ]


def test_what_is_no_tagger_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The environment's variable is read when the hub's client is imported, which may have been before this test.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = write_tagger(tmp_path / "tagger", {})
    (folder / "selected_tags.csv").unlink()
    with pytest.raises(DatasetError, match=r"holds no selected_tags\.csv: check captions\.wd14"):
        Tagger(str(folder))
    (folder / "selected_tags.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="is not a list of tags"):
        Tagger(str(folder))
    (folder / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"model\.onnx can't be loaded"):
        Tagger(str(folder))
    with pytest.raises(DatasetError, match=r"there is no model at \./nowhere"):
        Tagger("./nowhere")
    with pytest.raises(DatasetError, match=r"nobody/here can't be loaded .*: set captions\.wd14 in limner\.toml"):
        Tagger("nobody/here")
