"""The axes of a grid: what may differ between its cells, the values it takes, and what a value does to an order.

A value is text that means itself on its axis (``0.8``, ``DPM++ 2M Karras``, ``832x1216``), read and checked once, when
the grid is made: nothing is searched for and replaced.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from engine.lora.header import read_header
from engine.pictures.grid.ranges import GridError, Word, number_text, read_numbers, split_words
from engine.pictures.orders.face_fix import FaceFix
from engine.pictures.orders.orders import SEEDS
from engine.pictures.orders.picture import PictureOrder
from engine.prompts.grammar import chosen
from engine.settings import PersonSettings
from engine.settings.samplers import NoiseSchedule, Sampler, read_sampler
from engine.settings.sizes import USUAL_SIDE, SizeName, size_of
from engine.storage.project_paths import expand_home

NO_LORA = "none"
"""The checkpoint axis's value for the base model alone."""

OFF, ON = "off", "on"
"""Values of the face fix's axis; others are its denoise."""


class AxisKind(StrEnum):
    """What differs along an axis; the dearer a change is for the painter, the further up it stands."""

    CHECKPOINT = "checkpoint"
    SIZE = "size"
    SAMPLER = "sampler"
    STEPS = "steps"
    GUIDANCE = "guidance"
    FACE_FIX = "face-fix"
    STRENGTH = "strength"
    NEGATIVE = "negative"
    PROMPT = "prompt"
    SEED = "seed"


@dataclass(frozen=True)
class Axis:
    """One axis: its values in their order, each once."""

    kind: AxisKind
    values: tuple[str, ...]

    def label(self, value: str) -> str:
        """A value as a person reads it beside others of its axis."""
        if self.kind is AxisKind.CHECKPOINT:
            return "no LoRA" if value == NO_LORA else Path(value).stem
        if self.kind is AxisKind.NEGATIVE and not value:
            return "no negative"
        return value

    def with_values(self, more: Sequence[str]) -> Axis:
        """The axis with these values behind its own."""
        return replace(self, values=tuple(dict.fromkeys((*self.values, *more))))


@dataclass(frozen=True)
class Known:
    """What words of an axis are read against."""

    root: Path
    """The project's folder; checkpoints in it are named from there, so that it can be moved."""
    person: PersonSettings
    checkpoints: tuple[Path, ...] = ()
    """Of the run, oldest first."""
    loras: Mapping[str, Path] | None = None
    """Other names that a checkpoint may be called by."""
    seed: int = 1
    """Which choices of a prompt's ``{a|b}`` are taken."""
    native: int = USUAL_SIDE
    """Pixels a side that the base model was made for."""
    last_epoch: int | None = None
    """The epoch of the run's last checkpoint, whose name has no number; None: not known."""


def read_axis(text: str, known: Known) -> Axis:
    """An axis as it is typed: ``strength=0.6,0.8``; ``checkpoint`` alone is no LoRA and every checkpoint.

    Raises:
        GridError: a word is not understood; it tells which.
        PromptError: a prompt is empty or not balanced.
        LoraFileError: a checkpoint's file is none.
    """
    try:
        return _read(text, known)
    except GridError as error:
        error.text = text
        raise


def _read(text: str, known: Known) -> Axis:
    name, sign, values = text.partition("=")
    word = Word(name.strip(), len(name) - len(name.lstrip()), len(name.rstrip()))
    try:
        kind = AxisKind(word.text.lower())
    except ValueError:
        raise word.error(f"there is no axis {word.text!r}", _nearest(word.text, list(AxisKind))) from None
    if not sign:
        return Axis(kind, _all_of(kind, word, known))
    words = split_words(values, len(name) + 1)
    if not words:
        raise GridError(f"{kind} has no values", f"write {kind}={EXAMPLES[kind]}", len(name), len(text))
    return Axis(kind, tuple(dict.fromkeys(READERS[kind](words, known))))


def applied(order: PictureOrder, values: Mapping[AxisKind, str], root: Path) -> PictureOrder:
    """The order with an axis's values; without a LoRA it has no strength either, so that equal pictures are one.

    Args:
        order: what all cells have in common, ready for the queue.
        values: one value of each axis.
        root: the project's folder.
    """
    for kind in AxisKind:
        if kind in values:
            order = _with(order, kind, values[kind], root)
    return order if order.lora else replace(order, strength=None)


