"""How a LoRA is trained."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from engine.renamed_settings import RENAMED
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


class Network(StrEnum):
    """What is trained beside the frozen weights."""

    LORA = "lora"
    """ΔW is a product of two narrow matrices."""
    LOKR = "lokr"
    """ΔW is the Kronecker product of a small matrix and a larger one (LyCORIS' LoKr)."""


class Optimizer(StrEnum):
    """The optimizer."""

    ADAMW = "adamw"
    """torch's, fused."""
    ADAMW_8BIT = "adamw8bit"
    """bitsandbytes': its memory takes a quarter."""
    ADAFACTOR = "adafactor"
    """transformers', with the learning rate as it is set; hardly any memory."""
    PRODIGY = "prodigy"
    """prodigyopt's: finds the learning rate by itself; set ``learning_rate`` to 1."""


LARGEST_FACTOR = 25
"""The square root of SDXL's narrowest linear, 640: above it LyCORIS and peft divide a side differently."""


class TrainingSettings(Section):
    """How a LoRA is trained."""

    words: ClassVar[frozenset[str]] = frozenset({"sample_prompts"})
    renamed: ClassVar[Mapping[str, str]] = RENAMED["training"]

    repeats: int = Field(10, ge=1, le=1000)
    """How many times an epoch uses each image of the built dataset; folders that you add state theirs in their name
    (``20_jx265 man``)."""
    epochs: int = Field(10, ge=1, le=1000)
    """Passes over images × repeats; each ends with a checkpoint."""
    batch_size: int = Field(1, ge=1, le=64)
    """Images in one pass of the model."""
    gradient_accumulation_steps: int = Field(1, ge=1, le=256)
    """Forward and backward passes per step: the effective batch is ``batch_size`` × this many images."""
    network: Network = Network.LORA
    """The kind of network: a LoRA, or LyCORIS' LoKr, a Kronecker product whose file is a fraction as large."""
    rank: int = Field(16, ge=1, le=320)
    """The LoRA's rank; a LoKr's larger matrix has it where that is less than half its longer side, else it is whole."""
    alpha: float | None = Field(None, gt=0, le=1e6)
    """The LoRA's alpha; ΔW is scaled by alpha / rank, but not where both matrices of a LoKr are whole. Left out: half
    the rank."""
    factor: int = Field(8, ge=-1, le=LARGEST_FACTOR)
    """Into how many parts a LoKr divides each side of a weight, LyCORIS' ``factor``: the larger, the smaller the file;
    -1: as near the side's square root as can be. Not for a LoRA."""
    optimizer: Optimizer = Optimizer.ADAMW
    """The optimizer."""
    learning_rate: float = Field(1e-4, gt=0, le=1)
    """The peak learning rate; 1 for Prodigy, which finds its own."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Adam's beta1 and beta2: decay of the moving averages of the gradient and its square; not for Adafactor."""
    weight_decay: float = Field(0.01, ge=0, le=1)
    """Weight decay of the optimizer."""
    max_grad_norm: float = Field(1.0, ge=0, le=1e6)
    """Clip gradients to this norm; 0: no clipping."""
    lr_scheduler: Schedule = Schedule.COSINE
    """The learning rate's schedule after the warm-up."""
    lr_warmup: float = Field(0.05, ge=0, le=0.5)
    """The share of all steps in which the learning rate rises from 0."""
    resolution: int | None = Field(None, ge=32, le=2048)
    """Pixels per side; left out: the base model's own (1024 for SDXL)."""
    buckets: bool = True
    """Images that are not square keep their shape: each goes into the bucket (a size of at most resolution² pixels)
    closest to it; a batch comes from one bucket. false: all are cropped square."""
    bucket_step: int | None = Field(None, ge=8, le=512)
    """The step between bucket sides in pixels, a multiple of the base model's own (32 for SDXL); left out: a sixteenth
    of the resolution (64 at 1024)."""
    bucket_upscale: bool = True
    """Upscale images smaller than their bucket. false: they get a smaller bucket of their own."""
    validation_split: float = Field(0.0, ge=0, le=1000)
    """Images held out for the validation loss after each epoch, chosen by the seed: a number from 1 on, a share below
    1. 0: none, as 20 to 30 images can hardly spare one."""
    regularisation: bool = True
    """Images in the project's ``reg/N_class/`` are also trained on, as many per epoch as images of the person, so that
    the class word keeps its meaning; without such a folder nothing changes."""
    prior_loss_weight: float = Field(1.0, ge=0, le=10)
    """The loss weight of regularisation images."""
    min_snr_gamma: float | None = Field(5.0, gt=0, le=1e6)
    """Min-SNR weighting of the loss (https://arxiv.org/abs/2303.09556); 5 is the paper's choice."""
    caption_dropout: float = Field(0.05, ge=0, le=1)
    """The share of steps trained with an empty caption."""
    caption_shuffle: bool = False
    """Shuffle the comma-separated parts of a caption each time, except the first ones that are kept."""
    keep_tokens: int = Field(1, ge=0, le=255)
    """How many parts at the beginning of a caption stay in place; a ``|||`` in the caption overrides it."""
    caption_variants: int = Field(8, ge=1, le=64)
    """How many shuffled variants of a caption are made before the run; each is encoded once and kept on the GPU (0.3
    MB each in bf16)."""
    noise_offset: float = Field(0.0, ge=0, le=1)
    """How much each channel of the noise is shifted as a whole, so that very dark and very bright pictures are learned
    (https://www.crosslabs.org/blog/diffusion-with-offset-noise); 0.0357 is usual, 0 is off."""
    masked_loss: bool = False
    """Weight the loss by a mask: the image's alpha channel, else an ellipse around the face's box; images without
    either have no mask."""
    mask_outside: float = Field(0.3, ge=0, le=1)
    """The loss weight outside of the mask; inside it is 1."""
    train_text_encoders: bool = False
    """Also train a LoRA of both text encoders (72 + 192 modules in SDXL). They then run in every step, which takes
    more time and about 3 GB more."""
    text_encoder_learning_rate: float = Field(1e-5, gt=0, lt=1)
    """The peak learning rate of the text encoders' LoRA."""
    publish_captions: bool = False
    """Write folder names, caption words and their counts into LoRA files (kohya's ``ss_tag_frequency`` and
    ``ss_dataset_dirs``). They describe a real person."""
    save_every_n_steps: int | None = Field(None, ge=1)
    """Save a checkpoint every N steps as well as after each epoch; left out: no."""
    keep_checkpoints: int | None = Field(None, ge=1)
    """How many of the newest checkpoints of ``save_every_n_steps`` to keep; left out: all."""
    keep_epochs: int | None = Field(None, ge=1)
    """How many of the newest epoch checkpoints to keep; left out: all."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of the LoRA's inputs, as a share; a LoKr has none."""
    ema_decay: float | None = Field(None, gt=0, lt=1)
    """EMA decay: checkpoints hold a moving average of the LoRA (try 0.99); left out: the LoRA itself."""
    sample_prompts: list[str] | None = None
    """Prompts painted after each epoch, with the same seeds each time; left out: ``painting.style``; []: none."""
    sample_seed: int = Field(1, ge=0, lt=2**32)
    """The first prompt's seed; each next prompt's is one higher."""
    sample_inference_steps: int = Field(20, ge=1, le=200)
    """Sampling steps for these pictures."""
    sample_base: Literal["model", "paint_with"] = "model"
    """The base model that paints them: model, the one that is trained; paint_with, ``base.paint_with``, which then
    waits in main memory and takes its room on the GPU while it paints."""
    sample_every_n_steps: int | None = Field(None, ge=1)
    """Also paint them every N steps; left out: only after each epoch."""
    network_weights: Path | None = None
    """A LoRA or LoKr file to continue from, of the same kind and rank, and a LoKr of the same factor."""
    gradient_checkpointing: bool | None = None
    """Gradient checkpointing: less memory for about 40 % more computation; left out: on for GPUs under 24 GB."""
    compile: Literal["auto", "off", "on"] = "auto"
    """Compile the U-Net's transformer blocks, which takes a minute or so at the start; if that fails, the run
    continues uncompiled. auto: off, as it saves only 1 or 2 % beside CUDA graphs."""
    graph: Literal["auto", "off", "on"] = "auto"
    """Replay steps from CUDA graphs, where that is faster; not with ``dropout``. auto: on a CUDA GPU with enough
    memory, when only the U-Net is trained in one process, and not for a LoKr."""
    precision: Precision = Precision.AUTO
    """auto: bf16 on a GPU that has it, float32 on a CPU."""
    tensorboard: bool = False
    """Write TensorBoard logs into the run's folder ``tensorboard/``; needs the package tensorboard."""
    processes: int = Field(1, ge=1, le=64)
    """Processes that train together, one per GPU; a step uses ``batch_size`` × this many images."""
    seed: int = Field(42, ge=0, lt=2**32)
    """The seed of everything random in the run."""
    preset: Literal["auto", "off", 8, 12, 16, 24, 48, 80] = "auto"
    """Defaults that fit a GPU with that many GB, for what you have not set yourself; auto: by this machine's GPU."""
    price_per_hour: float = Field(0.0, ge=0)
    """The machine's price per hour, in your currency."""
    budget: float | None = Field(None, gt=0)
    """The most that a run may cost, in your currency: it stops before an epoch that would exceed it."""
    budget_hours: float | None = Field(None, gt=0)
    """The most hours that a run may take: it stops before an epoch that would exceed it."""

    @field_validator("betas")
    @classmethod
    def _shares(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= each < 1 for each in betas):
            raise ValueError("each must be 0 or more and below 1")
        return betas

    @field_validator("factor")
    @classmethod
    def _divides(cls, factor: int) -> int:
        if factor in (0, 1):
            raise ValueError("write 2 or more, or -1")
        return factor

    @property
    def lokr_factor(self) -> int | None:
        """The factor of a LoKr; None: a LoRA is trained."""
        return self.factor if self.network is Network.LOKR else None

    @property
    def network_words(self) -> str:
        """``LoRA of rank 16``, ``LoKr of rank 16, factor 8``."""
        if self.lokr_factor is None:
            return f"LoRA of rank {self.rank}"
        return f"LoKr of rank {self.rank}, factor {self.lokr_factor}"

    @property
    def step_images(self) -> int:
        """Images a step."""
        return self.batch_size * self.gradient_accumulation_steps * self.processes

    @property
    def scale(self) -> float:
        """What ΔW = up · down is multiplied with: alpha / rank."""
        return self.effective_alpha / self.rank

    @property
    def effective_alpha(self) -> float:
        """The alpha that is used: the one that was set, or half the rank."""
        return self.rank / 2 if self.alpha is None else self.alpha
