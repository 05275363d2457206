"""The models: the base model, and the language model that varies prompts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from engine.settings.section import Section

SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
"""The hub's name of SDXL 1.0, the default base model."""

DEMO_BASE = "demo"
"""The name that stands for the tiny base model of SDXL's architecture which comes with Limner."""

DEMO_KLEIN = "demo-flux2-klein"
"""The same for FLUX.2 klein's."""

DEMO_BASES = frozenset({DEMO_BASE, DEMO_KLEIN})
"""Names of base models that are no folders: they come with Limner."""


class BaseSettings(Section):
    """The base models: the one that is trained on, and the one to paint with where that is another."""

    model: str = SDXL_BASE
    """A diffusers folder, a hub name, one ``.safetensors`` file, or ``demo`` or ``demo-flux2-klein``."""
    config: Path | None = None
    """For a single file without a network: a diffusers folder with a matching configuration."""
    prediction_type: Literal["auto", "epsilon", "v_prediction"] = "auto"
    """What the base model predicts. auto: as its files say (a single file's header, a folder's scheduler)."""
    zero_terminal_snr: bool | None = None
    """Whether its noise schedule ends at zero signal (zero terminal SNR); left out: as its files say."""
    vae: Path | None = None
    """A VAE to use instead of the base model's: a ``.safetensors`` file or a diffusers folder, such as
    ``sdxl-vae-fp16-fix``."""
    paint_with: str | None = None
    """Another base model of the same family to paint with, given as ``model`` is: a distilled one that needs few steps
    (``black-forest-labs/FLUX.2-klein-4B``), or a finetune. Left out: ``model``."""

    @property
    def for_painting(self) -> BaseSettings:
        """The base model that paints. What is said of ``model`` (its VAE, its prediction) holds for no other."""
        if self.paint_with is None or self.paint_with == self.model:
            return self
        config = None if self.paint_with in DEMO_BASES else self.config
        return BaseSettings(model=self.paint_with, config=config)


class LanguageModelSettings(Section):
    """The language model that may vary prompts. Keys are never written here."""

    names: ClassVar[frozenset[str]] = frozenset({"model"})

    url: str | None = None
    """Any server that speaks OpenAI's chat completions: ``http://127.0.0.1:11434/v1`` for Ollama."""
    model: str | None = None
    """The model's name there; left out: the first that it has."""
    silent_seconds: float = Field(180.0, gt=0, le=3600)
    """How long it may stay silent before the request fails."""
