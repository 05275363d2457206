"""The data of a run: read where it was kept, else encoded from the dataset and kept. Needs torch."""

from __future__ import annotations

from engine import events
from engine.errors import TrainingError
from engine.jobs.worker import Context
from engine.models.device import Device
from engine.models.loaded import LoadedBase
from engine.models.loading import load_base
from engine.models.locate import BaseModel
from engine.project import Project
from engine.settings import Settings
from engine.training.data.examples import folders_passed_over, read_examples
from engine.training.data.latent_cache import training_data
from engine.training.data.tensors import TrainingData
from engine.training.data.training_set import make_training_set
from engine.training.runs.resume_state import read_data, write_data
from engine.training.runs.training_history import keep_words


class _Stopped(Exception):
    """The run was told to stop before its first step."""


def run_data(context: Context, model: LoadedBase, resolution: int, device: Device) -> TrainingData | None:
    """The run's data; kept with the run, so that going on needs no dataset. None where it was told to stop meanwhile.

    Raises:
        DatasetError: there are no images, or one can't be read.
    """
    if (kept := read_data(context.folder.path / "state", model.old_names)) is not None:
        return kept
    try:
        return _encode(context, model, resolution, device, stoppable=True)
    except _Stopped:
        return None


def encode_smaller(context: Context, base: BaseModel, resolution: int, device: Device, images: int) -> TrainingData:
    """The dataset at another resolution than the run began with.

    Args:
        context: the job's.
        base: whose VAE encodes the images.
        resolution: pixels a side.
        device: where that happens.
        images: how many the run has.

    Raises:
        TrainingError: the dataset has other images by now.
    """
    model = load_base(base)
    data = _encode(context, model, resolution, device, stoppable=False)
    if len(data) != images:
        raise TrainingError("memory ran out, and the dataset has changed since", "start a new run")
    return data


def _encode(context: Context, model: LoadedBase, resolution: int, device: Device, stoppable: bool) -> TrainingData:
    def tell(name: str, done: int, total: int) -> None:
        context.emit(events.Phase(name, done, total))
        if stoppable and context.should_stop():
            raise _Stopped

    settings = Settings.model_validate(context.args["settings"])
    examples = read_examples(Project(context.project))
    training_set = make_training_set(examples, settings.training, model.shape).at(resolution)
    for warning in (*training_set.warnings(), *folders_passed_over(Project(context.project))):
        context.emit(events.Warning(warning))
    for example in training_set.examples:
        if model.too_long(example.caption):
            context.emit(
                events.Warning("a caption is too long for the base model: its end is cut off", example.image.name)
            )
    data = training_data(model, training_set, settings.training, context.project / "cache", device, tell)
    keep_words(context.folder.path / "state", training_set, settings.training)
    write_data(context.folder.path / "state", data)
    return data
