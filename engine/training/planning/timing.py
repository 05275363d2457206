"""How long a step will take and how much memory, from the best there is to go by. No torch.

Measured with the same settings, by a run or a probe; measured with others and scaled; or a model of the card. What it
was is always told, and how far it may be off.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.counting import many
from engine.models.shape import GIB, MemoryParts
from engine.training.planning.benchmark_store import NO_COSTS, Costs, Measured, Setting
from engine.training.planning.gpus import Card


class Source(StrEnum):
    """Where an estimate's figures come from."""

    RUN = "run"
    """Runs of this project or machine."""
    PROBE = "probe"
    """A few real steps, taken to measure them."""
    MODEL = "model"
    """Arithmetic and the card's data sheet."""
    NONE = "none"


@dataclass(frozen=True)
class Timing:
    """What is known of a step. None: not known."""

    source: Source
    detail: str
    """Where the figures come from, in words."""
    seconds_per_step: float | None = None
    uncertainty: float | None = None
    """How far the time may be off either way, as a share."""
    memory_gb: float | None = None
    memory_detail: str = ""
    costs: Costs = NO_COSTS


UTILISATION = 0.30
"""The share of its data sheet's rate that a card reaches in training without compilation: users of other trainers
report 24 % (RTX 3090) to 34 % (RTX 4090)."""

LAUNCH_SECONDS = 8e-6
"""What the CPU takes for a launch: 5 to 10 µs; 40 in a slow virtual machine, which only a probe can tell."""

REPLAY_SECONDS = 3.6e-6
"""What each kernel takes besides its arithmetic in a replayed graph: 38 ms a step on an H200, whatever the batch."""

MODEL_OFF = 0.5
MEMORY_OFF = 0.15
LEAST_OFF, SCALED_OFF = 0.05, 0.25
"""How far figures may be off: of the model, of its memory; a measurement at least; more for each e-fold of scaling."""

MANY, FEW = 20, 4
"""So many steps tell enough; with fewer, so many times less than another measurement has tell less than that one."""

NOT_MEASURED = "not measured yet"


def best_timing(
    need: Setting, card: Card | None, own: Sequence[tuple[str, Measured]], here: Sequence[Measured]
) -> Timing:
    """The best there is to go by.

    Args:
        need: what the step will be like.
        card: what it will run on; None: a CPU.
        own: what this project's runs measured, with their names, oldest first.
        here: what was measured on this machine, oldest first.
    """
    named = {each.t: name for name, each in own}
    known = [each for each in [*here, *(each for _, each in own)] if each.setting.scales_to(need)]
    known.sort(key=lambda each: each.t)
    same = [each for each in known if each.setting == need]
    if same:
        return _as_measured(_newest_of_weight(same), named)
    if known:
        return _scaled(min(reversed(known), key=lambda each: _far(each.setting, need)), need, card, named)
    return modelled(need, card)


def _newest_of_weight(same: Sequence[Measured]) -> Measured:
    """The newest, unless it is of a run that ended after a few steps and the one before it knows more."""
    chosen = same[0]
    for each in same[1:]:
        if each.kind == Source.PROBE or each.steps >= min(MANY, chosen.steps / FEW):
            chosen = each
    return chosen


def modelled(need: Setting, card: Card | None) -> Timing:
    """By arithmetic and the card's data sheet; the source is ``none`` where nothing is known of base or card."""
    if not need.counted or card is None:
        return Timing(Source.NONE, NOT_MEASURED)
    memory = predicted_memory_gb(need)
    told = f"counted, ± {MEMORY_OFF:.0%}"
    seconds = model_seconds(need, card)
    if seconds is None:
        return Timing(Source.NONE, f"the speed of a {card.name} is not known", None, None, memory, told)
    launching = _launches(need) * (REPLAY_SECONDS if need.graphed else LAUNCH_SECONDS)
    bound = "arithmetic" if _arithmetic_seconds(need, card) >= launching else "launching kernels"
    tflop = need.arithmetic.step_tflop(need.shape)
    detail = f"{tflop:,.1f} TFLOP a step, {UTILISATION:.0%} of the data sheet's rate; bound by {bound}"
    return Timing(Source.MODEL, detail, seconds, MODEL_OFF, memory, told)


def model_seconds(need: Setting, card: Card) -> float | None:
    """The slowest of arithmetic, memory traffic and kernel launches; None where the card's rates are not known."""
    if not card.tflops or not card.gb_per_s:
        return None
    parts = _memory(need)
    kept = _memory(replace(need, checkpointing=False)).activations
    # Weights are read forward and back; activations written once, and read again for their gradients.
    traffic = 2 * parts.base + 3 * kept
    on_card = max(_arithmetic_seconds(need, card), traffic * need.accumulation / card.gb_per_s)
    if need.graphed:
        return on_card + _launches(need) * REPLAY_SECONDS
    return max(on_card, _launches(need) * LAUNCH_SECONDS)


