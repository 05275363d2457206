"""One picture: all that makes it, and how it went.

An order lies in the queue as JSON, so that a later Limner can add to it; a field that is left out has its default.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import PictureError
from engine.pictures.orders.face_fix import FaceFix, checked_fix, face_fix_from
from engine.settings.samplers import NoiseSchedule, Sampler, read_sampler, refuse_unscheduled, usual_schedule
from engine.storage.project_paths import ProjectPaths

ANYWHERE = ProjectPaths(Path("/"))
"""Keeps paths outside of any project."""

KEY_VERSION = 2
"""Grows when the same order comes to give another picture."""


class PictureState(StrEnum):
    """Where a picture stands."""

    QUEUED = "queued"
    PAINTING = "painting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Upscaler(StrEnum):
    """How the first pass is enlarged for the second."""

    LATENT = "Latent"
    LANCZOS = "Lanczos"


@dataclass(frozen=True)
class LoraWeight:
    """A LoRA and its weights, each from -4 to 4."""

    file: Path
    unet: float
    te: float
    """In the text encoders."""


@dataclass(frozen=True)
class Hires:
    """A second pass over the enlarged picture."""

    scale: float = 1.5
    """How many times as wide and high, above 1, at most 4."""
    denoise: float = 0.35
    """How much of it is painted anew, above 0, at most 1. Latent enlarging wants 0.55 or more."""
    steps: int | None = None
    """None: as many as the first pass."""
    upscaler: Upscaler = Upscaler.LANCZOS


@dataclass(frozen=True)
class PictureOrder:
    """All that makes a picture. The same order gives the same picture."""

    prompt: str
    path: Path
    """Where it is to be written; never over something that is there."""
    seed: int
    steps: int
    guidance: float
    sampler: Sampler
    negative: str = ""
    lora: Path | None = None
    strength: float | None = None
    width: int | None = None
    """Pixels; None: what the base model was made for."""
    height: int | None = None
    prompt_id: int | None = None
    """The prompt on the shelf that it was made from."""
    schedule: NoiseSchedule = NoiseSchedule.AUTOMATIC
    others: tuple[LoraWeight, ...] = ()
    """More LoRAs; one that is ``lora`` takes its weights from here."""
    base: str | None = None
    """The base model, as ``base.model`` of the settings names it; None: the project's when it is ordered."""
    source: Path | None = None
    """A picture to begin from (img2img)."""
    denoise: float = 0.5
    """How much of the source is painted anew, above 0, at most 1."""
    hires: Hires | None = None
    priority: int = 0
    """Higher ones are painted first."""
    face_fix: FaceFix | None = None
    """How its faces are painted anew when it is painted; None: they are not."""

    def loras(self) -> tuple[LoraWeight, ...]:
        """Every LoRA, each file once."""
        weight = 1.0 if self.strength is None else self.strength
        own = (LoraWeight(self.lora, weight, weight),) if self.lora else ()
        return tuple({each.file: each for each in (*own, *self.others)}.values())

    def key(self, paths: ProjectPaths = ANYWHERE) -> str:
        """24 digits that stand for all that makes the picture, and for nothing else: not its path, number or place.

        Files count by what is in them, so a checkpoint that moved is the same one, and one that was trained anew under
        its old name another. A base model counts by its path, as the project keeps it.

        Args:
            paths: how the project that it belongs to keeps paths.
        """
        loras = sorted([_content(each.file), each.unet, each.te] for each in self.loras() if each.unet or each.te)
        making = {
            "v": KEY_VERSION,
            "prompt": self.prompt,
            "negative": self.negative if self.guidance > 1 else "",
            "seed": self.seed,
            "size": [self.width, self.height],
            "steps": self.steps,
            "guidance": self.guidance,
            "sampler": self.sampler,
            "schedule": usual_schedule(self.sampler, self.schedule),
            "loras": loras,
            "base": paths.kept(self.base) if self.base else None,
            "source": [_content(self.source), self.denoise] if self.source else None,
            "hires": _hires_record(self.hires),
        }
        if self.face_fix is not None:
            making["face_fix"] = self.face_fix.record()
        return hashlib.sha256(json.dumps(making, sort_keys=True).encode()).hexdigest()[:24]

    def to_record(self, paths: ProjectPaths = ANYWHERE) -> dict[str, Any]:
        """The order as JSON, its paths as a project keeps them."""
        return {
            "prompt": self.prompt,
            "path": paths.kept(self.path),
            "seed": self.seed,
            "steps": self.steps,
            "guidance": self.guidance,
            "sampler": self.sampler.value,
            "schedule": self.schedule.value,
            "negative": self.negative,
            "lora": paths.kept(self.lora) if self.lora else None,
            "strength": self.strength,
            "others": [{"file": paths.kept(each.file), "unet": each.unet, "te": each.te} for each in self.others],
            "width": self.width,
            "height": self.height,
            "prompt_id": self.prompt_id,
            "base": paths.kept(self.base) if self.base else None,
            "source": paths.kept(self.source) if self.source else None,
            "denoise": self.denoise,
            "hires": _hires_record(self.hires),
            "priority": self.priority,
            "face_fix": self.face_fix.record() if self.face_fix else None,
        }


