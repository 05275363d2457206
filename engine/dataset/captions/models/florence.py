"""Florence-2 by transformers' own classes, without remote code. Only inside a job's process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from engine.dataset.captions.captioner import CaptionModel, ProseCaptions
from engine.dataset.captions.models.model_files import check_source, not_fetched
from engine.dataset.captions.models.sentence_models import BEAMS, first_device, on_device
from engine.settings import FlorenceTask, Settings

LONGEST = {FlorenceTask.SHORT: 40, FlorenceTask.DETAILED: 120, FlorenceTask.MORE: 250}
"""Tokens that are made at most."""

_TASKS = {
    FlorenceTask.SHORT: "<CAPTION>",
    FlorenceTask.DETAILED: "<DETAILED_CAPTION>",
    FlorenceTask.MORE: "<MORE_DETAILED_CAPTION>",
}
"""The words that Florence-2 was trained to be asked with (https://arxiv.org/abs/2311.06242)."""


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
        self._device, dtype = first_device()
        name = check_source(source, setting)
        try:
            self._processor = Florence2Processor.from_pretrained(name)
            model = Florence2ForConditionalGeneration.from_pretrained(name, dtype=dtype, use_safetensors=True)
        except Exception as error:
            raise not_fetched(source, setting, error) from error
        self._model = model.to(self._device).eval()

    def describe(self, image: Image.Image) -> str:
        """What an upright RGB picture shows."""
        asked = self._processor(text=_TASKS[self._task], images=image, return_tensors="pt")
        inputs = on_device(asked, self._device, self._model.dtype)
        with torch.inference_mode():
            made = self._model.generate(
                **inputs, max_new_tokens=LONGEST[self._task], num_beams=BEAMS, do_sample=False, early_stopping=True
            )
        return str(self._processor.batch_decode(made, skip_special_tokens=True)[0]).strip()


def load(settings: Settings, _project: Path, _should_stop: Callable[[], bool]) -> CaptionModel:
    """The captioner's model, as the registry asks for it."""
    return ProseCaptions(Florence(settings.captions.florence, settings.captions.florence_task).describe, settings)
