"""Ordering pictures: the queue, and a painter that is awake. No torch: the painter is a job of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine import events
from engine.errors import PictureError, PromptError
from engine.events import JobState
from engine.jobs.folder import JobFolder, JobKind, Request
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.library.password import for_a_job
from engine.models.usual_settings import find_painting_base
from engine.pictures.orders.orders import (
    new_picture_path,
    newest_lora,
    order_for,
    order_from_settings,
    ready_to_queue,
    told_of_prompts,
)
from engine.pictures.orders.painter_machine import painter_machine
from engine.pictures.orders.queue import Picture, PictureOrder, PictureState, Queue
from engine.project import Project
from engine.prompts.to_paint import names_a_lora
from engine.storage.file_locks import file_lock
from engine.training.data.examples import read_examples
from engine.training.planning.sample_prompts import sample_prompts
from engine.training.runs.run_status import run_status

__all__ = [
    "new_picture_path",
    "newest_lora",
    "order_from_settings",
    "order_pictures",
    "painter_folder",
    "painter_state",
    "preview_path",
    "retry_pictures",
    "start_likeness",
    "wait_for",
    "wake_painter",
    "warnings_of",
]

POLL_SECONDS = 0.1
"""How often a waiting caller looks at the queue."""

CLOSING = "closing"
"""A file in the painter's folder: it is about to go, having looked at the queue for the last time."""

USUAL_STRENGTHS = (0.6, 0.8, 1.0)
"""At which LoRA weights likeness is measured."""

USUAL_SEEDS = 8
"""How many pictures of a prompt likeness is measured on."""

MOST_PROMPTS = 4
"""Of a run's own prompts as many are taken."""

MOST_WAKES = 3
"""How often a painter that died is woken again for the same pictures."""


def painter_folder(project: Project) -> JobFolder:
    """The job of this project's painter; there is one at most."""
    return JobFolder(project.jobs / "painter")


def order_pictures(project: Project, orders: Sequence[PictureOrder], *, only_missing: bool = False) -> list[Picture]:
    """Queues pictures and sees that somebody paints them. Returns at once.

    Args:
        project: the project.
        orders: what to paint, in this order.
        only_missing: what was painted before, by the same order, is not painted again: the old picture is returned.

    Raises:
        BaseModelError: the base model is not there.
        PictureError: a number out of its range.
        ProjectError: the settings are broken.
    """
    find_painting_base(project.settings.base)
    ready = [ready_to_queue(project, order) for order in orders]
    with project.store() as store:
        queue = Queue(store)
        pictures = queue.add_missing(ready) if only_missing else queue.add(ready)
    if any(picture.state is not PictureState.DONE for picture in pictures):
        wake_painter(project)
    return pictures


def retry_pictures(project: Project, numbers: Sequence[int]) -> list[Picture]:
    """Queues failed and cancelled pictures again. Returns those that were; raises KeyError where there is none."""
    with project.store() as store:
        queue = Queue(store)
        found = [queue.picture(number) for number in numbers]
        again = [queue.picture(each.id) for each in found if queue.retry(each.id)]
    if again:
        wake_painter(project)
    return again


def preview_path(project: Project, number: int) -> Path:
    """Where the picture that is being painted is seen forming: a small PNG, there only meanwhile."""
    return painter_folder(project).path / "preview" / f"{number}.png"


def wake_painter(project: Project) -> JobFolder:
    """Starts the painter unless it lives and will look at the queue again.

    Call it after queueing. The painter writes ``closing`` before it looks at the queue for the last time, so
    either it sees the new order, or we see that it is going and wait for the next.
    """
    painter = painter_folder(project)
    painter.path.mkdir(parents=True, exist_ok=True)
    with file_lock(painter.path / ".waking"):
        while painter.alive():
            if not (painter.path / CLOSING).exists() and Request.STOP not in painter.asked():
                return painter
            time.sleep(POLL_SECONDS / 4)
        (painter.path / CLOSING).unlink(missing_ok=True)
        if (name := painter_machine(project)) is not None:
            return start(painter.path, JobKind.PAINT_REMOTE, project.root, {"on": {"box": name}})
        return start(painter.path, JobKind.PAINT, project.root, {})


