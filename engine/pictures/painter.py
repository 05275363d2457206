"""The painter: one process that keeps the base model loaded and takes pictures off the queue. Needs torch."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

from PIL import Image

from engine import __version__, events
from engine.base_model import find_base
from engine.errors import LimnerError, PictureError
from engine.jobs.worker import Context
from engine.pictures.loras import find_loras
from engine.pictures.orders import free_path
from engine.pictures.parameters import Parameters, add_lora_tag, png_text
from engine.pictures.pipeline import Brush, Painting, Stopped, Worn
from engine.pictures.queue import Picture, PictureOrder, Queue
from engine.pictures.start import CLOSING
from engine.project import Project
from engine.prompts.networks import strip
from engine.settings import Sampler
from engine.training.lora_header import lora_hash

LOOK_SECONDS = 0.1
"""How often an idle painter looks at the queue."""


def work(context: Context) -> None:
    """Does a painter's job: paints what is queued, stays a while for more, then goes."""
    project = Project(context.project)
    closing = context.folder.path / CLOSING
    closing.unlink(missing_ok=True)
    try:
        _serve(context, project, closing)
    finally:
        closing.touch()


def _serve(context: Context, project: Project, closing: Path) -> None:
    with project.store() as store:
        queue = Queue(store)
        queue.put_back()
        try:
            painter = Painter(context, project)
        except LimnerError as error:
            closing.touch()
            while (picture := queue.take()) is not None:
                queue.fail(picture.id, error.one_line())
            raise
        while not context.should_stop():
            painter.paint_all(queue)
            if context.should_stop():
                return
            if painter.idle_too_long():
                # From here on whoever queues a picture sees this file and waits for the next painter.
                closing.touch()
                if not queue.waiting():
                    return
                closing.unlink()
            time.sleep(LOOK_SECONDS)


class Painter:
    """A loaded base model and the queue's next picture."""

    def __init__(self, context: Context, project: Project) -> None:
        self._context = context
        self._project = project
        self._idle_seconds = project.settings.painting.idle_seconds
        context.emit(events.Phase("loading the base model", 0, 1))
        self._painting = Painting(find_base(project.settings.base))
        context.emit(events.Phase("loading the base model", 1, 1))
        self._idle_since = time.monotonic()
        self._hashes: dict[tuple[Path, int], str] = {}

    def idle_too_long(self) -> bool:
        """Whether nothing was painted for as long as the settings say."""
        return time.monotonic() - self._idle_since > self._idle_seconds

    def paint_all(self, queue: Queue) -> None:
        """Paints until the queue is empty or the job is told to stop."""
        done = 0
        while not self._context.should_stop() and (picture := queue.take()) is not None:
            try:
                began = time.monotonic()
                path = self._paint(picture)
                seconds = time.monotonic() - began
                queue.finish(picture.id, path, seconds)
                self._context.emit(events.Sample(str(path), picture.prompt, picture.seed, seconds=round(seconds, 3)))
            except Stopped:
                queue.put_back()
                return
            except LimnerError as error:
                queue.fail(picture.id, error.one_line())
                self._context.emit(events.Warning(error.one_line(), subject=str(picture.id)))
            except Exception as error:
                # One picture that can't be painted must not take the others with it.
                queue.fail(picture.id, f"{type(error).__name__}: {error}")
                self._context.emit(events.Warning(f"{type(error).__name__}: {error}", subject=str(picture.id)))
            done += 1
            self._context.emit(events.Phase("pictures", done, done + queue.waiting()))
            self._idle_since = time.monotonic()

    def _paint(self, order: PictureOrder) -> Path:
        brush = self._with_named_loras(brush_of(order), order.prompt)
        image = self._painting.paint(order.prompt, [order.seed], brush, self._context.should_stop)[0]
        hashes = {each.file.stem: self._hash(each.file) for each in brush.worn()}
        about = describe(order.prompt, order.seed, brush, image.size, self._painting.base.title, hashes)
        return write_picture(image, order.path, about)

    def _with_named_loras(self, brush: Brush, prompt: str) -> Brush:
        """The brush with the LoRAs that the prompt names as ``<lora:NAME:0.8>``. Raises PromptError."""
        found = find_loras(self._project, strip(prompt).loras)
        return replace(brush, named=tuple(Worn(file, tag.unet, tag.te) for file, tag in found))

    def _hash(self, lora: Path) -> str:
        key = (lora, lora.stat().st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = lora_hash(lora)
        return self._hashes[key]


def brush_of(order: PictureOrder | Picture) -> Brush:
    """What an order says besides its prompt and seed."""
    return Brush(
        steps=order.steps,
        guidance=order.guidance,
        sampler=order.sampler,
        negative=order.negative,
        lora=order.lora,
        strength=1.0 if order.strength is None else order.strength,
        width=order.width,
        height=order.height,
    )


def describe(
    prompt: str, seed: int, brush: Brush, size: tuple[int, int], model: str, lora_hashes: dict[str, str]
) -> Parameters:
    """What is written into a picture about how it was made."""
    named = brush.lora in [each.file for each in brush.named]
    sampler, schedule = SPOKEN.get(brush.sampler, (brush.sampler.value, None))
    return Parameters(
        prompt=add_lora_tag(prompt, brush.lora.stem, brush.strength) if brush.lora and not named else prompt,
        negative=brush.negative,
        steps=brush.steps,
        sampler=sampler,
        schedule=schedule,
        guidance=brush.guidance,
        seed=seed,
        size=size,
        model=model,
        lora_hashes=lora_hashes,
        version=f"Limner {__version__}",
    )


SPOKEN: dict[Sampler, tuple[str, str | None]] = {Sampler.DPMPP_2M_KARRAS: ("DPM++ 2M", "Karras")}
"""Samplers whose schedule A1111 names apart."""


def write_picture(image: Image.Image, path: Path, about: Parameters) -> Path:
    """Writes a PNG, whole, where nothing lies yet. Returns the path that was taken.

    Raises:
        PictureError: the folder can't be written.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as handle:
            image.save(handle, "PNG", pnginfo=png_text(about))
            handle.flush()
            os.fsync(handle.fileno())
        return _move_to_free(beside, path)
    except OSError as error:
        raise PictureError(f"{path} can't be written ({error.strerror})", "choose another folder") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _move_to_free(beside: Path, path: Path) -> Path:
    while True:
        taken = free_path(path)
        try:
            # Unlike a rename, a link never replaces what somebody put there meanwhile.
            os.link(beside, taken)
        except FileExistsError:
            continue
        except OSError:
            # A file system without links.
            os.replace(beside, taken)
        return taken
