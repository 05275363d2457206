"""A probe: a few real steps with a run's settings on this device, so that an estimate need not guess. Needs torch.

It goes the way of a run up to its checkpoint, by the same code, and looks at a held-out image and begins a picture
where the run would. It leaves nothing but what it measured; images and captions that it encoded stay in the cache.
"""

from __future__ import annotations

import shutil
import time

from engine.jobs.worker import Context
from engine.settings import Settings
from engine.training.loading import load
from engine.training.loop import take_step
from engine.training.planning.benchmark_store import remember
from engine.training.planning.benchmarks import measure
from engine.training.planning.eta import WARM_UP
from engine.training.planning.timing import Source
from engine.training.step.distributed import SingleProcess, launch
from engine.training.trainer import Trainer

SECONDS = 20.0
"""How long steps are taken, once the base model is loaded."""

FEWEST, MOST = 8, 200
"""Measured steps, however long or short they take."""

CHECKPOINTS = 3
"""How often a checkpoint and a state are written; the median counts."""


SAMPLING_STEPS = 4
"""How many steps of the sampler are taken for a picture: enough to know what one takes."""


def work(context: Context) -> None:
    """Does a probe's job, in as many processes as the run will have."""
    processes = Settings.model_validate(context.args["settings"]).training.processes
    if processes > 1:
        launch(context, processes, "engine.training.probe:probe")
    else:
        probe(context, SingleProcess())


def probe(context: Context, processes: SingleProcess) -> None:
    """All of a probe, or one process's share."""
    seconds = float(context.args.get("seconds", SECONDS))
    loaded = load(context, processes)
    if loaded is None:
        return
    trainer = Trainer(context, loaded, processes)
    try:
        _take_steps(context, trainer, seconds)
    finally:
        trainer.writer.close()
        if processes.is_main_process:
            for name in ("state", "checkpoints"):
                shutil.rmtree(context.folder.path / name, ignore_errors=True)


def _take_steps(context: Context, trainer: Trainer, seconds: float) -> None:
    trainer.begin()
    ends = time.monotonic() + seconds
    taken, processes = 0, trainer.processes
    while taken < WARM_UP + FEWEST or (taken < WARM_UP + MOST and processes.broadcast(lambda: time.monotonic() < ends)):
        if processes.broadcast(context.should_stop):
            return
        if trainer.step >= trainer.plan.steps:
            trainer.step = 0
        take_step(trainer)
        taken += 1
    if not processes.is_main_process:
        return
    trainer.progress.read()
    memory_gb = trainer.device.memory_gb()
    trainer.evaluator.measure(trainer.data, SAMPLING_STEPS)
    for _ in range(CHECKPOINTS):
        trainer.keep_checkpoint("probe")
    measured = measure(Source.PROBE, context.folder, trainer.setting, trainer.progress.pace, memory_gb)
    if measured is not None:
        remember(measured, context.folder.path)
