"""Models that describe a picture in sentences: BLIP and Florence-2, by transformers' own classes; no remote code. Only
inside a job's process."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from engine.dataset.captions.model_files import check_source, not_fetched
from engine.settings import FlorenceTask

LONGEST = {FlorenceTask.SHORT: 40, FlorenceTask.DETAILED: 120, FlorenceTask.MORE: 250}
"""Tokens that are made at most."""

_TASKS = {
    FlorenceTask.SHORT: "<CAPTION>",
    FlorenceTask.DETAILED: "<DETAILED_CAPTION>",
    FlorenceTask.MORE: "<MORE_DETAILED_CAPTION>",
}
"""The words that Florence-2 was trained to be asked with (https://arxiv.org/abs/2311.06242)."""

BEAMS = 3


class Blip:
    """BLIP (https://arxiv.org/abs/2201.12086): short, quick, plain.

    Args:
        source: a folder or a hub name.

    Raises:
        DatasetError: it can't be loaded.
    """

    def __init__(self, source: str) -> None:
        from transformers import BlipForConditionalGeneration, BlipProcessor

        setting = "captions.blip"
        self._device, dtype = _device()
        name = check_source(source, setting)
        try:
            self._processor = BlipProcessor.from_pretrained(name)
            model = BlipForConditionalGeneration.from_pretrained(name, dtype=dtype, use_safetensors=True)
        except Exception as error:
            raise not_fetched(source, setting, error) from error
        self._model = model.to(self._device).eval()

    def say(self, image: Image.Image) -> str:
        """What an upright RGB picture shows."""
        inputs = _on(self._processor(images=image, return_tensors="pt"), self._device, self._model.dtype)
        with torch.inference_mode():
            made = self._model.generate(**inputs, max_new_tokens=50, num_beams=BEAMS, do_sample=False)
        return str(self._processor.decode(made[0], skip_special_tokens=True)).strip()


class Florence:
    """Florence-2 (https://arxiv.org/abs/2311.06242): more, and more exact.

    Args:
        source: a folder or a hub name whose model is transformers' own ``florence2``.
        task: how much it is to say.

    Raises:
        DatasetError: it can't be loaded.
    """

    def __init__(self, source: str, task: FlorenceTask = FlorenceTask.DETAILED) -> None:
        from transformers import Florence2ForConditionalGeneration, Florence2Processor

        setting = "captions.florence"
        self._task = task
        self._device, dtype = _device()
        name = check_source(source, setting)
        try:
            self._processor = Florence2Processor.from_pretrained(name)
            model = Florence2ForConditionalGeneration.from_pretrained(name, dtype=dtype, use_safetensors=True)
        except Exception as error:
            raise not_fetched(source, setting, error) from error
        self._model = model.to(self._device).eval()

    def say(self, image: Image.Image) -> str:
        """What an upright RGB picture shows."""
        asked = self._processor(text=_TASKS[self._task], images=image, return_tensors="pt")
        inputs = _on(asked, self._device, self._model.dtype)
        with torch.inference_mode():
            made = self._model.generate(
                **inputs, max_new_tokens=LONGEST[self._task], num_beams=BEAMS, do_sample=False, early_stopping=True
            )
        return str(self._processor.batch_decode(made, skip_special_tokens=True)[0]).strip()


def _device() -> tuple[torch.device, torch.dtype]:
    """The first GPU in half the bytes where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.device("cpu"), torch.float32


def _on(inputs: Any, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Inputs on a device; pictures in the model's numbers."""
    return {
        key: value.to(device, dtype) if value.is_floating_point() else value.to(device)
        for key, value in inputs.items()
        if isinstance(value, torch.Tensor)
    }
