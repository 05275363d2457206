"""The Training screen."""

from __future__ import annotations

from tui.actions.action import Action

TRAINING: tuple[Action, ...] = (
    Action("training.start", "Start training with these settings", ("s",), "start", 10),
    Action("training.start_on", "Start training on another machine", ("o",), "elsewhere", 19),
    Action("training.probe", "Measure a few real steps with these settings", ("m",), "measure", 11),
    Action("training.stop_probe", "Stop measuring", ("M",), "stop measuring", 11),
    Action("training.leave_to_preset", "Reset the setting to the preset", ("x", "backspace"), "to preset", 18),
    Action("training.pause", "Pause the run after this step, or resume it", ("P",), "pause", 15),
    Action("training.stop_after_epoch", "Stop after this epoch", ("e",), "stop after epoch", 14),
    Action("training.stop_now", "Stop now", ("S",), "stop now", 40),
    Action("training.sample", "Paint the run's prompts now", ("n",), "sample now", 17),
    Action("training.log", "Checkpoints, events or log", ("L",), "log", 16),
    Action("training.scale", "Toggle a logarithmic loss axis", ("y",), "scale", 24),
    Action("training.axis", "Toggle the axis: time or step", ("t",), "time", 26),
    Action("training.curve", "Next curve: loss, learning rate, images per second, likeness", ("c",), "curve", 25),
    Action("training.mark", "Mark the run, to compare it with others on one chart", ("space",), "compare", 23),
    Action("training.view", "Show the sample large", ("v",), "", 35),
    Action("training.next_run", "Next run", ("tab",), "runs", 20),
    Action("training.previous_run", "Previous run", ("shift+tab",)),
    Action("training.plan", "Show the plan of a new run", ("p",), "plan", 22),
    Action("training.grid", "Paint this run's grid: its checkpoints at three LoRA weights", ("X",), "grid", 29),
    Action("training.paint", "Paint with the checkpoint under the cursor", ("enter",), "paint", 30),
)
