"""What a run will take, before it is started: steps by arithmetic; time, money and memory from the best source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from engine import events
from engine.models.locate import find_base
from engine.models.prediction import NoiseKind
from engine.models.registry import arithmetic_of, shape_of
from engine.models.shape import BaseShape
from engine.models.usual_settings import family_in, remarks_on_base, sample_settings
from engine.project import Project
from engine.settings import Precision, Settings, with_changes
from engine.training.data.buckets import resolution_of
from engine.training.data.examples import folders_passed_over
from engine.training.data.training_set import TrainingItem
from engine.training.planning.benchmark_store import Costs, Measured, Setting, device_name, of_run, of_this_machine
from engine.training.planning.budget import Budget, epochs_within
from engine.training.planning.cadence import Cadence, reckoned
from engine.training.planning.gpus import Card, card_here
from engine.training.planning.plan import formula, of_the_person, plan_for, training_set_of
from engine.training.planning.presets import Chosen, choose
from engine.training.planning.sample_prompts import sample_prompts
from engine.training.planning.timing import Source, Timing, best_timing, room_gb
from engine.training.step.memory_fallback import fitting_for, replays


@dataclass(frozen=True)
class WhatIf:
    """What an estimate takes for granted instead of looking."""

    images: int | None = None
    """So many images of the person, whatever the dataset has."""
    card: Card | None = None
    """This card, whatever is in the machine."""


@dataclass(frozen=True)
class Fixed:
    """Seconds besides the steps; None: not measured."""

    loading: float | None = None
    """Python, the libraries, the base model: once a run."""
    caching: float | None = None
    """Encoding images and captions, once, where they were not encoded before."""
    saving: float | None = None
    """All checkpoints and states."""
    validating: float | None = None
    """Looking at the held-out images after each epoch; 0 where there are none."""
    painting: float | None = None
    """All pictures that the run paints; 0 where it paints none."""

    @property
    def known(self) -> float:
        """What is known of them, together."""
        each = (self.loading, self.caching, self.saving, self.validating, self.painting)
        return sum(seconds for seconds in each if seconds is not None)


@dataclass(frozen=True)
class RunEstimate:
    """A plan and what it will take. None: not known."""

    images: int
    repeats: int
    epochs: int
    batch: int
    image_steps: int
    steps: int
    steps_per_epoch: int
    formula: str
    seconds_per_step: float | None
    seconds_per_epoch: float | None
    """Its steps, its checkpoints, the look at the held-out images; without the pictures that are painted after it."""
    seconds_total: float | None
    """All epochs and the fixed costs that are known."""
    uncertainty: float | None
    """How far the time may be off either way, as a share."""
    fixed_seconds: Fixed
    cost: float | None
    """In the user's currency; None also where no price is set."""
    memory_gb: float | None
    memory_detail: str
    room_gb: float | None
    """The memory that there is; None on a CPU."""
    source: str
    """``run``, ``probe``, ``model`` or ``none``."""
    detail: str
    """Where the figures come from, in words."""
    device: str
    budget: Budget
    preset: Chosen = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        """The settings as the run will have them, the preset's included."""
        return self.preset.settings

    @property
    def fits(self) -> bool | None:
        """Whether the memory will do; None where that is not known."""
        if self.memory_gb is None or self.room_gb is None:
            return None
        return self.memory_gb <= self.room_gb

    def record(self) -> dict[str, Any]:
        """As ``limner estimate --json`` prints it."""
        own = {key: value for key, value in vars(self).items() if key not in ("preset", "budget", "fixed_seconds")}
        return {
            **own,
            "fixed_seconds": asdict(self.fixed_seconds),
            "budget": asdict(self.budget),
            "preset": self.preset.record(),
            "warnings": list(self.warnings),
            "network": {"kind": self.settings.training.network.value, "factor": self.settings.training.lokr_factor},
            "base": {
                "model": self.settings.base.model,
                "family": family_in(self.settings).name,
                **(self.noise.record() if self.noise else {}),
            },
        }

    @property
    def noise(self) -> NoiseKind | None:
        """What the base model predicts; None: it is not downloaded yet. Raises BaseModelError."""
        return find_base(self.settings.base).noise


@dataclass(frozen=True)
class Ground:
    """What an estimate stands on and what moving a setting does not change."""

    card: Card | None
    own: tuple[tuple[str, Measured], ...]
    """What this project's runs measured, oldest first."""
    here: tuple[Measured, ...]
    """What was measured on this machine, oldest first."""


def ground_of(project: Project, card: Card | None = None) -> Ground:
    """Reads it; ``card`` instead of the machine's own where one is given."""
    own = tuple((job.id, found) for job in project.run_folders() if (found := of_run(job.path)) is not None)
    return Ground(card or card_here(), own, tuple(of_this_machine()))


