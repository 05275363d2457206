"""How soon the history of a long run is there: its log read and folded, its chart drawn; what a look at it costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from engine import events
from engine.jobs.folder import JobFolder
from engine.training.runs.run_status import RunFollower
from tests.bench.result import Result, median_seconds
from tui.text.charts.chart import draw_chart
from tui.text.charts.view import View, trace_of

STEPS, EPOCHS = 20_000, 10
OPEN, LOOK = 0.5, 0.05
"""What is asked for, in seconds: to open the history, and for each of two looks a second."""


def results() -> Iterator[Result]:
    """A run of 20,000 steps with all that a card tells."""
    with tempfile.TemporaryDirectory() as name:
        job = JobFolder(Path(name) / "20261121-1403-jx265")
        job.path.mkdir()
        _write(job)
        note = f"{job.events_path.stat().st_size / 1e6:.1f} MB of log"

        def opened() -> RunFollower:
            follower = RunFollower(job, elsewhere=True)
            status = follower.poll()
            draw_chart([trace_of(status, follower.curves)], View(), 90, 22)
            return follower

        taken = median_seconds(opened)
        yield _within(f"{STEPS:,} steps opened and drawn", taken, OPEN, note)
        follower = opened()
        yield _within("a look that finds nothing new", median_seconds(follower.poll), LOOK)
        trace = trace_of(follower.status, follower.curves.copy())
        for view in (View(), View(logarithmic=True), View(by_time=True)):
            drawn = median_seconds(lambda view=view: draw_chart([trace], view, 90, 22))  # type: ignore[misc]
            yield _within(f"the chart, {view.words or 'linear'}", drawn, LOOK)
        yield _within("curves copied for the screen", median_seconds(follower.curves.copy), LOOK)


def _within(name: str, seconds: float, allowed: float, note: str = "") -> Result:
    return Result(name, seconds * 1000, "ms", f"{allowed * 1000:,.0f} ms", allowed / seconds, note)


def _write(job: JobFolder) -> None:
    chance, t, per_epoch = Random(1), time.time() - STEPS / 10, STEPS // EPOCHS
    card = {"gpu_percent": 97.0, "gpu_watts": 640.5, "gpu_celsius": 61.0, "gpu_memory_gb": 61.2, "gpu_total_gb": 85.5}
    with job.events_path.open("w") as log:

        def tell(event: events.Event) -> None:
            log.write(events.to_line(event, t))

        tell(events.Job(events.JobState.STARTING))
        tell(events.Job(events.JobState.RUNNING, 1, host="bench"))
        tell(events.Plan(25, 800, 1, per_epoch, EPOCHS, STEPS, STEPS))
        for step in range(1, STEPS + 1):
            t += 0.1
            seen = card if step % 10 == 0 else {}
            epoch = (step - 1) // per_epoch + 1
            tell(events.Step(step, epoch, 0.06 + chance.random() * 0.05, 1e-4, 21.3, 61.2, **seen))
            if step % 10 == 0:
                tell(events.Estimate(11.7, 84.0, 0.11, 1.7, 0.05, 0.2, 4.0))
            if step % per_epoch == 0:
                tell(events.Epoch(epoch, 0.09, 0.08, 200.0))
                tell(events.Checkpoint(f"checkpoints/jx265-{epoch:06}.safetensors", epoch, step))
