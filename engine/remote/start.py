"""Starting a run on another machine, and following those again that nobody follows. No torch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import events
from engine.dataset.regularisation import regularisation_folders
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.start import HUB_TOKENS, start
from engine.models.locate import BaseKind, find_base
from engine.project import Project
from engine.remote.boxes import Box, RemoteError
from engine.settings import DEMO_BASES, Settings, with_changes
from engine.storage.file_locks import file_lock
from engine.storage.project_paths import expand_home
from engine.training.planning.budget import check_budget
from engine.training.planning.plan import training_set_of
from engine.training.planning.sample_prompts import told_of_samples
from engine.training.runs.start import refuse_second
from engine.training.runs.start_from import check_start


@dataclass(frozen=True)
class Travelling:
    """What goes to the machine there."""

    images: int
    regularisation: int
    """Images of others, which the run is regularised with."""
    size: int
    """Bytes of the images and their captions."""
    token: bool = False
    """Whether the hub's token goes there, since the base model is a hub's."""

    @property
    def words(self) -> str:
        """In one line."""
        others = f" and {self.regularisation} regularisation images" if self.regularisation else ""
        images = f"{self.images} training images{others} with their captions ({self.size / 1e6:,.1f} MB)"
        images += ", the hub's token" if self.token else ""
        return f"{images}, prompts and settings; not the library, its photos, the person's name in it, or a password"


def travelling(project: Project) -> Travelling:
    """What would go there. Raises what ``training_set_of`` raises."""
    seen = training_set_of(project, project.settings).seen
    others = sum(each.regularisation for each in seen)
    folders = [project.dataset, *(each.path for each in regularisation_folders(project))]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    token = any(os.environ.get(name) for name in HUB_TOKENS) and find_base(project.settings.base).kind is BaseKind.HUB
    return Travelling(len(seen) - others, others, sum(path.stat().st_size for path in files), token)


def start_training_on(project: Project, box: Box, changes: Mapping[str, Any], keep: bool = False) -> JobFolder:
    """Starts a run on another machine; a job here follows it. Returns at once.

    Args:
        project: the project.
        box: the machine.
        changes: dotted settings for this run alone.
        keep: whether the project stays there after the run.

    Raises:
        RemoteError: a setting names a file of this machine, which the other one has not.
        DatasetError, TrainingError, ProjectError, PromptError: as for a run here.
        JobError: a run of this project is alive.
    """
    on = {"box": box.name, "keep": keep}
    return begin_elsewhere(project, JobKind.TRAIN_REMOTE, box.directory, on, changes)


def begin_elsewhere(
    project: Project, kind: JobKind, directory: str, on: Mapping[str, Any], changes: Mapping[str, Any]
) -> JobFolder:
    """Starts the job that follows a run on a machine that ``on`` describes.

    Args:
        project: the project.
        kind: the job's.
        directory: where projects go there.
        on: what the job is to know of the machine, as JSON; ``box`` is its name for people.
        changes: dotted settings for this run alone.

    Raises:
        The same as ``start_training_on``.
    """
    settings = with_changes(project.settings, dict(changes))
    refuse_own_files(settings, changes)
    weights = settings.training.network_weights
    if weights is not None:
        check_start(settings)
    told_of_samples(settings)
    check_budget(settings.training)
    training_set_of(project, project.settings)
    project.runs.mkdir(parents=True, exist_ok=True)
    with file_lock(project.runs / ".starting"):
        refuse_second(project)
        folder = project.new_run_folder()
        name = re.sub(r"[^\w.-]+", "_", project.root.name, flags=re.ASCII)[:40]
        args = {
            "settings": settings.model_dump(mode="json"),
            "changes": dict(changes),
            "on": {
                **on,
                "folder": f"{directory.rstrip('/')}/{name}-{folder.name}",
                "weights": str(expand_home(weights).resolve()) if weights is not None else None,
            },
        }
        return start(folder, kind, project.root, args)


def follow_again(project: Project) -> list[JobFolder]:
    """Follows runs on other machines again that nobody follows, as after this machine was restarted."""
    begun = []
    for job in project.run_folders():
        if job.sent_to() is None or job.alive() or _has_ended(job):
            continue
        order = job.read_order()
        begun.append(start(job.path, order.kind, project.root, order.args))
    return begun


def _has_ended(job: JobFolder) -> bool:
    """Whether a run's log names its end."""
    last = None
    for entry in job.entries():
        if isinstance(entry.event, events.Job):
            last = entry.event
    return last is not None and last.state.ended


def refuse_own_files(settings: Settings, changes: Mapping[str, Any]) -> None:
    """Raises RemoteError where a setting is a path of this machine; what this run changes is meant for there."""
    base = settings.base
    if "base.model" not in changes and base.model not in DEMO_BASES and find_base(base).kind is not BaseKind.HUB:
        fix = "name one of the hub, or say where it lies there: --set base.model=/path/there"
        raise RemoteError(f"base.model is a path of this machine: {base.model}", fix)
    own: dict[str, Path | str | None] = {"base.vae": base.vae, "base.config": base.config}
    if settings.training.sample_base == "paint_with" and base.paint_with not in (None, *DEMO_BASES):
        there = find_base(base.for_painting).kind is BaseKind.HUB
        own["base.paint_with"] = None if there else base.paint_with
    for key, value in own.items():
        if value is not None and key not in changes:
            raise RemoteError(f"{key} is a file of this machine: {value}", f"leave it out for this run: --set {key}=")
