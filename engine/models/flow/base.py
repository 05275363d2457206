"""A loaded base model that follows a rectified flow, as far as families are alike. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch

from engine.errors import BaseModelError
from engine.models.checks import fingerprint
from engine.models.flow.loading import Pipeline
from engine.models.flow.painting import FlowPainter, scheduler_maker
from engine.models.flow.prompts import ChatText
from engine.models.loaded import Embeds, MakeScheduler
from engine.models.placement import Placement
from engine.models.shape import BaseShape


class FlowBase:
    """A transformer, its VAE, and one text encoder that gets no LoRA. A family adds what its own transformer sees.

    Args:
        pipeline: diffusers' of the family.
        shape: the model's size.
        scale: pixels a side that become one of a latent's.
    """

    title: str
    """The family's."""
    kind: Any
    """diffusers' class of its pipelines."""
    thinking: bool
    """``enable_thinking`` of the chat template."""

    text_lora_targets: tuple[str, ...] = ()
    text_encoders: tuple[Any, ...] = ()
    old_names: Mapping[str, str] = {}
    layers_per_block = None

    def __init__(self, pipeline: Pipeline, shape: BaseShape, scale: int) -> None:
        self.pipeline = pipeline
        self.shape = shape
        self.latent_scale = scale

    @property
    def denoiser(self) -> Any:
        """The transformer."""
        return self.pipeline.transformer

    @property
    def vae(self) -> Any:
        """The VAE; None once it was let go."""
        return self.pipeline.vae

    @property
    def parts(self) -> tuple[Any, ...]:
        """Text encoder, transformer, VAE."""
        return self.pipeline.text_encoder, self.pipeline.transformer, self.pipeline.vae

    @property
    def noise_config(self) -> dict[str, Any]:
        """The scheduler's configuration."""
        return dict(self.pipeline.scheduler.config)

    @property
    def make_scheduler(self) -> MakeScheduler:
        """The flow's Euler steps, and no others."""
        return scheduler_maker(self.title)

    @property
    def pipeline_options(self) -> dict[str, Any]:
        """What diffusers' pipeline is told besides its parts."""
        return {}

    @property
    def chat(self) -> ChatText:
        """How captions become tokens."""
        return ChatText(self.pipeline.tokenizer, self.thinking)

    def release(self, text_encoders: bool) -> None:
        """Frees the VAE, and the text encoder where that is wanted."""
        self.pipeline.vae = None
        if text_encoders:
            self.pipeline.text_encoder = None

    def image_conditions(self, _placement: Placement) -> dict[str, torch.Tensor]:
        """Nothing: the transformer is told no sizes."""
        return {}

    def too_long(self, caption: str) -> bool:
        """Whether it has more tokens than the transformer sees."""
        return self.chat.too_long(caption)

    def tokens(self, caption: str) -> torch.Tensor:
        """[1, 512]"""
        return torch.tensor([self.chat.numbers(caption, fill=True)])

    @cached_property
    def reader(self) -> str:
        """What tells the text encoder's weights from others."""
        return fingerprint(self.pipeline.text_encoder)

    def encode_tokens(self, tokens: torch.Tensor) -> Embeds:
        """Raises BaseModelError: Qwen3 gets no LoRA."""
        what = f"{self.title}'s text encoder can't be trained"
        raise BaseModelError(what, "set training.train_text_encoders to false")

    def painter(self, denoiser: Any = None) -> FlowPainter:
        """A pipeline that paints, with another denoiser in place of its own."""
        raise NotImplementedError

    def text_to_image(self, denoiser: Any = None) -> FlowPainter:
        """A pipeline that paints from noise."""
        return self.painter(denoiser)

    def image_to_image(self) -> FlowPainter:
        """A pipeline that paints from latents."""
        return self.painter()

    def textless(self, denoiser: Any = None) -> Any:
        """diffusers' pipeline without the text encoder: text is encoded before and handed over."""
        own = {"text_encoder": None, **({"transformer": denoiser} if denoiser is not None else {})}
        made = self.kind(**{**self.pipeline.components, **own}, **self.pipeline_options)
        made.set_progress_bar_config(disable=True)
        return made
