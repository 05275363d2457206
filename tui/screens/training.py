"""Screen 4: before a run what it will take, and then how it goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import LimnerError
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.settings import Settings
from engine.training.runs import RunStatus
from tui.actions import Scope
from tui.bindings import bindings_for
from tui.run_watch import Seen
from tui.screens.base import WorkScreen
from tui.screens.dialogs import Confirm
from tui.widgets.dials import Dial, Dials, Number
from tui.widgets.ink import Ink, Line, content_of, key_line, spread, width_of
from tui.widgets.loss_chart import LossChart
from tui.widgets.meter import bar, clock
from tui.widgets.rows import Rows
from tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from pathlib import Path

    from engine.training.estimate import RunEstimate

COUNTS = (*range(1, 21), 25, 30, 40, 50, 75, 100, 150, 200)
RATES = tuple(round(digit * 10.0**power, 9) for power in range(-6, -1) for digit in (1, 2, 3, 5, 7))

DIALS = (
    Dial("training.repeats", "repeats", COUNTS, "how often an epoch sees each image"),
    Dial("training.epochs", "epochs", COUNTS, "each ends with a checkpoint"),
    Dial("training.batch", "batch", (1, 2, 3, 4, 6, 8, 12, 16, 24, 32), "images a step"),
    Dial("training.rank", "rank", (2, 4, 8, 16, 24, 32, 48, 64, 96, 128), "the size of what is learnt"),
    Dial("training.learning_rate", "learning rate", RATES, "how boldly each step moves", "{:g}".format),
)

STATES: dict[JobState, Ink] = {
    JobState.DONE: Ink.GOOD,
    JobState.FAILED: Ink.BAD,
    JobState.STOPPING: Ink.ATTENTION,
    JobState.PAUSED: Ink.ATTENTION,
}


def now_lines(status: RunStatus, width: int) -> list[Line]:
    """The run's figures, one a line, right-aligned with their units."""
    ended = status.state.ended
    rows: list[tuple[str, str, Ink]] = [
        ("state", status.state.value, STATES.get(status.state, Ink.ACTIVE)),
        ("epoch", f"{status.epoch} of {status.epochs}" if status.epochs else "–", Ink.PLAIN),
        ("step", f"{status.step:,} of {status.steps:,}" if status.steps else "–", Ink.PLAIN),
        ("loss", _figure(status.loss, "{:.4f}"), Ink.MUTED),
        ("average", _figure(status.average_loss, "{:.4f}"), Ink.STRONG),
        ("images/s", _figure(status.images_per_s, "{:.1f}"), Ink.PLAIN),
        ("memory", _figure(status.memory_gb, "{:.1f} GB"), Ink.PLAIN),
    ]
    if status.cost:
        rows.append(("cost", f"{status.cost:.2f}", Ink.PLAIN))
    if ended and status.started_at and status.ended_at:
        rows.append(("took", clock(status.ended_at - status.started_at), Ink.PLAIN))
    return [spread([(name, Ink.MUTED)], [(value, ink)], width) for name, value, ink in rows]


def bar_line(name: str, share: float, left: str, width: int) -> Line:
    """``epoch ███████─────  41 %   0:07 left``."""
    tail: Line = [(f" {share:>4.0%}", Ink.STRONG), (f"{left:>16}", Ink.MUTED)]
    return [(f"{name:<6}", Ink.MUTED), *bar(share, max(4, width - 6 - width_of(tail))), *tail]


def trouble(status: RunStatus) -> Line:
    """What went wrong, or what the run is preparing; empty while it simply learns."""
    if status.error is not None:
        return [("✗ ", Ink.BAD), (LimnerError(status.error.message, status.error.fix).one_line(), Ink.PLAIN)]
    if status.state is JobState.FAILED:
        return [("✗ ", Ink.BAD), (status.reason or "the run failed", Ink.PLAIN)]
    if status.live and not status.step and status.phase is not None:
        phase = status.phase
        count = f" {phase.done:,} of {phase.total:,}" if phase.total else ""
        return [("· ", Ink.ATTENTION), (f"{phase.name}{count}", Ink.PLAIN)]
    if status.live and not status.step:
        return [("· ", Ink.ATTENTION), ("getting ready", Ink.PLAIN)]
    if status.warnings:
        return [("! ", Ink.ATTENTION), (status.warnings[-1], Ink.PLAIN)]
    if status.reason:
        return [("· ", Ink.MUTED), (status.reason, Ink.MUTED)]
    return []


def estimate_lines(estimate: RunEstimate, settings: Settings, width: int) -> list[Line]:
    """What a run with these settings will take."""
    training = settings.training
    rows = [
        ("image-steps", f"{estimate.image_steps:,}"),
        ("optimizer steps", f"{estimate.steps:,}"),
        ("checkpoints", f"{estimate.epochs:,}"),
        ("alpha / rank", f"{training.effective_alpha:g} / {training.rank}"),
        ("an epoch", clock(estimate.seconds_per_epoch)),
        ("all epochs", clock(estimate.seconds_total)),
    ]
    if estimate.memory_gb is not None:
        rows.append(("memory", f"{estimate.memory_gb:.1f} GB"))
    if estimate.cost is not None:
        rows.append(("cost", f"{estimate.cost:.2f}"))
    figures = [spread([(name, Ink.MUTED)], [(value, Ink.STRONG)], width) for name, value in rows]
    return [*figures, [], [(f"time {estimate.detail}", Ink.MUTED)]]


