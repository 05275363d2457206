"""A project in the middle of its work, made anew in a second or two: drawn people, a dataset, a run, pictures.

The tests of the screens and the pictures of the docs are taken of it. Nothing on a screen depends on where it lies or
when it was made.
"""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image

from engine import events
from engine.dataset.build import build
from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import JAMES
from engine.faces.photo.geometry import Box, Framing
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.found_face import FoundFace
from engine.faces.records.measurement_store import MeasuredFaces, Seen
from engine.faces.records.measurements import FaceQuality, FaceRelations
from engine.jobs.folder import JobFolder, JobKind, Order
from engine.library.base import Description
from engine.library.people import Person
from engine.pictures.gallery.ratings import Ratings
from engine.pictures.orders.png_parameters import Parameters, png_text
from engine.pictures.orders.queue import PictureOrder, Queue
from engine.pictures.orders.start import painter_folder
from engine.project import Project, create_project
from engine.settings import DEMO_BASE, Sampler
from engine.storage.file_locks import file_lock
from tests.support.mariadb import SHARED_FOLDER
from tui.screens.connect.fields import Checked

PERSON_UID = "js6sg6b1qekk9jx8"
RUN = "20261121-1403-jx265"
PER_EPOCH = 63
TAKEN = 1_400_000_000
"""When all photos were last written to: the same photo has the same stamp in every project."""
SIDES = 700, 2400
"""Between what a photo is wide."""

CARD = {"gpu_percent": 97.0, "gpu_watts": 612.0, "gpu_celsius": 61.0, "gpu_memory_gb": 63.4, "gpu_total_gb": 85.5}

PEOPLE = (
    Person(PERSON_UID, "James", 1098, 212, 2008, 2024),
    Person("js6sg6b2h8njw0sx", "Jana", 64, 64, 2019, 2024),
    Person("js6sg6b3xk2pq7aa", "Greta", 41, 3, 2011, 2023),
    Person("js6sg6b4m0zt5vbc", "Omar", 9, 2, 2022, 2022),
)


def story_project(root: Path, faces: int = 30) -> Project:
    """A project with ``faces`` faces, a third of them decided on."""
    return _copied(root, f"{faces} faces", lambda folder: _scanned(folder, faces))


def whole_story_project(root: Path) -> Project:
    """The same with a dataset, pictures and a run."""
    return _copied(root, "whole", _whole)


def _whole(root: Path) -> None:
    with_run(with_pictures(with_dataset(story_project(root))))


def _copied(root: Path, name: str, make: Callable[[Path], object]) -> Project:
    """A copy of what is made once for all processes that test: a project may lie anywhere."""
    made = _shared() / "stories" / name
    made.mkdir(parents=True, exist_ok=True)
    with file_lock(made):
        if not (made / root.name).exists():
            make(made / "part" / root.name)
            (made / "part" / root.name).rename(made / root.name)
    shutil.copytree(made / root.name, root)
    _bring_over(root, str(made / "part" / root.name))
    return Project(root)


def _bring_over(root: Path, made: str) -> None:
    """Makes a copy's photos and orders its own: photos lie in its folder here, and are named by absolute paths."""
    for file in root.rglob("*"):
        if file.suffix in (".json", ".jsonl", ".toml"):
            file.write_bytes(file.read_bytes().replace(made.encode(), str(root).encode()))
    with Project(root).store() as store, store.change() as change:
        change.execute("UPDATE faces SET path = replace(path, ?, ?)", (made, str(root)))


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Of a process that shares nothing; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="limner-stories-")


def _shared() -> Path:
    return Path(os.environ.get(SHARED_FOLDER) or _own_folder().name)


def _scanned(root: Path, faces: int) -> None:
    project = create_project(root, trigger="jx265", class_word="man")
    project.change(
        {
            "person.name": "James",
            "person.uid": PERSON_UID,
            "library.url": "mysql://photoprism@127.0.0.1:3306/photoprism",
            "library.originals": "/mnt/photos",
            "library.sidecar": "/mnt/storage/sidecar",
            "base.model": DEMO_BASE,
            "training.batch_size": 4,
        }
    )
    with project.store() as store:
        ledger = Ledger(store)
        found = [_face(project, number) for number in range(1, faces + 1)]
        ledger.record(PERSON_UID, found)
        _measure(MeasuredFaces(store), found)
        ledger.decide([number for number in (2, 3, 5, 8, 9, 12) if number <= faces], Decision.KEEP)
        ledger.decide([number for number in (4, 7) if number <= faces], Decision.REJECT)


def with_dataset(project: Project) -> Project:
    """Builds the images of the kept faces, one caption written by hand.

    They are cut once for all projects that would have the same.
    """
    build_once(project, project.root)
    first = sorted(project.dataset.glob("*/*.txt"))[0]
    first.write_text("jx265, man, close-up, ginger beard, round glasses, outdoors\n")
    return project


