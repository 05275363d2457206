"""What every table of the settings has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the settings: unknown keys are errors, every change is checked."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)
