"""How a LoRA is trained."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from engine.settings.section import Section


class Schedule(StrEnum):
    """How the learning rate moves over a run."""

    CONSTANT = "constant"
    COSINE = "cosine"
    LINEAR = "linear"


class Precision(StrEnum):
    """The numbers that the frozen base model is kept in while training."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


class TrainingSettings(Section):
    """How a LoRA is trained."""

    repeats: int = Field(10, ge=1, le=1000)
    """How often each image is seen in an epoch."""
    epochs: int = Field(10, ge=1, le=1000)
    """Passes over images × repeats; each ends with a checkpoint."""
    batch: int = Field(1, ge=1, le=64)
    """Images a step."""
    rank: int = Field(16, ge=1, le=320)
    """The LoRA's rank."""
    alpha: float | None = Field(None, gt=0)
    """The LoRA's alpha; ΔW is scaled by alpha / rank. Left out: half the rank."""
    learning_rate: float = Field(1e-4, gt=0, lt=1)
    """The highest learning rate."""
    schedule: Schedule = Schedule.COSINE
    """How the learning rate moves after the warm-up."""
    warmup: float = Field(0.05, ge=0, le=0.5)
    """The share of all steps over which the learning rate rises from 0."""
    resolution: int | None = Field(None, ge=32, le=2048)
    """Pixels a side; left out: what the base model was made for (1024 for SDXL)."""
    min_snr_gamma: float | None = Field(5.0, gt=0)
    """Min-SNR weighting of the loss (https://arxiv.org/abs/2303.09556); 5 is the paper's choice."""
    caption_dropout: float = Field(0.05, ge=0, le=1)
    """The share of steps that see an empty caption."""
    gradient_checkpointing: bool | None = None
    """Less memory for about 40 % more arithmetic; left out: on for cards under 24 GB."""
    precision: Precision = Precision.AUTO
    """auto: bf16 on a GPU that has it, float32 on a CPU."""
    seed: int = Field(42, ge=0, lt=2**32)
    """Where all of the run's chance comes from."""
    price_per_hour: float = Field(0.0, ge=0)
    """What the machine costs an hour, in your currency."""

    @property
    def scale(self) -> float:
        """What ΔW = up · down is multiplied with: alpha / rank."""
        return self.effective_alpha / self.rank

    @property
    def effective_alpha(self) -> float:
        """The alpha that is used: the one that was set, or half the rank."""
        return self.rank / 2 if self.alpha is None else self.alpha