def build_once(project: Project, root: Path, framing: Framing | None = None) -> None:
    """Builds the dataset, or copies what the same build has made before of the same faces and settings.

    Args:
        project: whose images are built.
        root: the folder below which its photos and all else lie; another project has another.
        framing: as ``build`` has it.
    """
    here = f"{root}/"
    with project.store() as store:
        cut_of = repr((framing, project.settings, Ledger(store).faces())).replace(here, "")
    if cut_of not in _datasets:
        build(project, framing)
        files = [path for path in project.dataset.rglob("*") if path.is_file()]
        _datasets[cut_of] = {
            path.relative_to(project.root): path.read_bytes().replace(here.encode(), b"//here/") for path in files
        }
    for relative, content in _datasets[cut_of].items():
        path = project.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.replace(b"//here/", here.encode()))


def with_run(project: Project, steps: int = 180, done: bool = False) -> JobFolder:
    """Writes a run's folder as training does: ``steps`` of 630 steps, a checkpoint an epoch."""
    job = JobFolder(project.runs / RUN)
    settings = project.settings.model_dump(mode="json")
    job.write_order(Order(JobKind.TRAIN, project.root, {"settings": settings}))
    (job.path / "checkpoints").mkdir()
    (job.path / "samples").mkdir()
    with job.events_path.open("w", encoding="utf-8") as log:
        at = 1_795_000_000.0
        for event in _events(job, steps, done):
            at += 4 / 21.3 if isinstance(event, events.Step) else 0.0
            log.write(events.to_line(event, at))
    return job


@contextmanager
def alive(job: JobFolder) -> Iterator[None]:
    """Holds the job's lock, as its process would."""
    handle = os.open(job.lock_path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def idle_painter(project: Project) -> Iterator[None]:
    """A painter that seems to live, so that nobody starts one that really paints."""
    painter = painter_folder(project)
    painter.path.mkdir(parents=True)
    with alive(painter):
        yield


def with_pictures(project: Project) -> Project:
    """Puts pictures in the queue in every state; those that are done lie in the folder."""
    project.pictures.mkdir(exist_ok=True)
    orders = [_order(project, number) for number in range(1, 9)]
    with project.store() as store:
        queue = Queue(store)
        queue.add(orders)
        for number, order in enumerate(orders[:5], start=1):
            queue.take()
            parameters = Parameters(
                prompt=order.prompt, steps=30, sampler="Euler", guidance=6.0, seed=order.seed, model="sd_xl_base_1.0"
            )
            _painted(order.seed).save(order.path, pnginfo=png_text(parameters))
            queue.finish(number, order.path, 4.2)
        for stars, number in ((3, 4), (5, 2)):
            Ratings(store).rate([number], stars)
        Ratings(store).favourite([2])
        with store.change() as change:
            for likeness, number in ((87.0, 2), (62.5, 3), (31.0, 5)):
                change.execute("UPDATE pictures SET likeness = ? WHERE id = ?", (likeness, number))
        queue.take()
        queue.fail(6, "the GPU ran out of memory")
        queue.take()
    return project


def checked(settings: object) -> Checked:
    """What a look into a large library would tell."""
    return Checked(
        settings,  # type: ignore[arg-type]
        Description("MariaDB 10.11.6", "2024-12", 61204, 38911),
        (
            (True, "originals: 5 of 5 sampled files opened (/mnt/photos)"),
            (True, "sidecar: 2 of 2 sampled files opened (/mnt/storage/sidecar)"),
        ),
        None,
        PEOPLE,
        False,
    )


def immich(settings: object) -> Checked:
    """What a look into an Immich would tell."""
    return Checked(
        settings,  # type: ignore[arg-type]
        Description("over HTTPS", "3.3.5", None, 1204, kind="Immich"),
        (
            (True, "the key may read people, their counts, faces, photos' data, downloads"),
            (True, "photos: fetched when they are needed, 318 so far (/home/james/portraits/cache/originals)"),
            (None, "12 people have no name yet and can't be scanned: name them in Immich"),
        ),
        None,
        tuple(replace(each, confirmed=None, first_year=None, last_year=None) for each in PEOPLE),
        False,
    )


_datasets: dict[str, dict[Path, bytes]] = {}
"""Of what was built before: the files, ``//here/`` in place of the project's folder."""


@cache
def _photo(number: int) -> bytes:
    """A photo's bytes, drawn once: most tests of the screens begin with thirty of them."""
    chance = Random(number)
    side = chance.randrange(*SIDES)
    file = BytesIO()
    draw_portrait(JAMES, random_scene(chance), 256).resize((side, side)).save(file, "JPEG", quality=90)
    return file.getvalue()


@cache
def _painted(seed: int) -> Image.Image:
    """What stands for a painted picture."""
    return draw_portrait(JAMES, random_scene(Random(seed)), 512)


def _face(project: Project, number: int) -> FoundFace:
    side = Random(number).randrange(*SIDES)
    path = project.root / "photos" / f"IMG_{2200 + number}.jpg"
    if number != 6:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_photo(number))
        os.utime(path, (TAKEN, TAKEN))
    found = FoundFace(
        marker_uid=f"ms6sg6b{number:09}",
        person_uid=PERSON_UID,
        person="James",
        photo_uid=f"ps6sg6b{number:09}",
        file_uid=f"fs6sg6b{number:09}",
        file_root="/",
        file_name=f"{2011 + number // 3}/lake/IMG_{2200 + number}.jpg",
        path=path,
        box=Box(0.3, 0.25, 0.42, 0.42),
        image_width=side,
        image_height=side,
        face_px=round(side * 0.42),
        taken_at=f"{2011 + number // 3}-{1 + number % 12:02}-{1 + number * 7 % 28:02} 15:58:24",
        confirmed=number % 3 != 0 and number != 17,
        warning="turned or edited since" if number == 10 else None,
    )
    if number == 6:
        return replace(found, problem="the file is missing", face_px=None, image_width=None, image_height=None)
    return found


