"""The whole job unattended, as a user would do it: index, faces, crops, captions, training, portraits, likeness.

Nothing here is special to the demo but its choice of words and numbers: each stage calls what the commands and the
screens call.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import events
from engine.counting import many
from engine.dataset.build import build
from engine.demo.people import JAMES
from engine.demo.project import Teller
from engine.errors import PictureError
from engine.faces.records.decisions import Ledger
from engine.faces.scan import start_scan
from engine.faces.selection.filter import select
from engine.faces.selection.pick import keep_picked, pick, target_of
from engine.faces.start_measuring import start_measure
from engine.jobs.folder import JobFolder
from engine.jobs.follow import follow, wait
from engine.library.registry import connect
from engine.pictures.likeness.scores import Likeness, read_likeness
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.queue import Picture, PictureState
from engine.pictures.orders.start import order_pictures, start_likeness, wait_for
from engine.project import Project
from engine.training.planning.plan import formula
from engine.training.runs.run_status import RunFollower, RunStatus, run_status
from engine.training.runs.start import start_training

FACES = 24
"""How many faces are picked."""

SEEDS = 8
"""Over how many seeds the likeness is measured."""

PROMPTS = (
    "photo of {trigger} {class}",
    "portrait of {trigger} {class}, smiling, blue background",
    "photo of {trigger} {class}, green shirt, yellow background",
    "portrait of {trigger} {class}, serious, red shirt",
)
"""What is painted at the end, once each."""


FIRST_SEED = 1


@dataclass(frozen=True)
class Outcome:
    """What the whole way led to."""

    person: str
    project: Path
    images: int
    run: str
    epochs: int
    lora: Path
    portraits: tuple[Path, ...]
    training_seconds: float
    likeness: Likeness

    def record(self) -> dict[str, Any]:
        """As ``--json`` reports it."""
        return {
            "person": self.person,
            "project": str(self.project),
            "images": self.images,
            "run": self.run,
            "epochs": self.epochs,
            "lora": str(self.lora),
            "portraits": [{"path": str(path)} for path in self.portraits],
            "training_seconds": round(self.training_seconds, 1),
            "likeness": self.likeness.record(),
        }


def whole_way(project: Project, teller: Teller) -> Outcome:
    """Does the whole job in the demo project, telling each stage.

    Raises:
        LimnerError: whatever went wrong on the way.
    """
    _index(project, teller)
    _faces(project, teller)
    images = _dataset(project, teller)
    run = _training(project, teller, images)
    portraits = _portraits(project, teller, run)
    likeness = _likeness(project, teller, run)
    return Outcome(
        person=JAMES.name,
        project=project.root,
        images=images,
        run=run.id,
        epochs=run.epochs,
        lora=run.checkpoints[-1],
        portraits=tuple(portraits),
        training_seconds=(run.ended_at or 0.0) - (run.started_at or 0.0),
        likeness=likeness,
    )


def _index(project: Project, teller: Teller) -> None:
    teller.stage("Reading PhotoPrism's index")
    with connect(project.settings.library, base=project.root) as library:
        teller.note(library.describe().line)
        people = library.people()
    teller.note(", ".join(f"{person.name} {person.faces} ({person.confirmed} confirmed)" for person in people))


def _faces(project: Project, teller: Teller) -> None:
    teller.stage(f"Opening every photo of {JAMES.name}")
    _follow_phases(start_scan(project, JAMES.name), teller)
    teller.stage("Measuring every face, and comparing them")
    _follow_phases(start_measure(project), teller)
    with project.store() as store:
        ledger = Ledger(store)
        faces = ledger.faces(project.settings.person.uid)
        for face in faces:
            if face.problem:
                teller.note(f"{face.file_name}: {face.problem}")
        chosen = pick(faces, FACES, target_of(project.settings.faces))
        keep_picked(ledger, chosen)
    teller.note(f"{len(faces)} faces found, {len(chosen)} picked, such as face {chosen[0].face.id}: {chosen[0].why}")
    left_out = {state: len(select(faces, f"is:{state}")) for state in ("blurred", "duplicate", "wrong")}
    teller.note("left out: " + ", ".join(f"{count} {state}" for state, count in left_out.items()))


def _dataset(project: Project, teller: Teller) -> int:
    teller.stage("Cutting and captioning the training images")
    report = build(project)
    image = report.images[0]
    teller.note(
        f"{many(len(report.images), 'image')} of {image.width} × {image.height}, {report.upscaled} of them enlarged"
    )
    teller.note(f"captions such as: {image.caption}")
    return len(report.images)


def _training(project: Project, teller: Teller, images: int) -> RunStatus:
    teller.stage("Training a LoRA")
    follower = RunFollower(start_training(project))
    told_plan = False
    for _ in follow(follower.job):
        status = follower.poll()
        if status.plan and not told_plan:
            teller.note(formula(status.plan))
            told_plan = True
        if status.step:
            teller.progress(training_line(status))
        elif status.phase:
            teller.progress(f"{status.phase.name} {status.phase.done} of {status.phase.total}")
    wait(follower.job)
    status = run_status(follower.job)
    teller.progress(training_line(status), last=True)
    teller.note(
        f"{many(images, 'image')}, {many(len(status.checkpoints), 'checkpoint')} in {status.checkpoints[-1].parent}"
    )
    return status


def training_line(status: RunStatus) -> str:
    """A run in one line: where it is, its loss, its pace, and how long the rest takes."""
    return (
        f"epoch {status.epoch}/{status.epochs}  step {status.step}/{status.steps}"
        f"  {_clock(status.remaining_seconds)} left, {_clock(status.epoch_remaining_seconds)} of this epoch"
        f"  loss {_number(status.loss)} (average {_number(status.average_loss)})"
        f"  {status.images_per_s or 0:.1f} images/s"
    )


def _portraits(project: Project, teller: Teller, run: RunStatus) -> list[Path]:
    teller.stage("Painting portraits")
    orders = [
        order_for(project, prompt, seed=FIRST_SEED + number, lora=run.checkpoints[-1])
        for number, prompt in enumerate(PROMPTS)
    ]
    queued = order_pictures(project, orders)

    def told(picture: Picture) -> None:
        if picture.state is not PictureState.DONE:
            raise PictureError(f"{picture.prompt} was not painted", picture.reason or "see the painter's log")
        teller.note(f"{picture.path.name}  {picture.prompt}")

    return [picture.path for picture in wait_for(project, [picture.id for picture in queued], told)]


def _likeness(project: Project, teller: Teller, run: RunStatus) -> Likeness:
    teller.stage(f"Comparing with {JAMES.name}, with the base model and with everybody else in the library")
    last = [run.checkpoints[-1].stem]
    _follow_phases(start_likeness(project, run.id, seeds=SEEDS, checkpoints=last), teller)
    likeness = read_likeness(project.run(run.id))
    if likeness is None:
        raise PictureError("nothing was measured", "see the likeness job's log")
    return likeness


def _follow_phases(job: JobFolder, teller: Teller) -> None:
    for entry in follow(job):
        if isinstance(entry.event, events.Phase):
            phase = entry.event
            teller.progress(f"{phase.name} {phase.done} of {phase.total}", last=1 < phase.total == phase.done)
    wait(job)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _clock(seconds: float | None) -> str:
    return "–" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