@dataclass(frozen=True)
class Picture(PictureOrder):
    """An order with its number and how it went."""

    id: int = 0
    state: PictureState = PictureState.QUEUED
    seconds: float | None = None
    """How long painting took; of a batch, its share."""
    reason: str | None = None
    """Why it failed."""
    rating: int = 0
    """1 to 5 stars; 0: not rated."""
    t: float = 0.0
    """When it was ordered, Unix seconds."""

    def order(self, **changes: Any) -> PictureOrder:
        """What was ordered, some of it changed: for another like it."""
        fields = {name: getattr(self, name) for name in PictureOrder.__dataclass_fields__}
        return PictureOrder(**{**fields, **changes})


def order_from_record(record: dict[str, Any], paths: ProjectPaths = ANYWHERE) -> PictureOrder:
    """Reads what ``to_record`` wrote, an older Limner's too. Raises KeyError, TypeError or ValueError."""
    sampler, schedule = read_sampler(record["sampler"])
    hires = record.get("hires")
    return PictureOrder(
        prompt=record["prompt"],
        path=paths.path(record["path"]),
        seed=record["seed"],
        steps=record["steps"],
        guidance=record["guidance"],
        sampler=sampler,
        schedule=schedule or NoiseSchedule(record.get("schedule") or NoiseSchedule.AUTOMATIC),
        negative=record.get("negative") or "",
        lora=paths.path(record["lora"]) if record.get("lora") else None,
        strength=record.get("strength"),
        others=tuple(
            LoraWeight(paths.path(each["file"]), each["unet"], each["te"]) for each in record.get("others") or ()
        ),
        width=record.get("width"),
        height=record.get("height"),
        prompt_id=record.get("prompt_id"),
        base=paths.full(record["base"]) if record.get("base") else None,
        source=paths.path(record["source"]) if record.get("source") else None,
        denoise=record.get("denoise", 0.5),
        hires=Hires(hires["scale"], hires["denoise"], hires["steps"], Upscaler(hires["upscaler"])) if hires else None,
        priority=record.get("priority") or 0,
        face_fix=face_fix_from(record.get("face_fix")),
    )


def checked(order: PictureOrder) -> PictureOrder:
    """The order, if somebody can paint it.

    Raises:
        PictureError: a number out of its range, or a sampler that can't follow the schedule.
    """
    if not 0 < order.denoise <= 1:
        raise PictureError(f"denoise {order.denoise:g} is invalid", "give more than 0, at most 1")
    if order.source is not None and not order.source.is_file():
        raise PictureError(f"there is no picture at {order.source}", "give a PNG, JPEG or WebP")
    if order.hires is not None:
        if not 1 < order.hires.scale <= 4:
            raise PictureError(f"a second pass at {order.hires.scale:g} is invalid", "give more than 1, at most 4")
        if not 0 < order.hires.denoise <= 1:
            raise PictureError(f"the second pass's denoise {order.hires.denoise:g} is invalid", "give 0.05 to 1")
    if order.face_fix is not None:
        checked_fix(order.face_fix, order.source is not None)
    try:
        refuse_unscheduled(order.sampler, order.schedule)
    except ValueError as error:
        what, _, fix = str(error).partition(": ")
        raise PictureError(what, fix) from error
    return order


def settled(order: PictureOrder, base: str) -> PictureOrder:
    """The order with absolute paths, and with the base model it is painted on."""
    return replace(
        order,
        path=order.path.resolve(),
        lora=order.lora.resolve() if order.lora else None,
        others=tuple(replace(each, file=each.file.resolve()) for each in order.others),
        source=order.source.resolve() if order.source else None,
        base=order.base or base,
    )


def _hires_record(hires: Hires | None) -> dict[str, Any] | None:
    if hires is None:
        return None
    return {
        "scale": hires.scale,
        "denoise": hires.denoise,
        "steps": hires.steps,
        "upscaler": hires.upscaler.value,
    }


def _content(file: Path) -> str:
    """The hash of what is in a file; of one that is not there, its path."""
    try:
        about = file.stat()
        return _hash(file, about.st_mtime_ns, about.st_size)
    except OSError:
        return str(file)


@lru_cache(maxsize=4096)
def _hash(file: Path, _changed: int, _size: int) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
