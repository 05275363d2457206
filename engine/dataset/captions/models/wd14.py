"""WD14's taggers, run by ONNX: which of Danbooru's tags a picture shows. Only inside a job's process.

Facts of the format: ``selected_tags.csv`` has the header ``tag_id,name,category,count``, a row for each output;
category 0 is a general tag, 4 a character, 9 a rating. The model takes float32 of 0 to 255, BGR, shape (N, H, W, 3),
and gives probabilities (https://huggingface.co/SmilingWolf/wd-vit-tagger-v3).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from engine.dataset.captions.captioner import CaptionModel, TagCaptions
from engine.dataset.captions.models.model_files import find_files
from engine.errors import DatasetError
from engine.settings import Settings
from engine.storage.untrusted_files import read_text

GENERAL = 0
"""The category of tags for what is to be seen; characters and ratings say nothing of a real person."""

KAOMOJI = frozenset(
    [
        "0_0",
        "(o)_(o)",
        "+_+",
        "+_-",
        "._.",
        "<o>_<o>",
        "<|>_<|>",
        "=_=",
        ">_<",
        "3_3",
        "6_9",
        ">_o",
        "@_@",
        "^_^",
        "o_o",
        "u_u",
        "x_x",
        "|_|",
        "||_||",
    ]
)
"""Tags whose underscores are no spaces."""

PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "CPUExecutionProvider")
"""What runs the model, the quickest that is there. Not TensorRT, which builds an engine for minutes first."""


@dataclass(frozen=True)
class Tag:
    """One tag of a picture."""

    name: str
    """With spaces: ``looking at viewer``."""
    probability: float


class Tagger:
    """A tagger that is loaded.

    Args:
        source: a folder with ``model.onnx`` and ``selected_tags.csv``, or a hub name.
        threshold: how probable a tag must be.
        mcut: cut at the largest gap between the probabilities instead.

    Raises:
        DatasetError: it can't be found, or is not a WD14 tagger.
    """

    def __init__(self, source: str, threshold: float = 0.35, mcut: bool = False) -> None:
        model, names = find_files(source, ("model.onnx", "selected_tags.csv"), "captions.wd14")
        self._threshold, self._mcut = threshold, mcut
        try:
            there = onnxruntime.get_available_providers()
            providers = [each for each in PROVIDERS if each in there]
            self._session = onnxruntime.InferenceSession(str(model), providers=providers)
        except Exception as error:
            # onnxruntime raises bare exceptions of its own for a file that is no model.
            raise DatasetError(f"{model} can't be loaded ({_first_line(error)})", "download it again") from error
        self._input = self._session.get_inputs()[0]
        shape = self._input.shape
        if len(shape) != 4 or shape[3] != 3 or not isinstance(shape[1], int) or shape[1] != shape[2]:
            raise DatasetError(f"{model} is not a WD14 tagger: its input is {shape}", "it must take (N, 448, 448, 3)")
        self._side = int(shape[1])
        self._general = _general_tags(names)
        outputs = self._session.get_outputs()[0].shape[-1]
        if isinstance(outputs, int) and self._general and max(self._general) >= outputs:
            raise DatasetError(
                f"{names} does not belong to {model}: {outputs} outputs", "download both from the same repository"
            )

    def tags(self, image: Image.Image) -> list[Tag]:
        """The general tags of an upright RGB picture, the most probable first."""
        (found,) = self._session.run(None, {self._input.name: prepared(image, self._side)})[:1]
        probabilities = np.asarray(found, np.float64).reshape(-1)
        tags = [Tag(name, float(probabilities[index])) for index, name in self._general.items()]
        tags.sort(key=lambda tag: (-tag.probability, tag.name))
        least = mcut([tag.probability for tag in tags]) if self._mcut else self._threshold
        return [tag for tag in tags if tag.probability > least]


def prepared(image: Image.Image, side: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A picture as the model takes it: centred on a white square, bicubic, BGR, 0 to 255.

    Args:
        image: upright, RGB.
        side: pixels.

    Returns:
        Shape (1, side, side, 3), float32.
    """
    longest = max(image.size)
    square = Image.new("RGB", (longest, longest), (255, 255, 255))
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    if longest != side:
        square = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(square, np.float32)[None, :, :, ::-1])


def mcut(probabilities: list[float]) -> float:
    """Maximum cut thresholding: the middle of the largest gap between sorted probabilities
    (https://hal.science/hal-01044994, section 2.1).

    Args:
        probabilities: the largest first.
    """
    gaps = [one - other for one, other in pairwise(probabilities)]
    if not gaps:
        return 0.0
    at = gaps.index(max(gaps))
    return (probabilities[at] + probabilities[at + 1]) / 2


def spoken(name: str) -> str:
    """A tag as it is written in captions: spaces for underscores, except in the little faces."""
    return name if name in KAOMOJI else name.replace("_", " ")


def _general_tags(path: Path) -> dict[int, str]:
    """Index of the model's output to the tag; told by the category, for the order differs between versions."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path))))
        found = {index: spoken(row["name"]) for index, row in enumerate(rows) if int(row["category"]) == GENERAL}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a list of tags ({_first_line(error)})", "download it again") from error
    if not found:
        raise DatasetError(f"{path} names no general tags", "download it again")
    return found


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def load(settings: Settings, _project: Path, _should_stop: Callable[[], bool]) -> CaptionModel:
    """The captioner's model, as the registry asks for it."""
    captions = settings.captions
    tagger = Tagger(captions.wd14, captions.threshold, captions.mcut)
    return TagCaptions(lambda image: [tag.name for tag in tagger.tags(image)], settings)
