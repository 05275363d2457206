"""The painter: one process that keeps the base model loaded and takes pictures off the queue. Needs torch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path

from PIL import Image

from engine import events
from engine.errors import DiskFull, LimnerError
from engine.events import JobState
from engine.jobs.gpu_in_use import Card, cards
from engine.jobs.worker import Context
from engine.lora.header import lora_hash
from engine.models.locate import BaseModel, find_base
from engine.pictures.likeness.identity import Identity, load_identity
from engine.pictures.likeness.judge import Judge, Known, judge_if_any, known_photos
from engine.pictures.likeness.scores import identity_for
from engine.pictures.orders.commit import Beside, commit_picture
from engine.pictures.orders.picture import LoraWeight, Picture, PictureState
from engine.pictures.orders.prompt_loras import find_loras
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.serving import LOOK_SECONDS, QueueServer
from engine.pictures.orders.start import CLOSING, preview_path
from engine.pictures.painting.face_fix import FaceFixer, Fixed, JudgedBy, with_trigger
from engine.pictures.painting.memory import free_memory, most_together
from engine.pictures.painting.pipeline import Painting, Stopped
from engine.pictures.painting.png_metadata import describe, told_of_fix, told_of_left_out
from engine.pictures.painting.preview import write_preview
from engine.pictures.painting.request import Callbacks, GenerationParams, alike, params_of, subject_of
from engine.project import Project
from engine.prompts.extra_networks import strip
from engine.storage.project_paths import expand_home

HALF = 0.5
"""From this part on, a batch is finished before the card is given back."""


def work(context: Context) -> None:
    """Does a painter's job: paints what is queued, stays a while for more, then goes."""
    project = Project(context.project)
    closing = context.folder.path / CLOSING
    closing.unlink(missing_ok=True)
    there = cards()
    try:
        with project.store() as store:
            Painter(context, project, Queue(store), there[0] if there else None).serve()
    finally:
        closing.touch()


