"""How a LoRA is trained."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

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


class Optimizer(StrEnum):
    """What turns gradients into steps."""

    ADAMW = "adamw"
    """torch's, fused."""
    ADAMW_8BIT = "adamw8bit"
    """bitsandbytes': its memory takes a quarter."""
    ADAFACTOR = "adafactor"
    """transformers', with the learning rate as it is set; hardly any memory."""
    PRODIGY = "prodigy"
    """prodigyopt's: finds the learning rate by itself; set ``learning_rate`` to 1."""


class TrainingSettings(Section):
    """How a LoRA is trained."""

    words: ClassVar[frozenset[str]] = frozenset({"sample_prompts"})

    repeats: int = Field(10, ge=1, le=1000)
    """How often an epoch sees each image of the built dataset; folders that you add beside it say it in their name
    (``20_jx265 man``)."""
    epochs: int = Field(10, ge=1, le=1000)
    """Passes over images × repeats; each ends with a checkpoint."""
    batch: int = Field(1, ge=1, le=64)
    """Images in one pass of the model."""
    gradient_accumulation: int = Field(1, ge=1, le=256)
    """Passes a step: a step's gradient is that of ``batch`` × this many images."""
    rank: int = Field(16, ge=1, le=320)
    """The LoRA's rank."""
    alpha: float | None = Field(None, gt=0, le=1e6)
    """The LoRA's alpha; ΔW is scaled by alpha / rank. Left out: half the rank."""
    optimizer: Optimizer = Optimizer.ADAMW
    """What turns gradients into steps."""
    learning_rate: float = Field(1e-4, gt=0, le=1)
    """The highest learning rate; 1 for Prodigy, which scales it by itself."""
    betas: tuple[float, float] = (0.9, 0.99)
    """How much of the moving averages of the gradient and of its square stays at each step; not for Adafactor."""
    weight_decay: float = Field(0.01, ge=0, le=1)
    """How strongly weights are drawn to 0."""
    max_gradient_norm: float = Field(1.0, ge=0, le=1e6)
    """Gradients are scaled down to this norm; 0: never."""
    schedule: Schedule = Schedule.COSINE
    """How the learning rate moves after the warm-up."""
    warmup: float = Field(0.05, ge=0, le=0.5)
    """The share of all steps over which the learning rate rises from 0."""
    resolution: int | None = Field(None, ge=32, le=2048)
    """Pixels a side; left out: what the base model was made for (1024 for SDXL)."""
    buckets: bool = True
    """Images that are not square keep their shape: each goes into the bucket (a size of at most resolution² pixels)
    that is nearest to it, and a step sees one bucket. false: all are cut square."""
    bucket_step: int | None = Field(None, ge=8, le=512)
    """Pixels by which the sides of buckets differ, a multiple of what the base model allows (32 for SDXL); left out: a
    sixteenth of the resolution (64 at 1024)."""
    bucket_upscale: bool = True
    """Images smaller than their bucket are enlarged. false: they get a smaller bucket of their own."""
    held_out: float = Field(0.0, ge=0, le=1000)
    """Images of the person that are not trained on and measure the validation loss after each epoch, chosen by the
    seed: from 1 on how many, below 1 a share of the images; 0: none, since 20 to 30 images can hardly spare one."""
    regularisation: bool = True
    """Images in the project's ``reg/N_class/`` are seen too, as many an epoch as images of the person, so that the
    class word keeps its meaning; without such a folder nothing changes."""
    prior_loss_weight: float = Field(1.0, ge=0, le=10)
    """What the loss of regularisation images is multiplied with."""
    min_snr_gamma: float | None = Field(5.0, gt=0, le=1e6)
    """Min-SNR weighting of the loss (https://arxiv.org/abs/2303.09556); 5 is the paper's choice."""
    caption_dropout: float = Field(0.05, ge=0, le=1)
    """The share of steps that see an empty caption."""
    caption_shuffle: bool = False
    """The parts of a caption between commas come in another order each time, except those at its beginning that are
    kept."""
    keep_tokens: int = Field(1, ge=0, le=77)
    """How many parts at the beginning of a caption stay there; a ``|||`` in the caption says it instead."""
    caption_variants: int = Field(8, ge=1, le=64)
    """How many orders of a caption are made before the run, for each is encoded once and kept on the GPU (0.3 MB each
    in bf16)."""
    noise_offset: float = Field(0.0, ge=0, le=1)
    """How much the noise is shifted as a whole, channel by channel, so that very dark and very bright pictures are
    learnt (https://www.crosslabs.org/blog/diffusion-with-offset-noise); 0.0357 is usual, 0 is off."""
    masked_loss: bool = False
    """The loss counts mostly where the face is: within the image's own alpha channel, else in an ellipse around the
    face's box; images without either count everywhere."""
    mask_outside: float = Field(0.3, ge=0, le=1)
    """What counts outside of the mask, where inside is 1."""
    train_text_encoders: bool = False
    """Both text encoders get a LoRA too (72 + 192 modules in SDXL). They then run in every step, which takes more time
    and about 3 GB more."""
    text_encoder_learning_rate: float = Field(1e-5, gt=0, lt=1)
    """The highest learning rate of the text encoders' LoRA."""
    publish_captions: bool = False
    """LoRA files carry folder names, captions' words and how often each comes (kohya's ``ss_tag_frequency`` and
    ``ss_dataset_dirs``). They tell of a real person."""
    checkpoint_steps: int | None = Field(None, ge=1)
    """A checkpoint every so many steps, besides the one of each epoch; left out: none."""
    keep_checkpoints: int | None = Field(None, ge=1)
    """How many checkpoints of ``checkpoint_steps`` are kept, the newest; left out: all."""
    keep_epochs: int | None = Field(None, ge=1)
    """How many epochs' checkpoints are kept, the newest; left out: all."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """The share of the LoRA's inputs that each step leaves out, by chance."""
    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Checkpoints hold a moving average of the LoRA, of which so much stays at each step (0.99, say); left out: the
    LoRA itself."""
    sample_prompts: list[str] | None = None
    """What is painted after each epoch, with the same seeds each time; left out: ``painting.style``; []: nothing."""
    sample_seed: int = Field(1, ge=0, lt=2**32)
    """The first prompt's seed; the next have the next ones."""
    sample_inference_steps: int = Field(20, ge=1, le=200)
    """Steps of the sampler for these pictures."""
    sample_steps: int | None = Field(None, ge=1)
    """They are painted every so many steps too; left out: only after each epoch."""
    start_from: Path | None = None
    """A LoRA file to go on from, of the same rank."""
    gradient_checkpointing: bool | None = None
    """Less memory for about 40 % more arithmetic; left out: on for cards under 24 GB."""
    compile: Literal["auto", "off", "on"] = "auto"
    """The U-Net's transformer blocks are compiled, which takes a minute or so at the beginning; what fails is done
    without. auto: off, since beside graphs it saves 1 or 2 % of the time."""
    graph: Literal["auto", "off", "on"] = "auto"
    """Steps are replayed from CUDA graphs, where these turn out to be quicker; not with ``dropout``. auto: on a CUDA
    card with room for it, where the U-Net alone is trained in one process."""
    precision: Precision = Precision.AUTO
    """auto: bf16 on a GPU that has it, float32 on a CPU."""
    tensorboard: bool = False
    """Figures for TensorBoard go into the run's folder ``tensorboard/``; needs the package tensorboard."""
    processes: int = Field(1, ge=1, le=64)
    """Processes that train together, one a GPU; a step sees ``batch`` × this many images."""
    seed: int = Field(42, ge=0, lt=2**32)
    """Where all of the run's chance comes from."""
    preset: Literal["auto", "off", 8, 12, 16, 24, 48, 80] = "auto"
    """Settings that fit a card of so many GB, where you have not set them yourself; auto: by the card that is here."""
    price_per_hour: float = Field(0.0, ge=0)
    """What the machine costs an hour, in your currency."""
    budget: float | None = Field(None, gt=0)
    """The most that a run may cost, in your currency: it stops after the epoch whose next one would pass it."""
    budget_hours: float | None = Field(None, gt=0)
    """The most hours that a run may take; it stops in the same way."""

    @field_validator("betas")
    @classmethod
    def _shares(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= each < 1 for each in betas):
            raise ValueError("each of them is 0 or more and below 1")
        return betas

    @property
    def step_images(self) -> int:
        """Images a step."""
        return self.batch * self.gradient_accumulation * self.processes

    @property
    def scale(self) -> float:
        """What ΔW = up · down is multiplied with: alpha / rank."""
        return self.effective_alpha / self.rank

    @property
    def effective_alpha(self) -> float:
        """The alpha that is used: the one that was set, or half the rank."""
        return self.rank / 2 if self.alpha is None else self.alpha