def wait_for(
    project: Project,
    numbers: Sequence[int],
    tell: Callable[[Picture], None] = lambda _picture: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Picture]:
    """Waits until pictures are painted, failed or cancelled.

    Args:
        project: the project.
        numbers: the pictures' numbers in the queue.
        tell: gets each picture once, as it ends.
        should_stop: asked now and then; when it says so, the pictures that have not ended are left out.

    Returns:
        The pictures, in the order of ``numbers``.

    Raises:
        PictureError: the painter died again and again, or says that it can't go on; the pictures wait for the next.
    """
    ended: dict[int, Picture] = {}
    wakes = 0
    with project.store() as store:
        queue = Queue(store)
        while len(ended) < len(set(numbers)) and not should_stop():
            alive = painter_folder(project).alive()
            for number in numbers:
                picture = queue.picture(number)
                if number not in ended and picture.state not in (PictureState.QUEUED, PictureState.PAINTING):
                    ended[number] = picture
                    tell(picture)
            if not alive and len(ended) < len(set(numbers)):
                words = _last_words(painter_folder(project))
                if wakes and words is not None:
                    raise PictureError(words.message, words.fix)
                wakes += 1
                if wakes > MOST_WAKES:
                    log = painter_folder(project).log_path
                    fix = f"see {log}; if it says nothing, memory may have run out: limner doctor"
                    raise PictureError("the painter died", fix)
                wake_painter(project)
            time.sleep(POLL_SECONDS)
    return [ended[number] for number in numbers if number in ended]


def warnings_of(project: Project, numbers: Sequence[int]) -> list[str]:
    """What the painter remarked on pictures while it painted them, each remark once: modules of a LoRA left out."""
    subjects = {str(number) for number in numbers}
    said = [entry.event for entry in painter_folder(project).entries()]
    told = [each.message for each in said if isinstance(each, events.Warning) and each.subject in subjects]
    return list(dict.fromkeys(told))


def painter_state(project: Project) -> JobState | None:
    """Where the painter stands; None where there never was one."""
    painter = painter_folder(project)
    return state(painter).state if (painter.path / "job.json").exists() else None


def start_likeness(
    project: Project,
    run: str | None = None,
    seeds: int = USUAL_SEEDS,
    strengths: Sequence[float] | None = None,
    password: str | None = None,
    *,
    checkpoints: Sequence[str] | None = None,
    prompts: Sequence[str] | None = None,
) -> JobFolder:
    """Starts measuring how much the portraits of a run are the person. Returns at once.

    Its pictures go through the painter's queue and are kept; what was painted before is not painted again, so a
    measurement that was stopped goes on. ``engine.pictures.likeness.scores.read_likeness`` reads the result.

    Args:
        project: the project.
        run: its name; None: the newest.
        seeds: pictures of each prompt, of each checkpoint at each strength.
        strengths: the LoRA's weights to try; None: some around the settings'.
        password: one that was typed, for the library's other people; the job's process gets it in its environment.
            Left out, the job looks in its environment and the keyring itself.
        checkpoints: names of those to measure; None: every one of the run.
        prompts: what is painted; None: the settings' style and what the run painted while it trained.

    Raises:
        ProjectError: there is no such run.
        PictureError: it has no checkpoint yet, or none of that name.
        DatasetError: there are no real pictures to compare with.
        PromptError: a prompt is empty or not balanced.
    """
    job = project.run(run)
    there = [each for each in run_status(job).checkpoints if each.exists()]
    if not there:
        raise PictureError(f"{job.id} has no checkpoint yet", "wait for its first epoch")
    settings = project.settings
    read_examples(project)
    wanted = prompts or [settings.painting.style, *sample_prompts(settings)][:MOST_PROMPTS]
    if any(map(names_a_lora, wanted)):
        raise PromptError(
            "likeness is measured with the run's own checkpoints only", "leave <lora:…> out of its prompts"
        )
    told_of_prompts(project, wanted, seed=0)
    args = {
        "run": str(job.path),
        "checkpoints": [str(each) for each in _named(there, checkpoints)],
        "seeds": seeds,
        "strengths": sorted(set(strengths or (*USUAL_STRENGTHS, settings.painting.strength))),
        "prompts": list(dict.fromkeys(order_for(project, each, seed=0).prompt for each in wanted)),
    }
    secrets = for_a_job(project.settings.library.url, project.root, password)
    return start(project.new_job_folder("likeness"), JobKind.LIKENESS, project.root, args, secrets)


def _named(there: Sequence[Path], names: Sequence[str] | None) -> list[Path]:
    if names is None:
        return list(there)
    known = {each.stem: each for each in there}
    for name in names:
        if Path(name).stem not in known:
            raise PictureError(f"the run has no checkpoint {name}", f"there are: {', '.join(known)}")
    wanted = {Path(name).stem for name in names}
    return [each for each in there if each.stem in wanted]


def _last_words(job: JobFolder) -> events.Error | None:
    """Why a job could not go on, in its own words, the last time that it was started."""
    said: events.Error | None = None
    for entry in job.entries():
        if isinstance(entry.event, events.Error):
            said = entry.event
        elif isinstance(entry.event, events.Job) and entry.event.state is JobState.STARTING:
            said = None
    return said