def _with(order: PictureOrder, kind: AxisKind, value: str, root: Path) -> PictureOrder:
    match kind:
        case AxisKind.CHECKPOINT:
            return replace(order, lora=None if value == NO_LORA else (root / value).resolve())
        case AxisKind.SIZE:
            width, height = value.split("x")
            return replace(order, width=int(width), height=int(height))
        case AxisKind.SAMPLER:
            sampler, schedule = read_sampler(value)
            return replace(order, sampler=sampler, schedule=schedule or NoiseSchedule.AUTOMATIC)
        case AxisKind.STEPS:
            return replace(order, steps=int(value))
        case AxisKind.GUIDANCE:
            return replace(order, guidance=float(value))
        case AxisKind.FACE_FIX:
            return replace(order, face_fix=_fix(order.face_fix, value))
        case AxisKind.STRENGTH:
            return replace(order, strength=float(value))
        case AxisKind.NEGATIVE:
            return replace(order, negative=value)
        case AxisKind.PROMPT:
            return replace(order, prompt=value)
        case AxisKind.SEED:
            return replace(order, seed=int(value))


def _fix(common: FaceFix | None, value: str) -> FaceFix | None:
    """The face fix of a cell; what its value does not say is as the grid's."""
    if value == OFF:
        return None
    fix = common or FaceFix()
    return fix if value == ON else replace(fix, denoise=float(value))


def _all_of(kind: AxisKind, word: Word, known: Known) -> tuple[str, ...]:
    """The values of an axis that was named without any."""
    if kind is AxisKind.FACE_FIX:
        return OFF, ON
    if kind is AxisKind.SAMPLER:
        return tuple(each.value for each in Sampler)
    if kind is AxisKind.CHECKPOINT:
        return (NO_LORA, *(_from_root(each, known) for each in _checkpoints(word, known)))
    raise word.error(f"{kind} has no values", f"write {kind}={EXAMPLES[kind]}")


def _read_checkpoints(words: Sequence[Word], known: Known) -> list[str]:
    found: list[str] = []
    for word in words:
        text = word.text
        if text.lower().replace(" ", "") in (NO_LORA, "nolora"):
            found.append(NO_LORA)
        elif text.lower() == "all":
            found += [_from_root(each, known) for each in _checkpoints(word, known)]
        elif text.lower() == "last":
            found.append(_from_root(_checkpoints(word, known)[-1], known))
        elif re.fullmatch(r"[\d\s().+\[\]-]+", text):
            found += [_of_epoch(int(number), word, known) for number, _ in read_numbers([word], whole=True)]
        else:
            found.append(_from_root(_named(word, known), known))
    return found


def _of_epoch(number: int, word: Word, known: Known) -> str:
    """The checkpoint of an epoch: its name ends with the number, but for the run's last."""
    numbers = {int(m[1]): each for each in known.checkpoints if (m := re.search(r"-(\d+)$", each.stem))}
    if known.last_epoch is not None:
        numbers.setdefault(known.last_epoch, known.checkpoints[-1])
    if number not in numbers:
        there = ", ".join(map(str, sorted(numbers))) or "none with a number"
        raise word.error(f"there is no checkpoint {number}", f"there are {there}; the run's last is: last")
    return _from_root(numbers[number], known)


def _named(word: Word, known: Known) -> Path:
    """A checkpoint by its name, or a file."""
    names = {**(known.loras or {}), **{each.stem: each for each in known.checkpoints}}
    if word.text in names:
        return names[word.text]
    path = expand_home(word.text)
    if path.suffix == ".safetensors" and path.exists():
        read_header(path, any_network=True)
        return path.resolve()
    if path.suffix == ".safetensors":
        raise word.error(f"there is no LoRA at {word.text}", "give a file, or list checkpoints with: limner runs")
    raise word.error(f"there is no checkpoint {word.text!r}", _nearest(word.text, [*names, NO_LORA, "all", "last"]))


def _checkpoints(word: Word, known: Known) -> tuple[Path, ...]:
    if not known.checkpoints:
        raise word.error("there is no checkpoint yet", "name a run that has one, or train with: limner train")
    return known.checkpoints


def _from_root(path: Path, known: Known) -> str:
    resolved, root = path.resolve(), known.root.resolve()
    return str(resolved.relative_to(root) if resolved.is_relative_to(root) else resolved)