class Painter(QueueServer):
    """A loaded base model and the queue's next pictures.

    Args:
        context: the job.
        project: whose pictures they are.
        queue: where they wait.
        card: the graphics card that it gives back to training; None: there is none.
    """

    def __init__(self, context: Context, project: Project, queue: Queue, card: Card | None = None) -> None:
        super().__init__(context, project, queue)
        self._card = card
        self._painting: Painting | None = None
        self._base: str | None = None
        self._on_card = ExitStack()
        self._hashes: dict[tuple[Path, int], str] = {}
        self._judge: tuple[Known, Judge | None] | None = None

    def paint_next(self) -> bool:
        """Paints the next picture, and those that go with it. Whether there was one."""
        taken = self._queue.take_together(self._claim, self._most, alike)
        if not taken:
            return False
        try:
            painting = self._loaded(taken[0].base)
            self._paint(painting, taken)
        except Stopped:
            held = [each.id for each in taken if self._queue.state(each.id) is PictureState.PAINTING]
            self._queue.put_back(held)
        except Exception as error:
            # What can't be painted must not take the others with it.
            self._failed(taken, error)
        finally:
            for picture in taken:
                preview_path(self._project, picture.id).unlink(missing_ok=True)
        self.rest()
        return True

    def _failed(self, taken: Sequence[Picture], error: Exception) -> None:
        """Of a batch that failed each picture is tried alone, so that only the one that can't be painted fails.

        Raises:
            DiskFull: that was why; all of them wait again, for the next painter.
        """
        if isinstance(error, DiskFull):
            held = [each.id for each in taken if self._queue.state(each.id) is PictureState.PAINTING]
            self._queue.put_back(held)
            raise error
        if len(taken) > 1:
            for picture in taken:
                if self._queue.state(picture.id) is not PictureState.PAINTING:
                    continue
                try:
                    self._paint(self._loaded(picture.base), [picture])
                except Stopped:
                    self._queue.put_back([picture.id])
                except Exception as alone:
                    self._failed([picture], alone)
            return
        picture = taken[0]
        said = error.one_line() if isinstance(error, LimnerError) else f"{type(error).__name__}: {error}"
        self._queue.fail(picture.id, said, self._claim)
        self._context.emit(events.Warning(said, subject=str(picture.id)))

    def _paint(self, painting: Painting, taken: Sequence[Picture]) -> None:
        """Paints pictures together and lands each."""
        began = time.monotonic()
        brushes = [self._with_named_loras(picture) for picture in taken]
        if any(other != brushes[0] for other in brushes):
            # A name in a prompt came to mean a LoRA since the pictures were ordered.
            for picture in taken:
                self._paint(painting, [picture])
            return
        params = painting.sized(brushes[0], subject_of(taken[0]))
        callbacks = _Callbacks(self._context, self._project, self._queue, taken, self.wanted_elsewhere)
        looking = Callbacks(callbacks.should_stop, callbacks.step, callbacks.show)
        subjects = [subject_of(each) for each in taken]
        if taken[0].face_fix is not None and taken[0].face_fix.only:
            images = [each.open_source() for each in subjects]
        else:
            images = painting.paint_together(subjects, params, looking)
            for warning, picture in product(painting.left_out, taken):
                self._context.emit(events.Warning(str(warning), subject=str(picture.id)))
        fixed = [self._fixed(painting, *each, params, callbacks) for each in zip(taken, images, strict=True)]
        seconds = (time.monotonic() - began) / len(taken)
        hashes = {each.file.stem: self._hash(each.file) for each in params.loras()}
        size = painting.size(params)
        for picture, image, fix in zip(taken, images, fixed, strict=True):
            own = replace(params, negative=picture.negative)
            if picture.face_fix is not None and picture.face_fix.only:
                own, size = replace(own, denoise=None), image.size
            title, said = painting.base.title, painting.said
            about = describe(picture.prompt, picture.seed, own, size, title, hashes, picture.prompt_id, said)
            if fix is not None:
                about = told_of_fix(about, picture.face_fix, fix)
            about = told_of_left_out(about, {each.name: (each.count, each.total) for each in painting.left_out})
            try:
                kept, other = (fix.kept, _other_of(picture, fix)) if fix else (image, None)
                path = commit_picture(self._queue, picture, kept, about, self._claim, seconds, other)
            except LimnerError as error:
                self._failed([picture], error)
                continue
            if path is not None:
                likeness = None if fix is None else fix.likeness[fix.after]
                if likeness is not None:
                    self._queue.keep_likeness(picture.id, likeness)
                sample = events.Sample(
                    str(path), picture.prompt, picture.seed, likeness=likeness, seconds=round(seconds, 3)
                )
                self._context.emit(sample)
        waiting = self._queue.waiting()
        self._context.emit(events.Phase("pictures", len(taken), len(taken) + waiting))

    def _fixed(
        self, painting: Painting, picture: Picture, image: Image.Image, params: GenerationParams, callbacks: _Callbacks
    ) -> Fixed | None:
        """The picture with its faces painted anew, where that was ordered."""
        if picture.face_fix is None:
            return None
        self._context.emit(events.Phase("face fix", 0, 1, subject=str(picture.id)))
        person = self._project.settings.person
        subject = replace(subject_of(picture), prompt=with_trigger(picture.prompt, person))
        fixer = FaceFixer(painting, *self._eyes())
        own = replace(params, negative=picture.negative)
        return fixer.fix(image, subject, own, picture.face_fix, Callbacks(callbacks.should_stop))

    def _eyes(self) -> tuple[Identity, JudgedBy | None]:
        """What finds faces, and what knows the person if anything does; the images may change while a painter lives."""
        known = known_photos(self._project)
        if self._judge is None or self._judge[0] != known:
            self._judge = known, judge_if_any(self._project)
        judge = self._judge[1]
        if judge is not None:
            return judge.identity, JudgedBy(judge)
        return load_identity(identity_for(self._project.settings.base)), None

    def _with_named_loras(self, picture: Picture) -> GenerationParams:
        """The parameters with the LoRAs that the prompt names as ``<lora:NAME:0.8>``.

        Those that had a file when the picture was ordered are among its own; a name without one is refused here.

        Raises:
            PromptError: no checkpoint has that name.
        """
        params = params_of(picture)
        known = {each.file.stem for each in picture.loras()} | {
            f"{each.file.parent.parent.name}/{each.file.stem}" for each in picture.loras()
        }
        tags = [tag for tag in strip(picture.prompt).loras if tag.name not in known]
        found = find_loras(self._project, tags)
        return replace(params, others=(*params.others, *(LoraWeight(file, tag.unet, tag.te) for file, tag in found)))

    def _most(self, picture: Picture) -> int:
        """How many pictures like this one to try together."""
        wanted = self._project.settings.painting.batch
        if self._painting is None or picture.base != self._base:
            return wanted or 1
        native = self._painting.native
        pixels = (picture.width or native) * (picture.height or native)
        if picture.hires is not None:
            pixels = int(pixels * picture.hires.scale**2)
        return most_together(self._painting.device.name, pixels, wanted)

    def _loaded(self, base: str | None) -> Painting:
        """The base model, loaded if another was. Raises BaseModelError."""
        found = _find(self._project, base)
        if self._painting is None or base != self._base or found != self._painting.base:
            self._unload()
            self._context.emit(events.Phase("loading the base model", 0, 1))
            if self._card is not None and not self._project.settings.painting.share_card:
                self._on_card.enter_context(self._card.held_for_painting())
            settings = self._project.settings.painting
            try:
                self._painting = Painting(
                    found, half_vae=settings.half_vae, compiled=settings.compile == "on", tell=self._tell_fit
                )
            except BaseException:
                self._unload()
                raise
            self._base = base
            self._context.emit(events.Phase("loading the base model", 1, 1))
        return self._painting

    def leave(self) -> None:
        """Gives the base model's memory and the card back."""
        self._unload()

    def _unload(self) -> None:
        self._painting = self._base = None
        free_memory()
        self._on_card.close()

    def wanted_elsewhere(self) -> bool:
        """Whether a run wants the card that pictures are painted on."""
        if self._card is None or self._project.settings.painting.share_card:
            return False
        return self._card.wanted_for_training()

    def give_way(self) -> None:
        """Gives the card to a run that trains, and waits until it has ended."""
        if not self.wanted_elsewhere():
            return
        self._unload()
        why = "a run trains on the card: the pictures wait for it (painting.share_card = true paints at the same time)"
        self._context.emit(events.Job(JobState.PAUSED, pid=os.getpid(), reason=why))
        while self.wanted_elsewhere() and not self._context.should_stop():
            time.sleep(LOOK_SECONDS)
        self.rest()
        self._context.emit(events.Job(JobState.RUNNING, pid=os.getpid(), reason="the GPU is free again"))

    def _tell_fit(self, changed: str, why: str) -> None:
        self._context.emit(events.Fit(changed, why))

    def _hash(self, lora: Path) -> str:
        key = (lora, lora.stat().st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = lora_hash(lora)
        return self._hashes[key]


class _Callbacks:
    """Looks at a batch between its steps: stops it, tells of it, shows it."""

    def __init__(
        self,
        context: Context,
        project: Project,
        queue: Queue,
        taken: Sequence[Picture],
        wanted_elsewhere: Callable[[], bool],
    ) -> None:
        self._context, self._project, self._queue, self._taken = context, project, queue, taken
        self._wanted_elsewhere = wanted_elsewhere
        self._part = 0.0
        self._subject = ",".join(str(each.id) for each in taken)

    def should_stop(self) -> bool:
        """The job is told to stop, all of the pictures were cancelled, or training wants the card."""
        if self._context.should_stop():
            return True
        if all(self._queue.state(each.id) is PictureState.CANCELLED for each in self._taken):
            return True
        return self._part < HALF and self._wanted_elsewhere()

    def step(self, done: int, total: int) -> None:
        """One step more."""
        self._part = done / total
        self._context.emit(events.Phase("painting", done, total, subject=self._subject))

    def show(self, pictures: list[Image.Image]) -> None:
        """Writes what is forming beside the job."""
        for picture, image in zip(self._taken, pictures, strict=False):
            write_preview(image, preview_path(self._project, picture.id))


def _other_of(picture: Picture, fix: Fixed) -> Beside | None:
    """The one of before and after that is not kept."""
    if fix.other is None or (picture.face_fix and picture.face_fix.only and fix.after):
        # What was fixed only has its source beside it.
        return None
    return Beside("before-face-fix" if fix.after else "after-face-fix", fix.other)


def _find(project: Project, base: str | None) -> BaseModel:
    settings = project.settings.base
    if base is None:
        return find_base(settings.for_painting)
    if base in (settings.model, str(expand_home(settings.model).resolve())):
        return find_base(settings.model_copy(update={"model": base}))
    return find_base(settings.model_copy(update={"paint_with": base}).for_painting)
