"""Starting a training run, and going on with one. No torch: the run is a job of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.counting import many
from engine.errors import JobError, TrainingError
from engine.events import JobState
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.models.locate import BaseKind, find_base
from engine.models.registry import shape_of
from engine.models.usual_settings import find_painting_base, remarks_on_base, sample_settings
from engine.project import Project
from engine.settings import DEMO_BASES, Settings, with_changes
from engine.storage.file_locks import file_lock
from engine.storage.project_paths import expand_home
from engine.training.planning.budget import check_budget
from engine.training.planning.gpus import card_here
from engine.training.planning.plan import of_the_person, training_set_of
from engine.training.planning.presets import choose
from engine.training.planning.sample_prompts import told_of_samples
from engine.training.runs.run_status import run_status
from engine.training.runs.start_from import check_start
from engine.training.step.optional_packages import check_network, check_packages

LEAVING_SECONDS = 30.0
"""How long a process that has said its last word is waited for."""


def start_training(project: Project, changes: dict[str, Any] | None = None) -> JobFolder:
    """Starts a run with the project's settings as they are now.

    Args:
        project: the project.
        changes: dotted settings such as ``training.epochs`` for this run alone.

    Raises:
        DatasetError: there are no images, or one has no caption.
        BaseModelError: the base model is not there.
        JobError: a run of this project is alive.
        LoraFileError: the LoRA to start from can't be read.
        TrainingError: it is of another kind or rank; a budget in money, and no price; settings that go together in no
            run.
        ProjectError: a setting is invalid.
    """
    args = _args(project, changes or {})
    with _one_at_a_time(project):
        refuse_second(project)
        return start(project.new_run_folder(), JobKind.TRAIN, project.root, args)


def start_probe(project: Project, changes: dict[str, Any] | None = None, seconds: float | None = None) -> JobFolder:
    """Starts a probe: a few real steps with the settings that a run would have, which estimates then go by.

    Args:
        project: the project.
        changes: dotted settings for this probe alone.
        seconds: how long steps are taken; None: as long as the probe likes.

    Raises:
        The same as ``start_training``.
    """
    args = _args(project, changes or {}) | ({} if seconds is None else {"seconds": seconds})
    with _one_at_a_time(project):
        refuse_second(project)
        return start(project.new_job_folder("probe"), JobKind.PROBE, project.root, args)


def resume_training(project: Project, run: str | None = None) -> JobFolder:
    """Goes on with a run that was stopped or died, from what it last kept.

    Args:
        project: the project.
        run: its name (or the beginning or end of it); None: the newest.

    Raises:
        ProjectError: there is no such run.
        JobError: it is done already, or a run of this project is alive.
    """
    job = project.run(run)
    with _one_at_a_time(project):
        refuse_second(project)
        _let_go(job)
        status = run_status(job)
        # One that died after its last step may owe pictures, and its end is to be told.
        order = job.read_order()
        if order.kind is JobKind.TRAIN:
            check_packages(run_settings(job).training)
        if status.state is JobState.DONE and not status.stopped:
            raise JobError(f"{job.id} is done: {many(status.epochs, 'epoch')}", "start a new one with: limner train")
        return start(job.path, order.kind, project.root, order.args)


def live_run(project: Project) -> JobFolder | None:
    """The run of this project that is under way, if there is one."""
    return next((each for each in reversed(project.run_folders()) if each.alive() and not _has_ended(each)), None)


def file_stem(trigger: str) -> str:
    """The trigger word as a file's name."""
    return re.sub(r"[^\w-]+", "_", trigger)


def run_settings(job: JobFolder) -> Settings:
    """The settings that a run was started with. Raises JobError where the folder holds no order."""
    return Settings.model_validate(job.read_order().args["settings"])


def _args(project: Project, changes: dict[str, Any]) -> dict[str, Any]:
    """What a run is started with: all settings, those that a preset filled in included, and why it did."""
    asked = with_changes(project.settings, changes)
    remarks = remarks_on_base(asked)
    # All that a family is usually painted with is told in the order: what is read from there says nothing of defaults.
    settings = _grounded(sample_settings(asked))
    check_budget(settings.training)
    check_network(settings.training)
    told_of_samples(settings)
    check_packages(settings.training)
    images = of_the_person(training_set_of(project, settings))
    chosen = choose(settings, shape_of(find_base(settings.base)), card_here(), images)
    check_packages(chosen.settings.training)
    check_start(chosen.settings)
    choices = [{"what": f"{each.key} {each.value}", "why": each.reason} for each in chosen.choices if not each.own]
    return {"settings": chosen.settings.model_dump(mode="json"), "choices": choices, "remarks": remarks}


def _has_ended(job: JobFolder) -> bool:
    return state(job).state.ended


def _let_go(job: JobFolder) -> None:
    """Waits for the process of a run that has ended: after its last word it takes a moment to give memory back."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while job.alive() and _has_ended(job) and time.monotonic() < deadline:
        time.sleep(0.05)


def refuse_second(project: Project) -> None:
    """Raises JobError where a run of this project is alive."""
    if (live := live_run(project)) is not None:
        raise JobError(f"{live.id} is being trained", "follow it with limner watch, or end it with limner stop")


def _grounded(settings: Settings) -> Settings:
    """The settings with the base model's path made absolute: a job runs in a folder of its own."""
    if (start_from := settings.training.network_weights) is not None:
        settings = with_changes(settings, {"training.network_weights": expand_home(start_from).resolve()})
    base = find_base(settings.base)
    if base.vae is not None:
        settings = with_changes(settings, {"base.vae": base.vae})
    if settings.training.sample_base == "paint_with":
        settings = _with_sample_base(settings)
    if settings.base.model in DEMO_BASES or base.kind is BaseKind.HUB:
        return settings
    config = base.config and expand_home(base.config).resolve()
    return with_changes(settings, {"base.model": base.source, "base.config": config})


def _with_sample_base(settings: Settings) -> Settings:
    """The same for the base model that paints a run's pictures.

    Raises:
        BaseModelError: it is not there, or of another family.
        TrainingError: it can't show what is trained.
    """
    if settings.training.train_text_encoders:
        what = "base.paint_with has text encoders of its own, which would not show what is trained"
        raise TrainingError(what, "set training.sample_base to model")
    base = find_painting_base(settings.base)
    own = settings.base.paint_with is None or settings.base.paint_with in DEMO_BASES or base.kind is BaseKind.HUB
    return settings if own else with_changes(settings, {"base.paint_with": base.source})


@contextmanager
def _one_at_a_time(project: Project) -> Iterator[None]:
    """Lets nobody else start a run of this project meanwhile."""
    project.runs.mkdir(parents=True, exist_ok=True)
    with file_lock(project.runs / ".starting"):
        yield
