"""How portraits are painted."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from engine.settings.section import Section


class Sampler(StrEnum):
    """Samplers by the names that A1111's users know."""

    EULER = "Euler"
    EULER_A = "Euler a"
    DPMPP_2M_KARRAS = "DPM++ 2M Karras"
    DDIM = "DDIM"


class PaintingSettings(Section):
    """How portraits are painted unless the command says otherwise."""

    steps: int = Field(30, ge=1, le=500)
    guidance: float = Field(6.0, ge=0, le=50)
    """Guidance scale (CFG)."""
    sampler: Sampler = Sampler.DPMPP_2M_KARRAS
    width: int | None = Field(None, ge=32, le=4096)
    """Pixels; left out: what the base model was made for."""
    height: int | None = Field(None, ge=32, le=4096)
    strength: float = Field(0.8, ge=-4, le=4)
    """The LoRA's weight."""
    negative: str = ""
    """The negative prompt."""
    style: str = "photo of {trigger} {class}"
    """The prompt that a new project starts with."""
    idle_seconds: float = Field(30.0, ge=0, le=86400)
    """How long the painter keeps the base model loaded after the last picture."""
