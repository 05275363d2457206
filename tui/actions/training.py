"""The Training screen."""

from __future__ import annotations

from tui.actions.action import Action

TRAINING: tuple[Action, ...] = (
    Action("training.start", "Start training with these settings", ("s",), "start", 10),
    Action("training.probe", "Measure: take a few real steps with these settings", ("m",), "measure", 11),
    Action("training.stop_probe", "End the measuring", ("escape",), "end measuring", 11),
    Action("training.leave_to_preset", "Leave the setting to the preset", ("x", "backspace"), "to preset", 18),
    Action("training.stop_after_epoch", "Stop after this epoch", ("e",), "stop after epoch", 14),
    Action("training.stop_now", "Stop now", ("S",), "stop now", 16),
    Action("training.next_run", "Show the next run", ("tab",), "runs", 20),
    Action("training.previous_run", "Show the run before", ("shift+tab",)),
    Action("training.plan", "Show the plan of a new run", ("p",), "plan", 22),
    Action("training.paint", "Paint with this run's newest checkpoint", ("enter",), "paint", 30),
)
