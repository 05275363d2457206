"""The event log's types: one frozen dataclass a kind.

The log on disk, the screens and ``--json`` all speak these. A line of the log is one JSON object with
``v`` (1), ``t`` (Unix seconds, float) and ``kind``, then the event's own fields. Fields may be added; what one
means never changes. A reader ignores fields and kinds that it does not know.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

from engine.storage.untrusted_files import parse_json

VERSION = 1
"""The version every line carries as ``v``."""


class JobState(StrEnum):
    """Where a job stands in its life."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come from a job in this state."""
        return self in (JobState.DONE, JobState.FAILED)


def _where_known() -> Any:
    """A field that a line of the log has only where there is something to say: most lines are steps."""
    return field(default=None, metadata={"where_known": True})


@dataclass(frozen=True)
class Event:
    """What every event is: a kind and its own fields."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Job(Event):
    """The job's life: its state, the process's id, why it failed or stopped, and the machine that it runs on."""

    kind: ClassVar[str] = "job"
    state: JobState
    pid: int | None = None
    reason: str | None = None
    boot: str | None = _where_known()
    """Names the start of the machine that the process runs since."""
    host: str | None = _where_known()


@dataclass(frozen=True)
class Plan(Event):
    """What a training run will do. ``steps`` are optimizer steps; image-steps are steps × batch.

    ``images`` and ``repeats`` are the person's; where folders have other repeats, ``sets`` holds [images, repeats] of
    each. ``regularisation`` is how many such images an epoch sees, ``held_out`` how many of the person's none sees.
    """

    kind: ClassVar[str] = "plan"
    images: int
    repeats: int
    batch: int
    steps_per_epoch: int
    epochs: int
    steps: int
    image_steps: int = 0
    sets: list[list[int]] | None = None
    regularisation: int = 0
    held_out: int = 0
    accumulation: int = 1
    """In how many passes a step sees its ``batch`` images."""


@dataclass(frozen=True)
class Phase(Event):
    """A stretch of work with a name: ``done`` of ``total`` pieces; ``subject`` is what it is done to, if it says so."""

    kind: ClassVar[str] = "phase"
    name: str
    done: int
    total: int
    subject: str | None = None


@dataclass(frozen=True)
class Step(Event):
    """One optimizer step: loss (mean over the batch), learning rate, pace and memory (GB, peak so far).

    About once a second, on an NVIDIA card, also what its driver says of the whole card: load in percent, watts, degrees
    Celsius, its memory taken and in all in GB.
    """

    kind: ClassVar[str] = "step"
    step: int
    epoch: int
    loss: float
    lr: float
    images_per_s: float
    memory_gb: float
    gpu_percent: float | None = _where_known()
    gpu_watts: float | None = _where_known()
    gpu_celsius: float | None = _where_known()
    gpu_memory_gb: float | None = _where_known()
    gpu_total_gb: float | None = _where_known()


@dataclass(frozen=True)
class Epoch(Event):
    """A finished epoch: its mean loss, the loss on held-out images if there are any, its seconds."""

    kind: ClassVar[str] = "epoch"
    epoch: int
    loss: float
    validation_loss: float | None
    seconds: float


@dataclass(frozen=True)
class Estimate(Event):
    """How long an epoch takes and how long the rest will, in seconds; money in the user's currency.

    ``cost`` is that of the whole run, ``spent`` what of it is gone. The spreads say how far the seconds may be off, by
    how much steps differed.
    """

    kind: ClassVar[str] = "estimate"
    epoch_seconds: float
    remaining_seconds: float
    cost: float | None = None
    epoch_remaining_seconds: float | None = None
    spent: float | None = _where_known()
    epoch_spread_seconds: float | None = _where_known()
    spread_seconds: float | None = _where_known()


@dataclass(frozen=True)
class Checkpoint(Event):
    """A LoRA file that was written whole. ``path`` is relative to the run's folder."""

    kind: ClassVar[str] = "checkpoint"
    path: str
    epoch: int
    step: int
    removed: tuple[str, ...] = ()
    """Paths of earlier checkpoints that are not kept any longer."""


@dataclass(frozen=True)
class Sample(Event):
    """A picture painted by a job. ``path`` is relative to the job's folder, or absolute.

    ``likeness`` goes from 0, the nearest other person, to 100, a typical real photo; null where it is not scorable.
    """

    kind: ClassVar[str] = "sample"
    path: str
    prompt: str
    seed: int
    epoch: int | None = None
    likeness: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Fit(Event):
    """What was changed so that the work fits into memory, and why."""

    kind: ClassVar[str] = "fit"
    changed: str
    why: str


@dataclass(frozen=True)
class Warning(Event):
    """Something a person should know; the job goes on."""

    kind: ClassVar[str] = "warning"
    message: str
    subject: str | None = None


