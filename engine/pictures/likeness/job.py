"""The job that measures likeness: every checkpoint at every strength, over prompts and seeds. No torch.

The pictures are the painter's: they go through its queue, below everything that a person ordered, and what was painted
before is not painted again. Each is judged as it lands, so a measurement that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine import events
from engine.errors import PictureError
from engine.faces.photo.colour_profiles import in_srgb
from engine.faces.photo.loading import open_header
from engine.jobs.folder import JobFolder
from engine.jobs.worker import Context
from engine.library.address import parse_address
from engine.library.password import find_password
from engine.pictures.likeness.identity import Unscorable
from engine.pictures.likeness.judge import Judge, Judged, judge_for
from engine.pictures.likeness.recommendation import recommend, score
from engine.pictures.likeness.references import kept_references, prepare_references
from engine.pictures.likeness.scores import Likeness, PictureScore, Recommended, Score, write_likeness
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.picture import Picture, PictureOrder, PictureState
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import order_pictures, wait_for
from engine.project import Project

PRIORITY = -10
"""What a person ordered is painted first."""

MANY_FACELESS = 0.25
"""The share of pictures without a face that is told."""


def work(context: Context) -> None:
    """Does a likeness job; the result is written to the run's folder."""
    project = Project(context.project)
    context.emit(events.Phase("other people", 0, 1))
    judge = judge_for(project, _other_people(project))
    context.emit(events.Phase("other people", 1, 1))
    for doubt in judge.doubts():
        context.emit(events.Warning(doubt))
    measuring = _Measuring(context, project, judge)
    base, scores = measuring.scores()
    if context.should_stop():
        return
    recommended = recommend(scores, base)
    best = next(each for each in scores if _is(each, recommended))
    name, nearest = judge.scale.nearest_other(measuring.vectors(best))
    likeness = Likeness(
        prompts=tuple(context.args["prompts"]),
        measure=judge.measure(),
        scores=tuple(scores),
        base_score=base,
        real=judge.scale.real_cosine(),
        nearest_other=nearest,
        nearest_other_name=name,
        recommended=recommended,
        warnings=(*judge.doubts(), *(each for each in map(warning_of, scores) if each)),
    )
    for warning in likeness.warnings[len(judge.doubts()) :]:
        context.emit(events.Warning(warning))
    write_likeness(JobFolder(Path(context.args["run"])), likeness)


@dataclass(frozen=True)
class _Wanted:
    """A picture that is to be judged."""

    checkpoint: Path | None
    strength: float
    order: PictureOrder


