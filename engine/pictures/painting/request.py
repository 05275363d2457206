"""What the painter is given: what pictures that are painted together have in common, and what each has of its own.

No torch: an order becomes parameters and a prompt with its seed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.errors import PictureError
from engine.faces.photo.loading import open_header
from engine.pictures.orders.picture import Hires, LoraWeight, PictureOrder
from engine.settings.samplers import NoiseSchedule, Sampler


class Stopped(Exception):
    """Painting was told to stop between two steps."""


@dataclass(frozen=True)
class GenerationParams:
    """All that makes a picture but its prompt, its seed and what it begins from."""

    steps: int
    guidance: float
    sampler: Sampler
    negative: str = ""
    """Of the pictures that bring none of their own."""
    lora: Path | None = None
    strength: float = 1.0
    width: int | None = None
    """Pixels; None: what the base model was made for."""
    height: int | None = None
    others: tuple[LoraWeight, ...] = ()
    """More LoRAs; one that is ``lora`` takes its weights from here."""
    schedule: NoiseSchedule = NoiseSchedule.AUTOMATIC
    denoise: float | None = None
    """How much of a source is painted anew, above 0, at most 1; None: there is no source."""
    hires: Hires | None = None

    def loras(self) -> tuple[LoraWeight, ...]:
        """Every LoRA, each once."""
        own = (LoraWeight(self.lora, self.strength, self.strength),) if self.lora else ()
        return tuple({each.file: each for each in (*own, *self.others)}.values())


@dataclass(frozen=True)
class PromptSeed:
    """What one picture of a batch has of its own."""

    prompt: str
    seed: int
    negative: str = ""
    source: Path | None = None

    def open_source(self) -> Image.Image:
        """The picture it begins from. Raises PictureError."""
        try:
            with open_header(self.source or "") as image:
                image.load()
                return image
        except (OSError, ValueError, SyntaxError) as error:
            fix = "give a PNG, JPEG or WebP"
            raise PictureError(f"{self.source} is not a picture that can be read", fix) from error


@dataclass(frozen=True)
class Callbacks:
    """How painting is watched and stopped; everything may be left out."""

    should_stop: Callable[[], bool] = lambda: False
    """Asked between two steps; painting then ends by ``Stopped``."""
    step: Callable[[int, int], None] = lambda _done, _total: None
    """Gets the steps done, and of how many."""
    show: Callable[[list[Image.Image]], None] | None = None
    """Gets the batch as it is forming, at most twice a second."""


def params_of(order: PictureOrder) -> GenerationParams:
    """What an order has in common with those that it can be painted together with."""
    return GenerationParams(
        steps=order.steps,
        guidance=order.guidance,
        sampler=order.sampler,
        schedule=order.schedule,
        lora=order.lora,
        strength=1.0 if order.strength is None else order.strength,
        others=order.others,
        width=order.width,
        height=order.height,
        denoise=order.denoise if order.source else None,
        hires=order.hires,
    )


def subject_of(order: PictureOrder) -> PromptSeed:
    """What an order has of its own."""
    return PromptSeed(order.prompt, order.seed, order.negative, order.source)


def alike(one: PictureOrder, other: PictureOrder) -> bool:
    """Whether two pictures can be painted together: the same parameters, on the same base model, of a known size."""
    by_source = one.source is not None and (one.width is None or one.height is None)
    same_source = not by_source or one.source == other.source
    painted = [not (each.face_fix and each.face_fix.only) for each in (one, other)]
    return same_source and all(painted) and one.base == other.base and params_of(one) == params_of(other)
