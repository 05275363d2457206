"""A run from the order to its end: what it needs is loaded and encoded, then the trainer trains. Needs torch."""

from __future__ import annotations

from engine import events
from engine.base_model import find_base
from engine.jobs.worker import Context
from engine.settings import Settings, TrainingSettings
from engine.training.base import Pipeline, load_pipeline
from engine.training.device import Device, choose_device
from engine.training.encoding import resolution_for, run_data
from engine.training.judging import judge_samples
from engine.training.keeping import sweep
from engine.training.record import write_record
from engine.training.samples import Easel
from engine.training.several import Alone
from engine.training.start import sample_prompts
from engine.training.tensorboard import Board
from engine.training.trainer import Trainer


def train(context: Context, several: Alone) -> None:
    """Begins a run, or goes on with one that was stopped or killed; all of it, or one process's share."""
    if several.first:
        sweep(context.folder.path)
    settings = Settings.model_validate(context.args["settings"])
    board = Board(context.folder.path) if settings.training.tensorboard and several.first else None
    if board is not None:
        context.listeners.append(board.take)
    device = choose_device(settings.training.precision)
    base = find_base(settings.base)
    context.emit(events.Phase("loading the base model", 0, 1))
    pipeline = load_pipeline(base, device.dtype)
    context.emit(events.Phase("loading the base model", 1, 1))
    resolution = resolution_for(settings, pipeline)
    data = several.in_turn(lambda: run_data(context, pipeline, resolution, device))
    if data is None:
        return
    easel = easel_of(context, pipeline, settings, device, several)
    let_go(pipeline, settings.training)
    device.free()
    scale = int(pipeline.vae_scale_factor)
    if several.first:
        write_record(context.folder.path / "run.toml", settings, base, data, scale, resolution, device)
    trainer = Trainer(context, settings, base, pipeline, data, resolution, device, easel, several)
    try:
        trainer.train()
    finally:
        trainer.keeper.close()
        if board is not None:
            board.close()


def easel_of(context: Context, pipeline: Pipeline, settings: Settings, device: Device, several: Alone) -> Easel | None:
    """What paints the run's prompts, and judges the pictures; None where there are none, or another process does it."""
    if not (several.first and sample_prompts(settings)):
        return None
    judging = judge_samples(context.project, lambda why: context.emit(events.Warning(why)))
    return Easel(pipeline, settings, device, judging)


def let_go(pipeline: Pipeline, settings: TrainingSettings) -> None:
    """Frees what encoded the dataset and is not trained."""
    pipeline.vae = None
    if not settings.train_text_encoders:
        pipeline.text_encoder = pipeline.text_encoder_2 = None