class _Measuring:
    """Orders all pictures and judges each as it lands."""

    def __init__(self, context: Context, project: Project, judge: Judge) -> None:
        self._context, self._project, self._judge = context, project, judge
        self._judged: dict[int, Judged] = {}
        self._pictures: dict[int, Picture] = {}
        self._numbers: list[int] = []

    def scores(self) -> tuple[Score, list[Score]]:
        """The base model's score, and that of each checkpoint at each strength.

        Raises:
            PictureError: a checkpoint's pictures could not be painted.
        """
        wanted = list(self._wanted())
        self._tell(0, len(wanted))
        queued = order_pictures(self._project, [each.order for each in wanted], only_missing=True)
        self._numbers = [each.id for each in queued]
        try:
            wait_for(self._project, self._numbers, self._landed, self._context.should_stop)
        finally:
            self._take_back()
        grouped: dict[tuple[str, float], list[PictureScore]] = {}
        for each, number in zip(wanted, self._numbers, strict=True):
            if number in self._judged:
                key = (str(each.checkpoint or ""), each.strength)
                grouped.setdefault(key, []).append(self._score(each.order, number))
        if self._context.should_stop():
            return _NOTHING, []
        self._refuse_missing(wanted, grouped)
        found = [score(checkpoint, strength, pictures) for (checkpoint, strength), pictures in grouped.items()]
        return found[0], found[1:]

    def vectors(self, of: Score) -> Any:
        """The faces [n, d] of a score's pictures."""
        paths = {each.path for each in of.pictures}
        looks = [
            self._judged[number].looked.vector for number, each in self._pictures.items() if str(each.path) in paths
        ]
        return np.stack([each for each in looks if each is not None])

    def _wanted(self) -> Iterator[_Wanted]:
        """All pictures, a checkpoint's together: a LoRA is put on once."""
        args = self._context.args
        checkpoints = [Path(each) for each in args["checkpoints"]]
        pairs = [(None, 0.0), *((each, float(strength)) for each in checkpoints for strength in args["strengths"])]
        folder = Path(args["run"]) / "samples" / "likeness"
        for checkpoint, strength in pairs:
            name = f"{checkpoint.stem}-{strength:g}" if checkpoint else "base"
            for number, prompt in enumerate(args["prompts"], 1):
                for seed in range(1, int(args["seeds"]) + 1):
                    path = folder / f"{name}-{number}-{seed}.png"
                    order = order_for(self._project, prompt, seed=seed, lora=checkpoint, strength=strength, path=path)
                    yield _Wanted(checkpoint, strength, replace(order, priority=PRIORITY))

    def _landed(self, picture: Picture) -> None:
        if picture.state is PictureState.DONE:
            judged = self._judge.judge(_open(picture.path))
            self._judged[picture.id], self._pictures[picture.id] = judged, picture
            with self._project.store() as store:
                Queue(store).keep_likeness(picture.id, judged.likeness)
            sample = events.Sample(str(picture.path), picture.prompt, picture.seed, likeness=judged.likeness)
            self._context.emit(sample)
        elif picture.state is PictureState.FAILED:
            self._context.emit(events.Warning(picture.reason or "not painted", subject=str(picture.path)))
        self._tell(len(self._judged), len(set(self._numbers)))

    def _tell(self, done: int, total: int) -> None:
        self._context.emit(events.Phase("likeness", done, total))

    def _take_back(self) -> None:
        """Takes what was not painted off the queue, when nobody waits for it any more."""
        with self._project.store() as store:
            queue = Queue(store)
            for number in set(self._numbers) - set(self._judged):
                if queue.picture(number).priority == PRIORITY:
                    queue.cancel(number)

    def _score(self, order: PictureOrder, number: int) -> PictureScore:
        judged, picture = self._judged[number], self._pictures[number]
        return PictureScore(
            path=str(picture.path),
            seed=order.seed,
            prompt=order.prompt,
            likeness=judged.likeness,
            cosine=judged.cosine,
            nearest=judged.nearest,
            problem=_word(judged),
            copy_of=judged.copy_of,
        )

    def _refuse_missing(self, wanted: list[_Wanted], grouped: dict[tuple[str, float], list[PictureScore]]) -> None:
        for each, number in zip(wanted, self._numbers, strict=True):
            if (str(each.checkpoint or ""), each.strength) not in grouped:
                with self._project.store() as store:
                    reason = Queue(store).picture(number).reason
                name = each.checkpoint.stem if each.checkpoint else "the base model"
                raise PictureError(f"nothing was painted with {name}", reason or "paint again with: limner likeness")


def warning_of(score_: Score) -> str | None:
    """What is to be told of a checkpoint's pictures beside their likeness; None: nothing."""
    said, count = [], len(score_.pictures)
    if score_.copies:
        copies = sorted({each.copy_of for each in score_.pictures if each.copy_of})
        what = "repeats" if score_.copies == 1 else "repeat"
        said.append(f"{score_.copies} of {count} {what} a training image ({', '.join(copies[:3])})")
    if score_.no_face > MANY_FACELESS:
        said.append(f"{score_.no_face:.0%} of {count} show no face")
    name = f"{Path(score_.checkpoint).stem} at {score_.strength:g}"
    return f"{name}: {'; '.join(said)}" if said else None


_NOTHING = Score("", 0.0, None, None, None, None, 0.0, 0, 0, None, ())


def _is(score_: Score, recommended: Recommended) -> bool:
    return (score_.checkpoint, score_.strength) == (recommended.checkpoint, recommended.strength)


def _word(judged: Judged) -> str | None:
    return None if judged.problem is None else Unscorable(judged.problem).value


def _other_people(project: Project) -> dict[str, list[Path]]:
    url = project.settings.library.url
    password = find_password(parse_address(url, project.root), project.root) if url else None
    # A library that was taken out of the settings left its people's faces here.
    return prepare_references(project, password) or kept_references(project)


def _open(path: Path) -> Image.Image:
    try:
        with open_header(path) as image:
            image.load()
            return in_srgb(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(f"{path} can't be read", "delete it, and measure again") from error
