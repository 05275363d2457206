"""Settings that fit a card, each with its reason; what a person set by hand always wins. No torch.

Each family has its own: by what a step takes, and by what other trainers' users report to work. No likeness was
measured with any of them.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.counting import many
from engine.models.preset import SIZES, Preset
from engine.models.registry import arithmetic_of, family_named, is_counted
from engine.models.shape import BaseShape, StepShape
from engine.settings import Optimizer, Precision, Settings, TrainingSettings, with_changes
from engine.training.planning.gpus import Card

ROOM = 0.95
"""The share of a card's memory that a run is planned to take: what is full spills into the machine's own memory."""

SMALL_SET = 20
"""Below so many images a batch is at most a quarter of them."""


@dataclass(frozen=True)
class Choice:
    """One setting as a run will have it."""

    key: str
    """Without ``training.``."""
    value: Any
    reason: str
    preset_value: Any
    """What the preset would have; differs from ``value`` where a person set it."""

    @property
    def own(self) -> bool:
        """Whether a person set it."""
        return self.reason == YOURS


YOURS = "you set it"

FORMER = {new: old for old, new in TrainingSettings.renamed.items()}
"""Settings by their old names, under which ``--json`` lists them."""


@dataclass(frozen=True)
class Chosen:
    """Settings made to fit a card."""

    settings: Settings
    preset: Preset | None
    choices: tuple[Choice, ...]
    why: str
    """Why this preset, or why none."""

    def record(self) -> dict[str, Any]:
        """As ``--json`` and a run's order hold it."""
        return {
            "memory_gb": self.preset.gb if self.preset else None,
            "why": self.why,
            # Scripts know these settings by the names that they had first.
            "choices": [
                {
                    "key": FORMER.get(each.key, each.key),
                    "value": each.value,
                    "reason": each.reason,
                    "preset_value": each.preset_value,
                }
                for each in self.choices
            ],
        }


def preset_for(presets: Sequence[Preset], class_gb: float) -> Preset:
    """The largest preset that a card of so many GB has room for; the smallest for those below it."""
    return max((each for each in presets if each.gb <= class_gb), key=lambda each: each.gb, default=presets[0])


def preset_size(class_gb: float) -> int:
    """``training.preset`` for a card of so many GB."""
    return max((each for each in SIZES if each <= class_gb), default=SIZES[0])


def choose(settings: Settings, base: BaseShape, card: Card | None, images: int) -> Chosen:
    """Fills in what a person left open.

    Args:
        settings: as read from ``limner.toml``; what was set there, or for this run, stays.
        base: the size of the base model.
        card: what it will run on; None: a CPU.
        images: how many the dataset has.
    """
    wanted = settings.training.preset
    if wanted == "off":
        return Chosen(settings, None, (), "off, as training.preset says")
    if wanted == "auto" and card is None:
        return Chosen(settings, None, (), "none: there is no GPU here")
    presets = family_named(base.family).presets
    if not presets or not is_counted(base.family, base.name):
        return Chosen(settings, None, (), f"none: there are none for {base.name}")
    if wanted == "auto" and card is not None:
        size = card.class_gb
        preset = preset_for(presets, size)
        why = f"for {preset.gb} GB: the card has {card.memory_gb * 1e9 / 2**30:.0f}"
    else:
        size = float(wanted)
        preset = preset_for(presets, size)
        why = f"for {preset.gb} GB, as training.preset says"
    if size < preset.gb:
        why += ", which may not fit"
    room = (card.memory_gb if card and wanted == "auto" else size * 2**30 / 1e9) * ROOM
    return _filled(settings, preset, base, images, room, why)


def step_shape(training: TrainingSettings, base: BaseShape) -> StepShape:
    """What a step's arithmetic and memory depend on; left-open checkpointing is off."""
    return StepShape(
        resolution=training.resolution or base.resolution,
        batch=training.batch_size,
        rank=training.rank,
        gradient_checkpointing=bool(training.gradient_checkpointing),
        text_encoders=training.train_text_encoders,
        factor=training.lokr_factor,
    )


def predicted_gb(training: TrainingSettings, base: BaseShape) -> float:
    """The memory that these settings will take on a GPU, in GB (10⁹ bytes)."""
    weight_bytes = 4 if training.precision is Precision.FP32 else 2
    averaged, dropped = training.ema_decay is not None, training.dropout > 0
    arithmetic = arithmetic_of(base.family, base.name)
    shape, optimizer = step_shape(training, base), training.optimizer.value
    return arithmetic.memory(shape, optimizer, weight_bytes, averaged, dropped).total


def _filled(settings: Settings, preset: Preset, base: BaseShape, images: int, room: float, why: str) -> Chosen:
    set_by_hand = settings.training.model_fields_set
    values = {key: (value, reason) for key, value, reason in preset.settings}
    _without_bitsandbytes(values)
    _for_a_small_set(values, images)
    free = {key: value for key, (value, _) in values.items() if key not in set_by_hand}
    fitted = _with(settings, free)
    for key, value, reason in _until_it_fits(fitted.training, base, room, free.keys()):
        values[key] = value, reason
        fitted = _with(fitted, {key: value})
    batch = fitted.training.batch_size * fitted.training.gradient_accumulation_steps
    if batch > 1 and not {"learning_rate", "optimizer"} & set_by_hand:
        rate = float(f"{settings.training.learning_rate * math.sqrt(batch):.2g}")
        values["learning_rate"] = rate, f"{settings.training.learning_rate:g} × √{batch}: fewer, surer steps"
        fitted = _with(fitted, {"learning_rate": rate})
    choices = tuple(
        Choice(key, getattr(fitted.training, key), YOURS if key in set_by_hand else reason, value)
        for key, (value, reason) in values.items()
    )
    return Chosen(fitted, preset, choices, why)


def _without_bitsandbytes(values: dict[str, tuple[Any, str]]) -> None:
    if values["optimizer"][0] is Optimizer.ADAMW_8BIT and importlib.util.find_spec("bitsandbytes") is None:
        values["optimizer"] = Optimizer.ADAFACTOR, "hardly any memory; AdamW in 8 bits needs bitsandbytes"


def _for_a_small_set(values: dict[str, tuple[Any, str]], images: int) -> None:
    most = max(1, images // 4)
    if 0 < images < SMALL_SET and values["batch_size"][0] > most:
        values["batch_size"] = most, f"a quarter of {many(images, 'image')}: larger batches hurt small sets"


def _until_it_fits(training: TrainingSettings, base: BaseShape, room: float, free: Any) -> list[tuple[str, Any, str]]:
    """What must change, of what is free to, so that the settings made by hand fit as well."""
    changes: list[tuple[str, Any, str]] = []
    steps: tuple[tuple[str, Callable[[TrainingSettings], Any], str], ...] = (
        ("gradient_checkpointing", lambda _: True, f"the rest would take more than {room:.0f} GB"),
        ("batch_size", lambda each: each.batch_size // 2, f"more would take more than {room:.0f} GB"),
        ("optimizer", lambda _: Optimizer.ADAFACTOR, f"the rest would take more than {room:.0f} GB"),
    )
    for key, smaller, reason in steps:
        while key in free and predicted_gb(training, base) > room:
            value = smaller(training)
            if not value or value == getattr(training, key):
                break
            training = training.model_copy(update={key: value})
            changes.append((key, value, reason))
    return changes


def _with(settings: Settings, values: dict[str, Any]) -> Settings:
    return with_changes(settings, {f"training.{key}": value for key, value in values.items()})
