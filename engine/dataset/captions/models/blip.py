"""BLIP by transformers' own classes, without remote code. Only inside a job's process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from engine.dataset.captions.captioner import CaptionModel, ProseCaptions
from engine.dataset.captions.models.model_files import check_source, not_fetched
from engine.dataset.captions.models.sentence_models import BEAMS, first_device, on_device
from engine.settings import Settings


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
        self._device, dtype = first_device()
        name = check_source(source, setting)
        try:
            self._processor = BlipProcessor.from_pretrained(name)
            model = BlipForConditionalGeneration.from_pretrained(name, dtype=dtype, use_safetensors=True)
        except Exception as error:
            raise not_fetched(source, setting, error) from error
        self._model = model.to(self._device).eval()

    def describe(self, image: Image.Image) -> str:
        """What an upright RGB picture shows."""
        inputs = on_device(self._processor(images=image, return_tensors="pt"), self._device, self._model.dtype)
        with torch.inference_mode():
            made = self._model.generate(**inputs, max_new_tokens=50, num_beams=BEAMS, do_sample=False)
        return str(self._processor.decode(made[0], skip_special_tokens=True)).strip()


def load(settings: Settings, _project: Path, _should_stop: Callable[[], bool]) -> CaptionModel:
    """The captioner's model, as the registry asks for it."""
    return ProseCaptions(Blip(settings.captions.blip).describe, settings)
