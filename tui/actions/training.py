"""The Training screen."""

from __future__ import annotations

from tui.actions.action import Action

TRAINING: tuple[Action, ...] = (
    Action("training.start", "Start training with these settings", ("s",), "start", 10),
    Action("training.probe", "Measure: take a few real steps with these settings", ("m",), "measure", 11),
    Action("training.stop_probe", "End the measuring", ("M",), "end measuring", 11),
    Action("training.leave_to_preset", "Leave the setting to the preset", ("x", "backspace"), "to preset", 18),
    Action("training.pause", "Pause the run after its step, or go on with it", ("P",), "pause", 15),
    Action("training.stop_after_epoch", "Stop after this epoch", ("e",), "stop after epoch", 14),
    Action("training.stop_now", "Stop now", ("S",), "stop now", 40),
    Action("training.sample", "Paint the run's prompts now", ("n",), "sample now", 17),
    Action("training.log", "Checkpoints, what happened, or what the run printed", ("L",), "log", 16),
    Action("training.scale", "Losses by powers of ten, or linear", ("y",), "scale", 24),
    Action("training.axis", "By time, or by step", ("t",), "time", 26),
    Action("training.curve", "Another curve: loss, learning rate, images a second, likeness", ("c",), "curve", 25),
    Action("training.mark", "Mark the run, to compare it on one chart with others", ("space",), "compare", 23),
    Action("training.view", "See the sample large", ("v",), "", 35),
    Action("training.next_run", "Show the next run", ("tab",), "runs", 20),
    Action("training.previous_run", "Show the run before", ("shift+tab",)),
    Action("training.plan", "Show the plan of a new run", ("p",), "plan", 22),
    Action("training.grid", "Paint this run's grid: its checkpoints by three strengths", ("X",), "grid", 29),
    Action("training.paint", "Paint with the checkpoint under the cursor", ("enter",), "paint", 30),
)
