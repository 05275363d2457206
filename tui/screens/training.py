"""Screen 4: before a run what it will take, and then how it goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.widget import Widget

from engine.errors import DatasetError
from engine.jobs.folder import JobFolder, Request
from engine.training.runs import RunStatus
from tui.actions import Scope
from tui.bindings import bindings_for
from tui.run_watch import Seen
from tui.screens.base import WorkScreen
from tui.screens.dialogs import Confirm
from tui.screens.probing import Probing
from tui.screens.training_plan import TrainingPlan
from tui.screens.training_watch import RunView
from tui.widgets.ink import Ink, Line, key_line


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
        self._attached: set[str] = set()
        self._probing = Probing(self, lambda line: self._plan.tell(line), self._probed)

    def body(self) -> Iterable[Widget]:
        """The plan and the run, one of which is shown."""
        yield TrainingPlan(id="plan")
        yield RunView(id="run")

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
        self._plan.read()

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

        run, estimate = self.shown_run, self._plan.estimate
        if run is not None:
            return [(formula(run.plan), Ink.MUTED)] if run.plan else []
        return [(estimate.formula, Ink.ATTENTION if self._plan.what_if else Ink.ACTIVE)] if estimate else []

    def focus_list(self) -> None:
        """What the arrow keys act on."""
        self.query_one("#dials" if self._planning else "#checkpoints").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A run is started from the plan, and stopped where it is seen."""
        run = self.shown_run
        if action in ("start", "leave_to_preset"):
            return self._planning
        if action == "probe":
            return self._planning and not self._probing.going
        if action == "stop_probe":
            return self._planning and self._probing.going
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

    def action_probe(self) -> None:
        """Takes a few real steps with the settings shown, and estimates by them."""
        self._probing.start()
        self.keys_changed()

    def action_stop_probe(self) -> None:
        """Ends them."""
        self._probing.stop()

    def action_leave_to_preset(self) -> None:
        """Takes back what was set by hand."""
        self._plan.leave_to_preset()

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
        self._plan.read()

    def action_paint(self) -> None:
        """To the prompts."""
        self.app.switch_mode(Scope.PROMPTS.value)

    @on(TrainingPlan.Changed)
    def _planned(self, event: TrainingPlan.Changed) -> None:
        if event.error is None:
            self.show_empty(None)
        elif self._planning and isinstance(event.error, DatasetError):
            self.show_empty((*self.NOTHING, [], [(event.error.one_line(), Ink.MUTED)]))
        elif self._planning:
            self.show_error(event.error)
        self._show()

    def _probed(self) -> None:
        self._plan.read()
        self.keys_changed()

    @property
    def _plan(self) -> TrainingPlan:
        return self.query_one(TrainingPlan)

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
        self._plan.display = planning
        self.query_one(RunView).display = not planning
        self.QUESTION = "What will it take?" if planning else "How does it go?"
        if not planning:
            self.show_empty(None)
        self.focus_list()
        self.ask()
        self.keys_changed()
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        run = self.shown_run
        if run is not None:
            self.query_one(RunView).show(run, self._seen)
        self.ask()
        self.keys_changed()
