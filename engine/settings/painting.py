"""How portraits are painted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from engine.renamed_settings import RENAMED
from engine.settings.samplers import NoiseSchedule, Sampler, read_sampler, read_schedule, refuse_unscheduled
from engine.settings.section import Section
from engine.settings.sizes import SizeName

__all__ = ["NoiseSchedule", "PaintingSettings", "Sampler"]


class PaintingSettings(Section):
    """How portraits are painted unless the command says otherwise."""

    words: ClassVar[frozenset[str]] = frozenset({"negative", "style"})
    renamed: ClassVar[Mapping[str, str]] = RENAMED["painting"]

    steps: int = Field(30, ge=1, le=500)
    """Sampling steps: more are slower and, beyond some point, no better."""
    guidance_scale: float = Field(6.0, ge=0, le=50)
    """Guidance scale (CFG)."""
    sampler: Sampler = Sampler.DPMPP_2M
    """``DPM++ 2M Karras`` also sets the schedule."""
    schedule: NoiseSchedule = NoiseSchedule.AUTOMATIC
    """The noise schedule; Automatic: the sampler's usual one."""
    size: SizeName | None = None
    """A usual size by its name; ``width`` and ``height``, where both are set, override it."""
    width: int | None = Field(None, ge=32, le=4096)
    """Pixels; left out: the base model's own."""
    height: int | None = Field(None, ge=32, le=4096)
    """Pixels; left out: the base model's own."""
    strength: float = Field(0.8, ge=-4, le=4)
    """The LoRA's weight."""
    negative: str = ""
    """The negative prompt."""
    style: str = "photo of {trigger} {class}"
    """The prompt that a new project starts with."""
    batch: int | None = Field(None, ge=1, le=64)
    """How many pictures are painted together; left out: as many as memory allows, at most 8."""
    half_vae: bool = False
    """Decode in half precision: faster; what overflows is decoded again in float32."""
    compile: Literal["auto", "off", "on"] = "auto"
    """Compile the U-Net's blocks: takes a minute or so at first, and again for another size, batch size or LoRA
    weight; if that fails, it runs uncompiled. Pays off for many similar pictures. auto: off."""
    share_card: bool = False
    """Paint while a run trains on the same GPU; otherwise the painter frees the GPU and waits."""
    face_fix: bool = False
    """Repaint small faces at a larger size and paste them back."""
    idle_seconds: float = Field(30.0, ge=0, le=86400)
    """How long the painter keeps the base model loaded after the last picture."""

    @model_validator(mode="before")
    @classmethod
    def _one_name_for_both(cls, values: Any) -> Any:
        """Takes the schedule out of a sampler's name that holds one, as A1111 wrote it before 1.9."""
        if not isinstance(values, dict) or "schedule" in values or not isinstance(values.get("sampler"), str):
            return values
        try:
            sampler, schedule = read_sampler(values["sampler"])
        except ValueError:
            # The field's own check says it, with the setting's name.
            return values
        return {**values, "sampler": sampler, **({"schedule": schedule} if schedule else {})}

    @field_validator("sampler", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return read_sampler(value)[0] if isinstance(value, str) else value

    @field_validator("schedule", mode="before")
    @classmethod
    def _any_case_of_schedule(cls, value: Any) -> Any:
        return read_schedule(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _schedule_fits(self) -> PaintingSettings:
        refuse_unscheduled(self.sampler, self.schedule)
        return self