def estimate_run(
    project: Project, changes: dict[str, Any] | None = None, what_if: WhatIf | None = None, ground: Ground | None = None
) -> RunEstimate:
    """Estimates a run of this project.

    Args:
        project: the project.
        changes: dotted settings for this estimate alone.
        what_if: what to take for granted.
        ground: from ``ground_of``, where it was read already.

    Raises:
        DatasetError: there are no images, or one has no caption.
        BaseModelError: the base model is not there.
        ProjectError, TrainingError: a setting is invalid.
    """
    what_if = what_if or WhatIf()
    ground = ground or ground_of(project, what_if.card)
    settings = with_changes(project.settings, changes or {})
    base = shape_of(find_base(settings.base))
    seen: int | Sequence[TrainingItem]
    if what_if.images is None:
        training_set = training_set_of(project, settings)
        seen, images = training_set.seen, len(training_set.seen)
        warnings = (*training_set.warnings(), *folders_passed_over(project))
        trained = of_the_person(training_set)
    else:
        seen = images = trained = what_if.images
        warnings = ()
    chosen = choose(settings, base, ground.card, trained)
    plan = plan_for(chosen.settings.training, seen)
    need = setting_of(chosen.settings, base, ground.card)
    timing = best_timing(need, ground.card, ground.own, ground.here)
    return _estimate(chosen, plan, images, need, timing, ground.card, warnings)


def setting_of(settings: Settings, base: BaseShape, card: Card | None) -> Setting:
    """What a step of a run with these settings will be like on a card, or a CPU. Raises TrainingError."""
    training = settings.training
    half = training.precision is Precision.BF16 or (training.precision is Precision.AUTO and card is not None)
    resolution = resolution_of(training, base)
    fitting = fitting_for(training, resolution, card.memory_gb if card is not None else None)
    return Setting(
        device=device_name(card),
        base=base.name,
        dtype="bfloat16" if half else "float32",
        optimizer=training.optimizer.value,
        resolution=resolution,
        batch=training.batch_size,
        accumulation=training.gradient_accumulation_steps,
        rank=training.rank,
        checkpointing=fitting.checkpointing,
        text_encoders=training.train_text_encoders,
        processes=training.processes,
        compiled=training.compile == "on",
        graphed=replays(
            training, fitting, card.memory_gb if card is not None else None, arithmetic_of(base.family, base.name)
        ),
        dropout=training.dropout > 0,
        ema=training.ema_decay is not None,
        family=base.family,
        factor=training.lokr_factor,
    )


def _estimate(
    chosen: Chosen,
    plan: events.Plan,
    images: int,
    need: Setting,
    timing: Timing,
    card: Card | None,
    warnings: tuple[str, ...],
) -> RunEstimate:
    training = chosen.settings.training
    samples = sample_settings(chosen.settings)
    guided = samples.painting.guidance_scale > 1
    remarks = remarks_on_base(chosen.settings)
    costs = reckoned(timing.costs, need, timing.seconds_per_step, guided)
    cadence = Cadence.of(samples.training, plan, len(sample_prompts(chosen.settings)))
    steps = _seconds_of_steps(plan, training.step_images, timing.seconds_per_step)
    besides = cadence.seconds(cadence.between(0, plan.steps), costs)
    in_epochs = cadence.seconds(cadence.within_epochs(0, plan.steps), costs)
    an_epoch = None if steps is None else steps + in_epochs.known / plan.epochs
    fixed = Fixed(costs.loading, _caching(costs, images), besides.saving, besides.validating, besides.painting)
    total = None if steps is None else steps * plan.epochs + fixed.known
    price = training.price_per_hour
    once = (fixed.loading or 0.0) + (fixed.caching or 0.0)
    with_pictures = None if steps is None else steps + besides.known / plan.epochs
    budget = epochs_within(training, plan.epochs, once, with_pictures)
    return RunEstimate(
        images=plan.images,
        repeats=plan.repeats,
        epochs=plan.epochs,
        batch=plan.batch,
        image_steps=plan.image_steps,
        steps=plan.steps,
        steps_per_epoch=plan.steps_per_epoch,
        formula=formula(plan),
        seconds_per_step=timing.seconds_per_step,
        seconds_per_epoch=an_epoch,
        seconds_total=total,
        uncertainty=timing.uncertainty,
        fixed_seconds=fixed,
        cost=price * total / 3600 if price and total is not None else None,
        memory_gb=timing.memory_gb,
        memory_detail=timing.memory_detail,
        room_gb=room_gb(card, chosen.preset.gb if chosen.preset else None),
        source=timing.source.value,
        detail=timing.detail,
        device=device_name(card),
        budget=budget,
        preset=chosen,
        warnings=(*warnings, *remarks, *_warnings(training.budget, price, timing, card)),
    )


def _seconds_of_steps(plan: events.Plan, images_a_step: int, a_step: float | None) -> float | None:
    """An epoch's steps. Each bucket's last step may see fewer images, and takes less by as much."""
    if a_step is None:
        return None
    seen = plan.image_steps / plan.epochs
    return a_step * min(plan.steps_per_epoch, max(seen / images_a_step, plan.steps_per_epoch - 1 + 1 / images_a_step))


def _caching(costs: Costs, images: int) -> float | None:
    if costs.image is None and costs.caption is None:
        return None
    return images * ((costs.image or 0.0) + (costs.caption or 0.0))


def _warnings(budget: float | None, price: float, timing: Timing, card: Card | None) -> list[str]:
    told = []
    if budget is not None and not price:
        told.append("training.budget is set and training.price_per_hour (--price) is not: there is nothing to stop by")
    if card is not None and timing.memory_gb is not None and timing.memory_gb > card.memory_gb:
        told.append(
            f"{timing.memory_gb:.1f} GB will hardly fit into {card.memory_gb:.1f}: the run steps down by itself, "
            "which costs time"
        )
    return told


__all__ = ["Fixed", "Ground", "RunEstimate", "Source", "WhatIf", "estimate_run", "ground_of", "setting_of"]