def _read_sizes(words: Sequence[Word], known: Known) -> list[str]:
    found: list[str] = []
    for word in words:
        if word.text.lower() in list(SizeName):
            width, height = size_of(SizeName(word.text.lower()), known.native)
            found.append(f"{width}x{height}")
            continue
        m = re.fullmatch(r"(\d{2,4})x(\d{2,4})", word.text)
        if m is None or not all(32 <= int(side) <= 4096 for side in m.groups()):
            names = ", ".join(SizeName)
            raise word.error(
                f"{word.text!r} is not a valid size", f"write it as 832x1216, each side 32 to 4096, or {names}"
            )
        found.append(word.text)
    return found


def _read_samplers(words: Sequence[Word], _known: Known) -> list[str]:
    found = []
    for word in words:
        try:
            sampler, schedule = read_sampler(word.text)
        except ValueError as error:
            what, _, fix = str(error).partition(": ")
            raise word.error(what, fix) from error
        found.append(f"{sampler} {schedule}" if schedule else sampler.value)
    return found


def _read_prompts(words: Sequence[Word], known: Known) -> list[str]:
    return [chosen(word.text, known.person, known.seed) for word in words]


def _read_seeds(words: Sequence[Word], _known: Known) -> list[str]:
    """Seeds; -1 is a new one, which the grid keeps."""
    found = []
    for number, word in read_numbers(words, whole=True):
        if not -1 <= number < SEEDS:
            raise word.error(
                f"{number_text(number)} is not a valid seed", f"seeds are 0 to {SEEDS - 1}, or -1 for a new one"
            )
        found.append(number_text(number) if number >= 0 else str(random.SystemRandom().randrange(SEEDS)))
    return found


def _read_face_fixes(words: Sequence[Word], known: Known) -> list[str]:
    """``off``, ``on``, or how much of a face is painted anew."""
    denoise = _number_reader("the face fix's denoise", 0.05, 1)
    found: list[str] = []
    for word in words:
        if word.text.lower() in (OFF, ON):
            found.append(word.text.lower())
        elif word.text[:1].isalpha():
            raise word.error(f"{word.text!r} is not a valid face fix", f"write {EXAMPLES[AxisKind.FACE_FIX]}")
        else:
            found += denoise([word], known)
    return found


def _number_reader(name: str, low: float, high: float, whole: bool = False) -> Reader:
    def read(words: Sequence[Word], _known: Known) -> list[str]:
        found = []
        for number, word in read_numbers(words, whole=whole):
            if not Decimal(str(low)) <= number <= Decimal(str(high)):
                raise word.error(f"{name} {number_text(number)} is invalid", f"give {low:g} to {high:g}")
            found.append(number_text(number))
        return found

    return read


def _nearest(text: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(text.lower(), names, 1, 0.5)
    shown = ", ".join(dict.fromkeys(name for name in names if "/" not in name))
    return f"did you mean {near[0]}? there are {shown}" if near else f"there are {shown}"


Reader = Callable[[Sequence[Word], Known], list[str]]

READERS: dict[AxisKind, Reader] = {
    AxisKind.CHECKPOINT: _read_checkpoints,
    AxisKind.SIZE: _read_sizes,
    AxisKind.SAMPLER: _read_samplers,
    AxisKind.STEPS: _number_reader("steps", 1, 500, whole=True),
    AxisKind.GUIDANCE: _number_reader("guidance", 0, 50),
    AxisKind.FACE_FIX: _read_face_fixes,
    AxisKind.STRENGTH: _number_reader("strength", -4, 4),
    AxisKind.NEGATIVE: lambda words, _known: [word.text for word in words],
    AxisKind.PROMPT: _read_prompts,
    AxisKind.SEED: _read_seeds,
}
"""What reads an axis's words."""

EXAMPLES = {
    AxisKind.CHECKPOINT: "none,2,4,last",
    AxisKind.SIZE: "1024x1024,832x1216",
    AxisKind.SAMPLER: '"Euler a","DPM++ 2M Karras"',
    AxisKind.STEPS: "20-40 (+10)",
    AxisKind.GUIDANCE: "4-8 (+2)",
    AxisKind.FACE_FIX: "off,0.3-0.5 (+0.1)",
    AxisKind.STRENGTH: "0.6,0.8,1.0",
    AxisKind.NEGATIVE: '"","blurry"',
    AxisKind.PROMPT: '"photo of {trigger} {class}","oil painting of {trigger} {class}"',
    AxisKind.SEED: "1-4",
}
"""Values as they are typed."""
