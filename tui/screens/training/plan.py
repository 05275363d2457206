"""The plan of a new run: settings that move under the arrow keys, and what the run will take with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget

from tui.text.meter import bar, clock
from tui.theming.keymap import hint_line
from tui.widgets.ink import Ink, Line, cut, spread
from tui.widgets.sheet import Sheet
from tui.widgets.value_list import ROOMY, Dial, Dials, Number

if TYPE_CHECKING:
    from engine.errors import LimnerError
    from engine.models.shape import BaseShape
    from engine.training.planning.estimate import Ground, RunEstimate
    from engine.training.planning.presets import Choice
    from tui.screens.shared.base import WorkScreen

IMAGES = "images"
"""The dial that is no setting: so many photos, whatever the dataset has."""

COUNTS = (*range(1, 21), 25, 30, 40, 50, 75, 100, 150, 200)
RATES = tuple(round(digit * 10.0**power, 9) for power in range(-6, -1) for digit in (1, 2, 3, 5, 7))
SIDES = (0.5, 0.625, 0.75, 0.875, 1, 1.25, 1.5)
"""Resolutions, in that which the base was made for."""

DIALS = (
    Dial(IMAGES, "photos", COUNTS, "try more or fewer"),
    Dial("training.repeats", "repeats", COUNTS, "uses of each image per epoch"),
    Dial("training.epochs", "epochs", COUNTS, "each ends with a checkpoint"),
    Dial("training.resolution", "resolution", (512, 768, 1024), "pixels per side", "{:}".format),
    Dial("training.batch_size", "batch", (1, 2, 3, 4, 6, 8, 12, 16, 24, 32), "images per batch"),
    Dial("training.rank", "rank", (2, 4, 8, 16, 24, 32, 48, 64, 96, 128), "size of the LoRA"),
    Dial("training.learning_rate", "learning rate", RATES, "how large each step is", "{:g}".format),
)


@dataclass(frozen=True)
class Planned:
    """What a thread found out for the plan."""

    estimate: RunEstimate
    base: BaseShape
    base_name: str
    ground: Ground
    in_dataset: int | None
    """How many images the dataset has; None where it has none."""


def estimate_lines(estimate: RunEstimate, width: int) -> list[Line]:
    """What a run will take, figure by figure; sums below what they are made of."""
    off = f" ±{estimate.uncertainty:.0%}" if estimate.uncertainty is not None else ""
    fixed = estimate.fixed_seconds
    rows: list[tuple[str, str, Ink]] = [
        ("image-steps", f"{estimate.image_steps:,}", Ink.STRONG),
        ("optimizer steps", f"{estimate.steps:,}", Ink.PLAIN),
        ("an epoch", f"{clock(estimate.seconds_per_epoch)}{off}", Ink.STRONG),
        ("loading", clock(fixed.loading), Ink.MUTED),
        ("encoding", clock(fixed.caching), Ink.MUTED),
        ("checkpoints", clock(fixed.saving), Ink.MUTED),
        *([("held-out images", clock(fixed.validating), Ink.MUTED)] if fixed.validating else []),
        *([("pictures", clock(fixed.painting), Ink.MUTED)] if fixed.painting else []),
        ("total", f"{clock(estimate.seconds_total)}{off}", Ink.STRONG),
    ]
    if estimate.cost is not None:
        rows.append(("cost", f"{estimate.cost:,.2f}", Ink.STRONG))
    budget = estimate.budget
    if budget.epochs is not None:
        words = f"stops after {budget.epochs} of {estimate.epochs}" if budget.passes else "enough"
        rows.append(("budget", words, Ink.ATTENTION if budget.passes else Ink.GOOD))
    lines: list[Line] = [spread([(name, Ink.MUTED)], [(value, ink)], width) for name, value, ink in rows]
    return [*lines, [], *memory_lines(estimate, width), [], *source_lines(estimate)]


def memory_lines(estimate: RunEstimate, width: int) -> list[Line]:
    """The memory against the card's, as figures and as a bar."""
    if estimate.memory_gb is None:
        return [spread([("memory", Ink.MUTED)], [("–", Ink.PLAIN)], width)]
    if estimate.room_gb is None:
        return [spread([("memory", Ink.MUTED)], [(f"{estimate.memory_gb:.1f} GB", Ink.PLAIN)], width)]
    ink = Ink.STRONG if estimate.fits else Ink.BAD
    words = f"{estimate.memory_gb:.1f} of {estimate.room_gb:.1f} GB"
    lines: list[Line] = [spread([("memory", Ink.MUTED)], [(words, ink)], width)]
    full = bar(estimate.memory_gb / estimate.room_gb, width)
    lines.append(full if estimate.fits else [(text, Ink.BAD) for text, _ in full])
    return lines if estimate.fits else [*lines, [("too much: the run falls back", Ink.BAD)]]