def predicted_memory_gb(need: Setting) -> float:
    """The memory that a step takes on a GPU, in GB."""
    return _memory(need).total


def _memory(need: Setting) -> MemoryParts:
    return need.arithmetic.memory(need.pass_shape, need.optimizer, _weight_bytes(need), need.ema, need.dropout)


def _as_measured(found: Measured, named: dict[float, str]) -> Timing:
    return Timing(
        Source(found.kind),
        f"measured by {_who(found, named)}",
        found.seconds_per_step,
        max(LEAST_OFF, found.spread),
        found.memory_gb,
        "measured",
        found.costs,
    )


def _scaled(found: Measured, need: Setting, card: Card | None, named: dict[float, str]) -> Timing:
    ratio = _ratio(found.setting, need, card)
    off = max(LEAST_OFF, found.spread) + SCALED_OFF * min(1.5, abs(math.log(ratio)) + _far(found.setting, need) / 4)
    memory, told = found.memory_gb, "measured with other settings"
    if need.counted and card is not None:
        memory = found.memory_gb + predicted_memory_gb(need) - predicted_memory_gb(found.setting)
        told = "measured with other settings, and scaled"
    return Timing(
        Source(found.kind),
        f"scaled from {_who(found, named)}: {_differs(found.setting, need)}",
        found.seconds_per_step * ratio,
        round(off, 2),
        memory,
        told,
        _costs_scaled(found.costs, found.setting, need),
    )


def _costs_scaled(costs: Costs, before: Setting, after: Setting) -> Costs:
    """What pixels cost, at another resolution."""
    one, other = before.shape.area, after.shape.area
    forward_tflop = after.arithmetic.forward_tflop
    pixels, forward = other / one, forward_tflop(other) / forward_tflop(one)
    return replace(
        costs,
        image=_by(costs.image, pixels),
        held_out=_by(costs.held_out, forward),
        sampling_step=_by(costs.sampling_step, forward),
        picture=_by(costs.picture, pixels),
    )


def _by(seconds: float | None, ratio: float) -> float | None:
    return None if seconds is None else seconds * ratio


def _who(found: Measured, named: dict[float, str]) -> str:
    if found.t in named:
        return named[found.t]
    day = time.strftime("%Y-%m-%d", time.localtime(found.t))
    what = "the probe" if found.kind == Source.PROBE else "a run on this machine"
    return f"{what} of {day}, {many(found.steps, 'step')}"


def _ratio(measured: Setting, need: Setting, card: Card | None) -> float:
    """How much longer a step takes: as the model of the card says, else by arithmetic."""
    if need.counted and card is not None:
        before, after = model_seconds(measured, card), model_seconds(need, card)
        if before and after:
            return after / before
    return need.arithmetic.step_tflop(need.shape) / need.arithmetic.step_tflop(measured.shape)


def _far(one: Setting, other: Setting) -> float:
    """How little one tells of the other."""
    step_tflop = other.arithmetic.step_tflop
    work = abs(math.log(step_tflop(one.shape) / step_tflop(other.shape)))
    batch = abs(math.log(one.batch / other.batch))
    return work + 0.5 * batch + 0.3 * (one.checkpointing != other.checkpointing)


def _differs(before: Setting, after: Setting) -> str:
    """``batch 4 → 8, rank 16 → 32``."""
    told = []
    for key, word in (
        ("batch", "batch"),
        ("accumulation", "accumulation"),
        ("resolution", "resolution"),
        ("rank", "rank"),
    ):
        one, other = getattr(before, key), getattr(after, key)
        if one != other:
            told.append(f"{word} {one} → {other}")
    if before.checkpointing != after.checkpointing:
        told.append(f"checkpointing {'on' if after.checkpointing else 'off'}")
    return ", ".join(told)


def _arithmetic_seconds(need: Setting, card: Card) -> float:
    rate = (card.tflops or 1.0) * UTILISATION * (1.0 if need.dtype == "bfloat16" else 0.5)
    return need.arithmetic.step_tflop(need.shape) / rate


def _launches(need: Setting) -> int:
    return need.arithmetic.launches(need.checkpointing) * need.accumulation


def _weight_bytes(need: Setting) -> int:
    return 2 if need.dtype == "bfloat16" else 4


def room_gb(card: Card | None, preset_gb: int | None) -> float | None:
    """The memory that a run may take, in GB; None where it is not known."""
    if card is not None:
        return card.memory_gb
    return preset_gb * GIB / 1e9 if preset_gb else None