@dataclass(frozen=True)
class Error(Event):
    """Why the job could not go on, and what to do about it."""

    kind: ClassVar[str] = "error"
    message: str
    fix: str = ""


KINDS: dict[str, type[Event]] = {
    each.kind: each for each in (Job, Plan, Phase, Step, Epoch, Estimate, Checkpoint, Sample, Fit, Warning, Error)
}

_FIELDS: dict[type[Event], tuple[str, ...]] = {each: tuple(one.name for one in fields(each)) for each in KINDS.values()}
_WHERE_KNOWN = {each: {one.name for one in fields(each) if "where_known" in one.metadata} for each in KINDS.values()}


@dataclass(frozen=True)
class Entry:
    """One line of the log: an event and when it happened (Unix seconds)."""

    t: float
    event: Event


def to_json(event: Event, t: float) -> dict[str, Any]:
    """The event as the object that one line of the log holds."""
    left_out = _WHERE_KNOWN[type(event)]
    values = ((name, getattr(event, name)) for name in _FIELDS[type(event)])
    own = {name: value for name, value in values if value is not None or name not in left_out}
    return {"v": VERSION, "t": t, "kind": event.kind, **own}


def to_line(event: Event, t: float | None = None) -> str:
    """The event as one line of the log, newline included. Not-a-number and infinities become null."""
    stamp = time.time() if t is None else t
    record = {key: _finite(value) for key, value in to_json(event, round(stamp, 3)).items()}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def from_line(line: str) -> Entry | None:
    """Reads one line of the log.

    Returns:
        The entry, or None for a torn line, a line of a kind not known here, or one that lacks a field.
    """
    try:
        return _entry(parse_json(line))
    except ValueError:
        return None


TOGETHER = 500
"""So many lines are parsed at once, which takes half as long; only among those with a torn one each is parsed alone."""


def from_lines(lines: Sequence[str]) -> list[Entry]:
    """Reads lines of the log, without those that ``from_line`` can't read."""
    found: list[Entry | None] = []
    for begin in range(0, len(lines), TOGETHER):
        some = lines[begin : begin + TOGETHER]
        try:
            found += map(_entry, parse_json(f"[{','.join(some)}]"))
        except ValueError:
            found += map(from_line, some)
    return [entry for entry in found if entry is not None]


MOST = 2**53
"""No count, time or size of ours is beyond this."""

MOST_LETTERS = 1_000_000
"""Of one text of an event."""


def _entry(record: Any) -> Entry | None:
    """An entry of a line's object; None where it is none, or a field has another type or a wild value."""
    try:
        event_type, t = KINDS[record["kind"]], record["t"]
        values = {name: record[name] for name in _FIELDS[event_type] if name in record}
        if (
            not _is_number(t)
            or not -MOST <= t <= MOST
            or not all(check(values[name]) for name, check in _CHECKS[event_type] if name in values)
        ):
            return None
        if "state" in values:
            values["state"] = JobState(values["state"])
        if "removed" in values:
            values["removed"] = tuple(values["removed"])
        return Entry(float(t), event_type(**values))
    except (ValueError, KeyError, TypeError):
        return None


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and -MOST <= value <= MOST


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_LETTERS


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 10_000 and all(map(_is_text, value))


def _is_number_or_none(value: Any) -> bool:
    """A number; ``to_line`` writes null for one that is not finite."""
    return value is None or _is_number(value)


def _is_sets(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, list) and all(map(_is_count, each)) for each in value)


def _is_inside(value: Any) -> bool:
    """Whether a path stays in the folder that it is relative to."""
    return _is_text(value) and not value.startswith(("/", "~")) and ".." not in value.split("/")


_KINDS_OF_VALUES: dict[str, Callable[[Any], bool]] = {
    "int": _is_count,
    "float": _is_number_or_none,
    "list[list[int]]": _is_sets,
    "str": _is_text,
    "tuple[str, ...]": _is_texts,
    "JobState": _is_text,
}
"""How a value is checked, by its annotation; one that may be None is so with ``| None``."""


def _check_of(event_type: type[Event], name: str, annotation: str) -> Callable[[Any], bool]:
    kind, _, rest = annotation.partition(" | ")
    check = _KINDS_OF_VALUES[kind]
    if event_type is Checkpoint and name == "path":
        check = _is_inside
    if event_type is Plan and name in ("batch", "steps_per_epoch", "epochs", "steps"):
        # They are divided by.
        return lambda value: _is_count(value) and value > 0
    return (lambda value: value is None or check(value)) if rest == "None" else check


_CHECKS: dict[type[Event], tuple[tuple[str, Callable[[Any], bool]], ...]] = {
    each: tuple((one.name, _check_of(each, one.name, str(one.type))) for one in fields(each)) for each in KINDS.values()
}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
