"""How a training run's pictures are painted: as all others are, so that each can be painted again. Needs torch.

A run finds it by name (``engine.training.samples``): training comes before pictures.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from engine.models.loaded import LoadedBase
from engine.models.prediction import noise_of_scheduler
from engine.models.usual_settings import painting_of
from engine.pictures.orders.png_parameters import add_lora_tag, png_text
from engine.pictures.painting.png_metadata import describe
from engine.pictures.painting.request import GenerationParams
from engine.pictures.painting.samplers import scheduler_maker
from engine.pictures.painting.text_encoding import TextBatch, TextEncoding
from engine.settings import Settings


class SampleStyle:
    """The settings' sampler, schedule, guidance and negative prompt, for a run's own steps and size.

    Args:
        settings: the run's.
        model: the base model; only its noise and schedulers are kept.
        title: the base model's name.
    """

    def __init__(self, settings: Settings, model: LoadedBase, title: str) -> None:
        painting = painting_of(settings)
        self.params = GenerationParams(
            steps=settings.training.sample_inference_steps,
            guidance=painting.guidance_scale,
            sampler=painting.sampler,
            schedule=painting.schedule,
            negative=painting.negative,
        )
        self._scheduler, self._title = scheduler_maker(model), title
        self._said = noise_of_scheduler(model.noise_config, title, flows=True).pairs()

    def read(self, model: LoadedBase, device: str, prompts: Sequence[str]) -> list[TextBatch]:
        """What the denoiser is to see of each prompt, by the base model's text encoders as they are now.

        Raises:
            PromptError: nothing can be painted from one of them.
        """
        encoding = TextEncoding(model.prompt_encoder(device))
        guided = self.params.guidance > 1
        with torch.no_grad():
            return [
                TextBatch([encoding.conditioning(each, self.params.negative, self.params.steps, guided=guided)])
                for each in prompts
            ]

    def scheduler(self) -> Any:
        """A fresh one."""
        return self._scheduler(self.params.sampler, self.params.schedule)

    def png(self, image: Image.Image, prompt: str, seed: int, checkpoint: str | None) -> bytes:
        """The picture's file, with the parameters that paint it again.

        Args:
            image: the picture.
            prompt: as it was painted.
            seed: the random seed.
            checkpoint: the file that keeps what painted it; None: none does.
        """
        text = prompt if checkpoint is None else add_lora_tag(prompt, checkpoint, 1.0)
        about = describe(text, seed, self.params, image.size, self._title, {}, said=self._said)
        file = io.BytesIO()
        image.save(file, "PNG", pnginfo=png_text(about))
        return file.getvalue()