def checkpoint_line(entry: tuple[int, Path], width: int) -> Line:
    """A checkpoint's row: which epoch, its name, its size."""
    number, path = entry
    try:
        size = f"{path.stat().st_size / 1e6:,.1f} MB"
    except OSError:
        size = "gone"
    return spread([(f"{number:>3}  ", Ink.MUTED), (path.stem, Ink.PLAIN)], [(f"{size} ", Ink.MUTED)], width)


def _figure(value: float | None, shape: str) -> str:
    return "–" if value is None else shape.format(value)


class TrainingScreen(WorkScreen):
    """The plan of the next run, and the runs that there are; tab goes round."""

    SCOPE = Scope.TRAINING
    CSS_PATH = "training.tcss"
    BINDINGS = bindings_for(Scope.TRAINING)
    AUTO_FOCUS = ""
    NOTHING: ClassVar[tuple[Line, ...]] = (
        [("Here the LoRA is trained: settings first, then the loss as it falls.", Ink.PLAIN)],
        [],
        [("There are no training images yet.", Ink.ATTENTION)],
        [],
        key_line("3", "goes to Dataset, where b builds them."),
        key_line("2", "goes to Faces, to keep some."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._planning = True
        self._seen = Seen()
        self._estimate: RunEstimate | None = None
        self._settings: Settings | None = None
        self._attached: set[str] = set()

    def body(self) -> Iterable[Widget]:
        """The plan and the run, one of which is shown."""
        with Horizontal(id="plan"):
            with Vertical(id="dials-pane", classes="pane") as pane:
                pane.border_title = "settings"
                yield Dials(DIALS, id="dials")
                yield Static(id="base")
            with Vertical(id="takes-pane", classes="pane") as pane:
                pane.border_title = "what it takes"
                yield Sheet(id="takes")
        with Vertical(id="run"):
            with Horizontal(id="live"):
                with Vertical(id="chart-pane", classes="pane"):
                    yield LossChart(id="chart")
                with Vertical(id="now-pane", classes="pane") as pane:
                    pane.border_title = "now"
                    yield Sheet(id="now")
            yield Sheet(id="bars")
            with Vertical(id="checkpoints-pane", classes="pane") as pane:
                pane.border_title = "checkpoints"
                yield Rows[Any](checkpoint_line, id="checkpoints")

    def on_mount(self) -> None:
        """Begins with the plan; a live run takes over when it is seen."""
        super().on_mount()
        self._switch(planning=True)

    @property
    def shown_run(self) -> RunStatus | None:
        """The run on the screen; None while planning."""
        return None if self._planning else self._seen.shown

    def shown(self) -> None:
        """Reads the settings and the dataset anew, and wants the curve from now on."""
        if self.limner.watch_over_runs is not None:
            self.limner.watch_over_runs.with_curve = True
            self.limner.look_now()
        self.runs_seen(self.limner.seen)
        self._plan()

    def on_screen_suspend(self) -> None:
        """Nobody looks at the curve."""
        if self.limner.watch_over_runs is not None:
            self.limner.watch_over_runs.with_curve = False

    def on_resize(self) -> None:
        """Everything has another width."""
        super().on_resize()
        self.call_after_refresh(self._show)

    def status(self) -> Line:
        """The formula that a person checks."""
        from engine.training.plan import formula

        run = self.shown_run
        if run is not None:
            return [(formula(run.plan), Ink.MUTED)] if run.plan else []
        return [(self._estimate.formula, Ink.ACTIVE)] if self._estimate else []

    def focus_list(self) -> None:
        """What the arrow keys act on."""
        self.query_one("#dials" if self._planning else "#checkpoints").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A run is started from the plan, and stopped where it is seen."""
        run = self.shown_run
        if action == "start":
            return self._planning
        if action in ("stop_after_epoch", "stop_now"):
            return run is not None and run.live
        if action == "plan":
            return not self._planning
        if action == "paint":
            return run is not None and bool(run.checkpoints)
        if action in ("next_run", "previous_run"):
            return bool(self._seen.ids)
        return True

    def runs_seen(self, seen: Seen) -> None:
        """Attaches to a run that lives, and shows what is new."""
        super().runs_seen(seen)
        self._seen = seen
        newest = seen.newest
        if newest is not None and newest.live and newest.id not in self._attached:
            self._attached.add(newest.id)
            self._want(None)
            self._switch(planning=False)
        self._show()

    def action_start(self) -> None:
        """Starts a run with the settings shown."""
        project = self.project

        def begin() -> JobFolder:
            from engine.training.start import start_training

            return start_training(project)

        def begun(job: JobFolder) -> None:
            self._attached.add(job.id)
            self._want(None)
            self._switch(planning=False)
            self.limner.look_now()
            self.say("Started. It goes on when this terminal closes.")

        self.do("start", begin, begun)

    def action_stop_after_epoch(self) -> None:
        """Asks the run to end with this epoch."""
        self._ask(Request.STOP_AFTER_EPOCH, "It stops when this epoch ends, with its checkpoint.")

    def action_stop_now(self) -> None:
        """Asks first, then asks the run to end."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(Request.STOP, "It stops after this step; what was learnt since the last epoch is lost.")

        self.app.push_screen(Confirm("Stop training now?", "Checkpoints of finished epochs stay."), answered)

    def action_next_run(self) -> None:
        """The plan, then the runs from the newest to the oldest, then the plan again."""
        self._go_round(1)

    def action_previous_run(self) -> None:
        """The same the other way."""
        self._go_round(-1)

    def action_plan(self) -> None:
        """The plan of a new run."""
        self._switch(planning=True)
        self._plan()

    def action_paint(self) -> None:
        """To the prompts."""
        self.app.switch_mode(Scope.PROMPTS.value)

    @on(Dials.Turned)
    def _turned(self, event: Dials.Turned) -> None:
        self.attempt(lambda: self.project.change({event.dial.key: event.value}))
        self._plan()

    def _go_round(self, by: int) -> None:
        stops: list[str | None] = [None, *self._seen.ids]
        run = self.shown_run
        at = stops.index(run.id) if run is not None and run.id in stops else 0
        chosen = stops[(at + by) % len(stops)]
        if chosen is not None:
            self._want(chosen)
            self.limner.look_now()
        self._switch(planning=chosen is None)

    def _want(self, run_id: str | None) -> None:
        if self.limner.watch_over_runs is not None:
            self.limner.watch_over_runs.wanted = run_id

    def _ask(self, request: Request, told: str) -> None:
        run = self.shown_run
        if run is not None:
            self.attempt(lambda: JobFolder(run.folder).ask(request))
            self.say(told)

    def _switch(self, planning: bool) -> None:
        self._planning = planning
        self.query_one("#plan").display = planning
        self.query_one("#run").display = not planning
        self.QUESTION = "What will it take?" if planning else "How does it go?"
        if not planning:
            self.show_empty(None)
        self.focus_list()
        self.ask()
        self.keys_changed()
        self.call_after_refresh(self._show)

    def _plan(self) -> None:
        """Reads the settings and estimates, in a thread, for the dataset is read, too."""
        project = self.project

        def work() -> tuple[Settings, RunEstimate]:
            from engine.training.estimate import estimate_run

            return project.settings, estimate_run(project)

        self.do("plan", work, self._planned, self._not_planned)

    def _planned(self, planned: tuple[Settings, RunEstimate]) -> None:
        self._settings, self._estimate = planned
        self.show_empty(None)
        self._show()

    def _not_planned(self, error: LimnerError) -> None:
        from engine.errors import DatasetError

        self._estimate = None
        if not self._planning:
            return
        if isinstance(error, DatasetError):
            self.show_empty((*self.NOTHING, [], [(error.one_line(), Ink.MUTED)]))
        else:
            self.show_error(error)

    def _show(self) -> None:
        run = self.shown_run
        if run is None:
            self._show_plan()
        else:
            self._show_run(run)
        self.ask()
        self.keys_changed()

    def _show_plan(self) -> None:
        if self._settings is None or self._estimate is None:
            return
        training = self._settings.training
        values: dict[str, Number] = {dial.key: getattr(training, dial.key.partition(".")[2]) for dial in DIALS}
        self.query_one("#dials", Dials).show(values)
        words: Line = [("base model  ", Ink.MUTED), (self._settings.base.model, Ink.PLAIN)]
        keep: Line = [("Each key is saved in limner.toml at once.", Ink.MUTED)]
        self.query_one("#base", Static).update(content_of([], words, [], keep))
        estimate, settings = self._estimate, self._settings
        self.query_one("#takes", Sheet).draw(lambda width: estimate_lines(estimate, settings, width))

    def _show_run(self, run: RunStatus) -> None:
        plan = run.plan
        self.query_one("#chart", LossChart).show(self._seen.curve, run.steps, plan.steps_per_epoch if plan else 0)
        pane = self.query_one("#chart-pane")
        number = self._seen.ids.index(run.id) + 1 if run.id in self._seen.ids else 1
        pane.border_title = f"loss · average · {run.id}"
        pane.border_subtitle = f"run {number} of {len(self._seen.ids)}" if len(self._seen.ids) > 1 else ""
        self.query_one("#now", Sheet).draw(lambda width: now_lines(run, width))
        epoch_left = f"{clock(run.epoch_remaining_seconds)} left" if run.live else ""
        run_left = f"{clock(run.remaining_seconds)} left" if run.live else ""
        self.query_one("#bars", Sheet).draw(
            lambda width: [
                bar_line("epoch", run.epoch_share, epoch_left, width),
                bar_line("run", run.share, run_left, width),
                trouble(run),
            ]
        )
        rows: Rows[Any] = self.query_one("#checkpoints", Rows)
        entries = list(enumerate(run.checkpoints, start=1))[::-1]
        if entries != rows.items:
            rows.show(entries)
