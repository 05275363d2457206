"""What a run needs before its first step, and a probe as well: the base model, what is trained on, what paints. Needs
torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine import events
from engine.jobs.worker import Context
from engine.models.device import Device, choose_device
from engine.models.loaded import LoadedBase
from engine.models.loading import load_base
from engine.models.locate import BaseModel, find_base
from engine.settings import Settings
from engine.training.data.buckets import resolution_of
from engine.training.data.tensors import TrainingData
from engine.training.encoding import run_data
from engine.training.planning.sample_prompts import sample_prompts, told_of_samples
from engine.training.sample_likeness import judge_samples
from engine.training.samples import SampleRenderer
from engine.training.step.distributed import SingleProcess


@dataclass(frozen=True)
class Loaded:
    """All of it, by the run's settings."""

    settings: Settings
    base: BaseModel
    model: LoadedBase
    """Without what encoded the dataset and is not trained."""
    data: TrainingData
    resolution: int
    """Pixels a side."""
    device: Device
    renderer: SampleRenderer | None = None
    """Paints the run's prompts and judges the pictures; None where there are none, or another process does it."""

    @property
    def scale(self) -> int:
        """Pixels a side that become one of a latent's."""
        return self.model.latent_scale


def load(context: Context, processes: SingleProcess) -> Loaded | None:
    """Loads the base model and encodes what the order's settings ask for; None where the job is to stop.

    Raises:
        TrainingError, DatasetError, BaseModelError: what is asked for isn't there, or doesn't fit.
    """
    settings = Settings.model_validate(context.args["settings"])
    device = choose_device(settings.training.precision)
    base = find_base(settings.base)
    context.emit(events.Phase("loading the base model", 0, 1))
    model = load_base(base, device.dtype)
    context.emit(events.Phase("loading the base model", 1, 1))
    resolution = resolution_of(settings.training, model.shape)
    data = processes.main_process_first(lambda: run_data(context, model, resolution, device))
    if data is None:
        return None
    paints = processes.is_main_process and bool(sample_prompts(settings))
    another = settings.training.sample_base == "paint_with" and settings.base.for_painting is not settings.base
    renderer = _renderer(context, model, settings, device, base.title) if paints and not another else None
    model.release(text_encoders=not settings.training.train_text_encoders)
    device.free()
    if paints and another:
        renderer = _renderer_of_another(context, settings, device)
    return Loaded(settings, base, model, data, resolution, device, renderer)


def _renderer(
    context: Context, model: LoadedBase, settings: Settings, device: Device, title: str, another: bool = False
) -> SampleRenderer:
    for remark in told_of_samples(settings):
        context.emit(events.Warning(f"a prompt to paint: {remark}"))
    judging = judge_samples(context.project, lambda why: context.emit(events.Warning(why)))
    return SampleRenderer(model, settings, device, judging, title, own_denoiser=another)


def _renderer_of_another(context: Context, settings: Settings, device: Device) -> SampleRenderer:
    base = find_base(settings.base.for_painting)
    context.emit(events.Phase("loading the base model that paints", 0, 1))
    painting = load_base(base, device.dtype)
    renderer = _renderer(context, painting, settings, device, base.title, another=True)
    painting.release(text_encoders=True)
    context.emit(events.Phase("loading the base model that paints", 1, 1))
    return renderer
