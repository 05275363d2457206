"""A training job: in this process, or in as many as the settings say."""

from __future__ import annotations

from engine.jobs.fast_imports import fast_imports
from engine.jobs.worker import Context
from engine.settings import Settings


def work(context: Context) -> None:
    """Does a training job: begins a run, or goes on with one that was stopped or killed."""
    processes = Settings.model_validate(context.args["settings"]).training.processes
    # Imported here: a process that only waits for others needs no model library.
    if processes > 1:
        from engine.training.step.distributed import launch

        launch(context, processes, "engine.training.run:train")
    else:
        with fast_imports():
            from engine.training.run import train
            from engine.training.step.distributed import SingleProcess

        train(context, SingleProcess())
