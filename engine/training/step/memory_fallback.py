"""How a step is cut so that it fits into memory, and what is given up next where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.errors import TrainingError
from engine.models.shape import Arithmetic, StepShape
from engine.settings import Optimizer, TrainingSettings

NO_CHECKPOINTING_GB = 24
"""From this much memory on, activations of SDXL fit without being computed twice; others are taken for as large."""

SMALLER = 0.75
"""How much of the resolution's side stays when it is lowered: 1024, 768, 512 of SDXL."""

SMALLEST = 0.5
"""The smallest share of the side that was asked for; below it a LoRA of faces is worth little."""

WORDS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "STATUS_ALLOC_FAILED",
    "unable to find an engine to execute",
)
"""How errors without a class of their own say it: MPS, torch's CPU allocator, cuBLAS, cuDNN (which has no kernel left
that needs so little)."""


@dataclass(frozen=True)
class MicrobatchPlan:
    """What a step's memory depends on besides the model and the rank."""

    checkpointing: bool
    """Whether activations are computed twice instead of being kept."""
    batch: int
    """Images in one pass."""
    accumulation: int
    """Passes a step."""
    optimizer: Optimizer
    resolution: int
    """Pixels a side."""

    def record(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @classmethod
    def read(cls, record: dict[str, Any]) -> MicrobatchPlan:
        """From what ``record`` gave."""
        return cls(**{**record, "optimizer": Optimizer(record["optimizer"])})


def fitting_for(settings: TrainingSettings, resolution: int, total_gb: float | None) -> MicrobatchPlan:
    """What a run begins with.

    Args:
        settings: the run's.
        resolution: pixels a side.
        total_gb: the card's memory; None on a CPU.
    """
    checkpointing = settings.gradient_checkpointing
    if checkpointing is None:
        checkpointing = total_gb is not None and total_gb < NO_CHECKPOINTING_GB
    return MicrobatchPlan(
        checkpointing, settings.batch_size, settings.gradient_accumulation_steps, settings.optimizer, resolution
    )


def replays(
    settings: TrainingSettings, fitting: MicrobatchPlan, total_gb: float | None, arithmetic: Arithmetic
) -> bool:
    """Whether passes are replayed from CUDA graphs, if that turns out to be quicker.

    A graph keeps its activations' memory for itself, and the first batch of another shape is computed beside it: unless
    graphs are asked for, they are made where the activations fit twice.

    Args:
        settings: the run's.
        fitting: how the step is cut.
        total_gb: the card's memory; None on a CPU.
        arithmetic: the base model's.
    """
    if settings.graph == "off" or settings.dropout or not arithmetic.replayable:
        # What dropout leaves out would be the same at each replay.
        return False
    if settings.graph == "on":
        return True
    if total_gb is None or settings.processes > 1 or settings.train_text_encoders or settings.lokr_factor is not None:
        # No card has replayed a LoKr yet.
        return False
    shape = StepShape(fitting.resolution, fitting.batch, settings.rank, fitting.checkpointing)
    parts = arithmetic.memory(shape, fitting.optimizer.value, ema=bool(settings.ema_decay))
    return parts.total + parts.activations <= total_gb


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: the card's, or the computer's."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and any(words in said for words in WORDS)


def next_fallback(
    now: MicrobatchPlan, asked: int, grain: int, works: Callable[[Optimizer], bool]
) -> tuple[MicrobatchPlan, str]:
    """The next thing to give up, the one that costs least first.

    Args:
        now: what did not fit.
        asked: the resolution that the run was to have.
        grain: what a resolution must be a multiple of.
        works: whether an optimizer can be used here.

    Returns:
        What to try next, and what changed, in words.

    Raises:
        TrainingError: nothing is left to give up.
    """
    if not now.checkpointing:
        return replace(now, checkpointing=True), "gradient checkpointing on"
    if now.batch > 1:
        batch = now.batch // 2
        # As many passes as it takes to see the same images in a step: 3 at once become 3 times 1.
        accumulation = -(-now.batch * now.accumulation // batch)
        images = "1 image" if batch == 1 else f"{batch} images"
        what = f"{images} at once instead of {now.batch}, {accumulation} passes a step"
        return replace(now, batch=batch, accumulation=accumulation), what
    if now.optimizer is Optimizer.ADAMW and works(Optimizer.ADAMW_8BIT):
        return replace(now, optimizer=Optimizer.ADAMW_8BIT), "8-bit optimizer"
    smaller = int(now.resolution * SMALLER) // grain * grain
    if smaller >= asked * SMALLEST and smaller >= grain:
        return replace(now, resolution=smaller), f"resolution {smaller} instead of {now.resolution}"
    raise TrainingError(
        "a step does not fit into memory, whatever was given up",
        "free memory and resume the run, or start one with a lower training.rank",
    )
