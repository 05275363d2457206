"""A run from the order to its end: what it needs is loaded, then the trainer trains. Needs torch."""

from __future__ import annotations

from engine.jobs.worker import Context
from engine.settings import Settings
from engine.training import loop
from engine.training.loading import load
from engine.training.run_record import write_record
from engine.training.runs.checkpoints import sweep
from engine.training.runs.tensorboard import Board
from engine.training.step.distributed import SingleProcess
from engine.training.trainer import Trainer


def train(context: Context, processes: SingleProcess) -> None:
    """Begins a run, or goes on with one that was stopped or killed; all of it, or one process's share."""
    if processes.is_main_process:
        sweep(context.folder.path)
    settings = Settings.model_validate(context.args["settings"]).training
    board = Board(context.folder.path) if settings.tensorboard and processes.is_main_process else None
    if board is not None:
        context.listeners.append(board.take)
    loaded = load(context, processes)
    if loaded is None:
        return
    if processes.is_main_process:
        write_record(context.folder.path / "run.toml", loaded)
    trainer = Trainer(context, loaded, processes)
    try:
        loop.train(trainer)
    finally:
        trainer.writer.close()
        if board is not None:
            board.close()