def _measure(measured: MeasuredFaces, found: list[FoundFace]) -> None:
    """What measuring would find: 13 to 15 are one burst, 11 is a blur, 17 somebody else, 20 a copy of 19."""
    seen, sights, relations = [], [], {}
    for number, face in enumerate(found, start=1):
        chance = Random(f"measures {number}")
        sharp = 7.0 if number == 11 else chance.uniform(20, 230)
        hashes = chance.getrandbits(256), chance.getrandbits(64)
        quality = FaceQuality(round(sharp, 1), round(chance.uniform(80, 170), 1), 48.0, 0.01, 0.0, *hashes)
        seen.append(Seen(face.marker_uid))
        if not face.problem:
            sights.append((face.marker_uid, "story", quality))
            relations[face.marker_uid] = FaceRelations(
                burst=13 if 13 <= number <= 15 else None,
                burst_size=3 if 13 <= number <= 15 else 1,
                burst_best=number not in (13, 15),
                copy_of=19 if number == 20 else None,
                distance=1.31 if number == 17 else 0.48,
                wrong=number == 17,
            )
    measured.take_in(seen)
    measured.save(sights)
    measured.save_kin(relations)


def _events(job: JobFolder, steps: int, done: bool) -> Iterator[events.Event]:
    chance = Random(3)
    yield events.Job(events.JobState.STARTING, pid=1)
    yield events.Job(events.JobState.RUNNING, pid=1)
    yield events.Plan(25, 10, 4, PER_EPOCH, 10, PER_EPOCH * 10, 2500)
    for step in range(1, steps + 1):
        loss = 0.06 + 0.09 * math.exp(-step / 150) + abs(chance.gauss(0, 0.014))
        seen = CARD if step % 5 == 0 else {}
        rate = 1e-4 * min(1.0, step / 31) * 0.5 * (1 + math.cos(math.pi * step / (PER_EPOCH * 10)))
        yield events.Step(step, (step - 1) // PER_EPOCH + 1, loss, rate, 21.3, 61.2, **seen)
        if step % PER_EPOCH == 0:
            epoch = step // PER_EPOCH
            path = f"checkpoints/jx265-{epoch:06}.safetensors"
            (job.path / path).write_bytes(bytes(2_300_000))
            sample = f"samples/jx265-{epoch:06}-{step:08}-01.png"
            draw_portrait(JAMES, random_scene(Random(epoch)), 128).save(job.path / sample)
            yield events.Epoch(epoch, loss, 0.062 + 0.05 / epoch, 11.7)
            yield events.Checkpoint(path, epoch, step)
            yield events.Sample(sample, "photo of jx265 man, soft window light", 1, epoch, 31.0 + 10 * epoch)
    yield events.Estimate(11.7, 84.0, 0.11, 1.7, 0.03, 0.2, 3.0)
    if done:
        yield events.Job(events.JobState.DONE)


def _order(project: Project, number: int) -> PictureOrder:
    return PictureOrder(
        prompt=f"photo of jx265 man, {('soft window light', 'golden hour', 'studio light')[number % 3]}, navy suit",
        path=project.pictures / f"20261121-1431{number:02}-{number * 7}.png",
        seed=number * 7,
        steps=30,
        guidance=6.0,
        sampler=Sampler.EULER,
        lora=project.runs / RUN / "checkpoints" / "jx265-000002.safetensors",
        strength=0.8,
    )
