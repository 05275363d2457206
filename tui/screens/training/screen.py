"""Screen 4: before a run what it will take, and then how it goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on
from textual.widget import Widget

from engine.errors import DatasetError, DiskFull
from engine.events import JobState
from engine.jobs.folder import JobFolder, Request
from engine.pictures.gallery.lora_choice import LoraChoice
from engine.training.runs.run_status import RunStatus
from tui.actions import Action, Scope
from tui.app.background.run_watcher import Seen
from tui.app.session_state import Left
from tui.screens.shared.base import WorkScreen
from tui.screens.shared.dialogs import Confirm
from tui.screens.training.other_machine import start_on_another
from tui.screens.training.plan import TrainingPlan
from tui.screens.training.probe import Probing
from tui.screens.training.watch import NEXT_BELOW, Below, RunView, sample_words
from tui.text.charts.view import Measure, View
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, Line, key_line
from tui.widgets.portrait import Subject

if TYPE_CHECKING:
    from tui.screens.prompts.screen import PromptsScreen


class TrainingScreen(WorkScreen):
    """The plan of the next run, and the runs that there are; tab goes round."""

    SCOPE = Scope.TRAINING
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings_for(Scope.TRAINING)
    AUTO_FOCUS = ""
    EMPTY = (
        [("Train the LoRA: first its settings, then its progress.", Ink.PLAIN)],
        [],
        [("There are no training images yet.", Ink.ATTENTION)],
        [],
        key_line("{app.dataset}", "goes to Dataset, where {dataset.build} builds them."),
        key_line("{app.faces}", "goes to Faces, to keep some."),
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
        self._switch(planning=True)

    def save_state(self) -> Left:
        """Also which run was looked at, none while planning, and how."""
        run, view = self.shown_run, self._run_view.view
        how = {"measure": view.measure.value, "by_time": view.by_time, "logarithmic": view.logarithmic}
        return {
            **super().save_state(),
            "run": run.id if run is not None else None,
            "below": self._run_view.below.value,
            "view": how,
        }

    def restore_state(self, left: Left) -> None:
        """Takes all of it up again, the run if it is still there."""
        super().restore_state(left)
        run, below, how = left.get("run"), left.get("below"), left.get("view")
        if isinstance(below, str) and below in list(Below):
            self._run_view.go_below(Below(below))
        if isinstance(how, dict) and how.get("measure") in list(Measure):
            straight = View(Measure(how["measure"]), how.get("by_time") is True, how.get("logarithmic") is True)
            self._run_view.look(straight)
        if isinstance(run, str) and any(folder.id == run for folder in self.project.run_folders()):
            self._want(run)
            self._switch(planning=False)

    @property
    def shown_run(self) -> RunStatus | None:
        """The run on the screen; None while planning."""
        return None if self._planning else self._seen.shown

    def shown(self) -> None:
        """Reads the settings and the dataset anew, and wants the curve from now on."""
        if self.limner.watch_over_runs is not None:
            self.limner.watch_over_runs.with_curve = True
            self.limner.watch_over_runs.with_printed = self._run_view.below is Below.PRINTED
            self.limner.look_now()
        self.runs_seen(self.limner.seen)
        self._plan.read()

    def on_screen_suspend(self) -> None:
        """Nobody looks at the curve, unless it is only a dialog that lies over it."""
        if self in self.app.screen_stack:
            return
        if self.limner.watch_over_runs is not None:
            self.limner.watch_over_runs.with_curve = False
            self.limner.watch_over_runs.with_printed = False

    def on_resize(self) -> None:
        """Everything has another width."""
        self.call_after_refresh(self._show)

    def status(self) -> Line:
        """The formula that a person checks."""
        from engine.training.planning.plan import formula

        run, estimate = self.shown_run, self._plan.estimate
        if run is not None:
            return [(formula(run.plan), Ink.MUTED)] if run.plan else []
        return [(estimate.formula, Ink.ATTENTION if self._plan.what_if else Ink.ACTIVE)] if estimate else []

    def focus_list(self) -> None:
        """What the arrow keys act on."""
        (self.query_one("#dials") if self._planning else self._run_view.list).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A run is started from the plan, and stopped where it is seen."""
        run = self.shown_run
        if action in ("start", "start_on", "leave_to_preset"):
            return self._planning and not self.is_empty
        if action == "probe":
            return self._planning and not self._probing.going and not self.is_empty
        if action == "stop_probe":
            return self._planning and self._probing.going
        if action in ("stop_after_epoch", "stop_now", "sample"):
            return run is not None and run.live
        if action == "pause":
            return run is not None and (run.state is not JobState.DONE or run.stopped)
        if action in ("plan", "log", "scale", "axis", "curve"):
            return not self._planning
        if action == "mark":
            return run is not None and (len(self._seen.ids) > 1 or bool(self._seen.compared))
        if action == "view":
            return not self._planning and bool(self._run_view.samples())
        if action in ("paint", "grid"):
            return run is not None and bool(run.checkpoints)
        if action in ("next_run", "previous_run"):
            return bool(self._seen.ids)
        return True

    def label_of(self, action: Action) -> str:
        """A run that stands still goes on by the key that pauses one that goes on."""
        run = self.shown_run
        stands = run is not None and (not run.live or run.state is JobState.PAUSED)
        return "resume" if action.verb == "pause" and stands else super().label_of(action)

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
            from engine.training.runs.start import start_training

            return start_training(project)

        self.run_latest("start", begin, self._begun)

    def action_start_on(self) -> None:
        """The same on another machine."""
        start_on_another(self, self._begun)

    def _begun(self, job: JobFolder) -> None:
        self._attached.add(job.id)
        self._want(None)
        self._switch(planning=False)
        self.limner.look_now()
        self.say("Started. It continues when this terminal closes.")

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

    def action_pause(self) -> None:
        """Pauses a run that goes on; goes on with one that is paused, or that was stopped or died."""
        run = self.shown_run
        if run is None:
            return
        job = JobFolder(run.folder)
        if run.live and run.state is not JobState.PAUSED:
            self.try_show(lambda: job.answered(Request.RESUME))
            self._ask(Request.PAUSE, "Pausing after this step; the GPU stays in use. {training.pause} resumes.")
        elif run.live:
            self._ask(Request.RESUME, "Resumed.")
        else:
            self._resume(run.id)

    def action_sample(self) -> None:
        """Asks the run to paint its prompts."""
        self._ask(Request.SAMPLE, "Painting samples after this step.")

    def action_log(self) -> None:
        """Checkpoints, what happened, what was printed."""
        self._run_view.go_below(NEXT_BELOW[self._run_view.below])
        self.shown()
        self.focus_list()

    def action_scale(self) -> None:
        """Linear, or powers of ten."""
        view = self._run_view.view
        self._run_view.look(replace(view, logarithmic=not view.logarithmic))

    def action_axis(self) -> None:
        """By step, or by time."""
        view = self._run_view.view
        self._run_view.look(replace(view, by_time=not view.by_time))

    def action_curve(self) -> None:
        """What is drawn: the loss, the learning rate, the pace, the likeness."""
        self._run_view.next_measure()

    def action_mark(self) -> None:
        """Marks the run shown for comparison, or no longer."""
        run, watch = self.shown_run, self.limner.watch_over_runs
        if run is not None and watch is not None:
            watch.marked = watch.marked ^ {run.id}
            if watch.marked == {run.id}:
                self.say("Marked: runs that you select now are drawn beside it.")
            self.limner.look_now()

    def action_view(self) -> None:
        """The sample as large as the terminal; its keys go through all of the run."""
        from tui.screens.shared.full_size import LargeScreen

        view = self._run_view
        samples = list(view.samples())
        sample = view.sample_shown()
        at = [samples.index(sample) if sample in samples else 0]

        def current() -> tuple[Subject | None, Line]:
            shown = samples[at[0]]
            return view.subject_of(shown), [(sample_words(shown), Ink.STRONG), (f"  {shown.prompt}", Ink.MUTED)]

        def step(by: int) -> None:
            at[0] = max(0, min(len(samples) - 1, at[0] + by))

        self.app.push_screen(LargeScreen(current, step))

    def action_stop_after_epoch(self) -> None:
        """Asks the run to end with this epoch."""
        self._ask(Request.STOP_AFTER_EPOCH, "Stopping after this epoch and its checkpoint.")

    def action_stop_now(self) -> None:
        """Asks first, then asks the run to end."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(Request.STOP, "Stopping after this step. {training.pause} resumes from there.")

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

    def action_grid(self) -> None:
        """Its checkpoints beside each other."""
        run = self.shown_run
        self.app.call_later(self.limner.show_grid, run.id if run is not None else None)

    def action_paint(self) -> None:
        """To the prompts, which are painted with the checkpoint under the cursor; else with the run's newest."""
        run, checkpoint = self.shown_run, self._run_view.checkpoint()
        if run is None or checkpoint is None:
            self.app.switch_mode(Scope.PROMPTS.value)
            return
        chosen = LoraChoice(checkpoint, run.id)

        async def go() -> None:
            await self.app.switch_mode(Scope.PROMPTS.value)
            prompts: PromptsScreen = self.app.screen  # type: ignore[assignment]
            prompts.paint_with(chosen)

        self.app.call_later(go)

    @on(TrainingPlan.Changed)
    def _planned(self, event: TrainingPlan.Changed) -> None:
        if event.error is None:
            self.show_empty(None)
        elif self._planning and isinstance(event.error, DatasetError):
            self.show_empty(self.EMPTY)
        elif self._planning and isinstance(event.error, DiskFull):
            self.could_not_read(event.error)
        elif self._planning:
            self.show_error(event.error)
        self._show()

    def _probed(self) -> None:
        self._plan.read()
        self.keys_changed()

    @property
    def _plan(self) -> TrainingPlan:
        return self.query_one(TrainingPlan)

    @property
    def _run_view(self) -> RunView:
        return self.query_one(RunView)

    def _resume(self, run_id: str) -> None:
        project = self.project

        def go_on() -> JobFolder:
            from engine.training.runs.start import resume_training

            return resume_training(project, run_id)

        def gone_on(_: JobFolder) -> None:
            self.limner.look_now()
            self.say("Resuming from the last saved state.")

        self.run_latest("start", go_on, gone_on)

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
        if run is not None and self.could(lambda: JobFolder(run.folder).ask(request)):
            self.say(told)

    def _switch(self, planning: bool) -> None:
        self._planning = planning
        self._plan.display = planning
        self._run_view.display = not planning
        self.QUESTION = "Plan a run" if planning else "Progress"
        if not planning:
            self.show_empty(None)
        self.focus_list()
        self.ask()
        self.keys_changed()
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        run = self.shown_run
        if run is not None:
            self._run_view.show(run, self._seen)
        self.ask()
        self.keys_changed()