def source_lines(estimate: RunEstimate) -> list[Line]:
    """Where the figures come from."""
    ink = Ink.ATTENTION if estimate.source == "none" else Ink.MUTED
    names = {"run": "", "probe": "", "model": "a model: ", "none": ""}
    return [[(f"{names.get(estimate.source, '')}{estimate.detail}", ink)]]


def choice_words(choice: Choice) -> Line:
    """``by the preset: there is room for more detail``, or ``yours; the preset has 32``."""
    if not choice.own:
        return [("by the preset: ", Ink.ACTIVE), (choice.reason, Ink.MUTED)]
    if choice.value == choice.preset_value:
        return [("yours, same as the preset", Ink.MUTED)]
    return [("yours; ", Ink.PLAIN), (f"the preset has {shown(choice.preset_value)}", Ink.MUTED)]


def shown(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def about_lines(planned: Planned, dial: Dial, width: int) -> list[Line]:
    """What stands below the settings: the one under the cursor, the base, the card, the preset's other choices."""
    choices = {f"training.{each.key}": each for each in planned.estimate.preset.choices}
    lines: list[Line] = [[]]
    own = choices.get(dial.key)
    if own is not None:
        lines.append([(f"{dial.label}  ", Ink.STRONG), *choice_words(own)])
    elif dial.key == IMAGES and planned.in_dataset not in (None, planned.estimate.images):
        lines.append([("photos  ", Ink.STRONG), (f"what if; the dataset has {planned.in_dataset}", Ink.ATTENTION)])
    elif width <= ROOMY:
        # With more room each setting's note stands beside it.
        lines.append([(f"{dial.label}  ", Ink.STRONG), (dial.note, Ink.MUTED)])
    lines += [[], [("base    ", Ink.MUTED), (planned.base_name, Ink.PLAIN)]]
    training = planned.estimate.settings.training
    if training.lokr_factor is not None:
        lines.append([("network ", Ink.MUTED), (training.network_words, Ink.PLAIN)])
    lines.append([("device  ", Ink.MUTED), (planned.estimate.device, Ink.PLAIN)])
    lines.append([("preset  ", Ink.MUTED), (planned.estimate.preset.why, Ink.PLAIN)])
    dialled = {each.key for each in DIALS}
    for key, choice in choices.items():
        if key not in dialled:
            name = choice.key.replace("gradient_", "")
            why = "yours" if choice.own else choice.reason
            lines.append([(f"        {name} {shown(choice.value)}", Ink.PLAIN), (f" · {why}", Ink.MUTED)])
    return [*lines[:2], *(cut(line, width) for line in lines[2:])]


class TrainingPlan(Horizontal):
    """Settings at the left, what they take at the right."""

    @dataclass
    class Changed(Message):
        """There is another estimate, or none: then the error that says why."""

        error: LimnerError | None = None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._planned: Planned | None = None
        self._images: int | None = None
        self._probing: Line = []

    def compose(self) -> Iterable[Widget]:
        """Both panes."""
        with Vertical(id="dials-pane", classes="pane") as pane:
            pane.border_title = "settings"
            yield Dials(DIALS, id="dials")
            yield Sheet(id="about")
        with Vertical(id="takes-pane", classes="pane") as pane:
            pane.border_title = "cost"
            yield Sheet(id="takes")

    @property
    def estimate(self) -> RunEstimate | None:
        """The estimate shown; None before the first, and where there can be none."""
        return self._planned.estimate if self._planned else None

    @property
    def what_if(self) -> bool:
        """Whether the plan is for another number of photos than there are."""
        return self._images is not None

    def read(self, anew: bool = True) -> None:
        """Estimates in a thread, for the dataset is read, too; ``anew``: what was measured is read again as well."""
        project, images = self._work_screen.project, self._images
        ground = None if anew or self._planned is None else self._planned.ground

        def work() -> Planned:
            from engine.dataset.files.layout import DatasetFolder
            from engine.models.locate import find_base
            from engine.models.registry import family_of, shape_of
            from engine.models.shape import FIRST_FAMILY
            from engine.training.planning.estimate import WhatIf, estimate_run, ground_of

            base = find_base(project.settings.base)
            known = ground or ground_of(project)
            estimate = estimate_run(project, None, WhatIf(images), known)
            there = len(DatasetFolder(project).image_paths()) if images is not None else None
            name = project.settings.base.model
            # SDXL and its own way go without saying here.
            family = family_of(base)
            if family.name != FIRST_FAMILY:
                name = f"{family.title}: {name}"
            elif base.noise is not None and base.noise.pairs():
                name = f"{name}, {base.noise.words()}"
            return Planned(estimate, shape_of(base), name, known, there)

        self._work_screen.run_latest("plan", work, self._take, self._refuse)

    def tell(self, probing: Line) -> None:
        """Shows how a probe stands in the place of where the figures come from; nothing: no probe."""
        self._probing = probing
        self._draw()

    def leave_to_preset(self) -> None:
        """Takes the setting under the cursor out of ``limner.toml``, or the photos back to those that there are."""
        dial = self.query_one(Dials).dial
        if dial.key == IMAGES:
            self._images = None
        else:
            self._work_screen.try_show(lambda: self._work_screen.project.change({dial.key: None}))
        self.read(anew=False)

    @on(Dials.Turned)
    def _turned(self, event: Dials.Turned) -> None:
        event.stop()
        if event.dial.key == IMAGES:
            self._images = int(event.value)
        else:
            self._work_screen.try_show(lambda: self._work_screen.project.change({event.dial.key: event.value}))
        self.read(anew=False)

    @on(Dials.Moved)
    def _moved(self, event: Dials.Moved) -> None:
        event.stop()
        self._draw()

    def _take(self, planned: Planned) -> None:
        self._planned = planned
        self._draw()
        self.post_message(self.Changed())

    def _refuse(self, error: LimnerError) -> None:
        self._planned = None
        self.post_message(self.Changed(error))

    def _draw(self) -> None:
        if self._planned is None:
            return
        planned, training = self._planned, self._planned.estimate.settings.training
        values: dict[str, Number] = {IMAGES: planned.estimate.images}
        for dial in DIALS[1:]:
            values[dial.key] = getattr(training, dial.key.partition(".")[2]) or planned.base.resolution
        dials = self.query_one(Dials)
        dials.show(values, [replace(each, ladder=_sides(planned.base)) if _is_side(each) else each for each in DIALS])
        self.query_one("#about", Sheet).draw(lambda width: about_lines(planned, dials.dial, width))
        self.query_one("#takes", Sheet).draw(lambda width: self._takes(planned.estimate, width))

    def _takes(self, estimate: RunEstimate, width: int) -> list[Line]:
        lines = estimate_lines(estimate, width)
        if estimate.source == "none" and not self._probing:
            lines.append(hint_line("{training.probe} measures, in a few steps", self._work_screen.limner.keys))
        return [*lines[: -len(source_lines(estimate))], self._probing] if self._probing else lines

    @property
    def _work_screen(self) -> WorkScreen:
        return cast("WorkScreen", self.screen)


def _is_side(dial: Dial) -> bool:
    return dial.key == "training.resolution"


def _sides(base: BaseShape) -> tuple[int, ...]:
    """Resolutions that the base can do."""
    return tuple(sorted({max(base.grain, round(base.resolution * each / base.grain) * base.grain) for each in SIDES}))
