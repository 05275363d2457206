"""Ordering pictures: the queue, and a painter that is awake. No torch: the painter is a job of its own."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from engine.base_model import find_base
from engine.errors import PictureError
from engine.events import JobState
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.pictures.queue import Picture, PictureOrder, PictureState, Queue
from engine.project import Project
from engine.settings import Settings
from engine.training.runs import run_status

POLL_SECONDS = 0.1
"""How often a waiting caller looks at the queue."""

CLOSING = "closing"
"""A file in the painter's folder: it is about to go, having looked at the queue for the last time."""

MOST_WAKES = 3
"""How often a painter that died is woken again for the same pictures."""


def painter_folder(project: Project) -> JobFolder:
    """The job of this project's painter; there is one at most."""
    return JobFolder(project.jobs / "painter")


def order_pictures(project: Project, orders: Sequence[PictureOrder]) -> list[Picture]:
    """Queues pictures and sees that somebody paints them. Returns at once.

    Raises:
        BaseModelError: the base model is not there.
        ProjectError: the settings are broken.
    """
    find_base(project.settings.base)
    with project.store() as store:
        pictures = Queue(store).add(replace(order, path=order.path.resolve()) for order in orders)
    wake_painter(project)
    return pictures


def wake_painter(project: Project) -> JobFolder:
    """Starts the painter unless it lives and will look at the queue again.

    Call it after queueing. The painter writes ``closing`` before it looks at the queue for the last time, so
    either it sees the new order, or we see that it is going and wait for the next.
    """
    painter = painter_folder(project)
    painter.path.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(painter.path / ".waking"):
        while painter.alive():
            if not (painter.path / CLOSING).exists():
                return painter
            time.sleep(POLL_SECONDS / 4)
        (painter.path / CLOSING).unlink(missing_ok=True)
        return start(painter.path, JobKind.PAINT, project.root, {})


def wait_for(
    project: Project, numbers: Sequence[int], tell: Callable[[Picture], None] = lambda _picture: None
) -> list[Picture]:
    """Waits until pictures are painted, failed or cancelled.

    Args:
        project: the project.
        numbers: the pictures' numbers in the queue.
        tell: gets each picture once, as it ends.

    Returns:
        The pictures, in the order of ``numbers``.

    Raises:
        PictureError: the painter died again and again.
    """
    ended: dict[int, Picture] = {}
    wakes = 0
    with project.store() as store:
        queue = Queue(store)
        while len(ended) < len(set(numbers)):
            alive = painter_folder(project).alive()
            for number in numbers:
                picture = queue.picture(number)
                if number not in ended and picture.state not in (PictureState.QUEUED, PictureState.PAINTING):
                    ended[number] = picture
                    tell(picture)
            if not alive and len(ended) < len(set(numbers)):
                wakes += 1
                if wakes > MOST_WAKES:
                    raise PictureError("the painter died", f"see {painter_folder(project).log_path}")
                wake_painter(project)
            time.sleep(POLL_SECONDS)
    return [ended[number] for number in numbers]


def painter_state(project: Project) -> JobState | None:
    """Where the painter stands; None where there never was one."""
    painter = painter_folder(project)
    return state(painter).state if (painter.path / "job.json").exists() else None


def new_picture_path(project: Project, seed: int, name: str = "") -> Path:
    """Where a new picture goes: ``pictures/20261121-140312-7.png``, the number being the seed."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{seed}"
    if name:
        stem += "-" + re.sub(r"[^\w-]+", "_", name)
    return free_path(project.pictures / f"{stem}.png")


def free_path(path: Path) -> Path:
    """The path, or the first of ``-2``, ``-3`` … where something lies: nothing is ever overwritten."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return candidate


def order_from_settings(
    settings: Settings, prompt: str, path: Path, seed: int, lora: Path | None = None, strength: float | None = None
) -> PictureOrder:
    """An order as the project's settings would have it.

    Args:
        settings: the project's.
        prompt: filled, without choices.
        path: where it is to be written.
        seed: where its chance comes from.
        lora: the LoRA, if any.
        strength: its weight; None: the settings'.
    """
    painting = settings.painting
    return PictureOrder(
        prompt=prompt,
        path=path,
        seed=seed,
        steps=painting.steps,
        guidance=painting.guidance,
        sampler=painting.sampler,
        negative=painting.negative,
        lora=lora,
        strength=(painting.strength if strength is None else strength) if lora else None,
        width=painting.width,
        height=painting.height,
    )


def newest_lora(project: Project) -> Path | None:
    """The last checkpoint of the newest run that has one."""
    for job in reversed(project.run_folders()):
        if checkpoints := [each for each in run_status(job).checkpoints if each.exists()]:
            return checkpoints[-1]
    return None


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
