"""``python -m tests.chaos.jobs FOLDER SECONDS SEED``: the painter, the scanner and the measurer, killed at any instant.

One process that has everything imported forks a worker for each life, hands it the job's lock as a real start does, and
sends SIGKILL after a random time. Then it looks: nothing half-written, nothing lost, nothing twice, the lock free. At
the end each kind of work is done to its end. Prints one JSON document.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random

from PIL import Image

from engine.demo.drawing import draw_portrait, random_scene
from engine.demo.people import JAMES
from engine.errors import JobError
from engine.faces.records.decisions import Decision, Ledger
from engine.faces.records.measurement_store import MeasuredFaces
from engine.faces.start_measuring import measure_folder
from engine.jobs import worker
from engine.jobs.folder import EventLog, JobFolder, JobKind, Order
from engine.jobs.start import start
from engine.jobs.work import WORK
from engine.pictures.orders.orders import new_picture_path, order_from_settings, ready_to_queue
from engine.pictures.orders.picture import PictureState
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import painter_folder
from engine.project import Project, create_project
from tests.chaos.tally import Tally, loss_if_it_fails
from tests.support.photoprism import Index
from tests.support.small_project import small_project

FACES = 24


def forked(job: JobFolder, kind: JobKind, project: Project, args: dict[str, object]) -> int:
    """Starts a job as ``engine.jobs.start`` does, in a fork that has all modules. Returns its process id."""
    job.path.mkdir(parents=True, exist_ok=True)
    lock = os.open(job.lock_path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    log = EventLog(job.events_path)
    log.keep_room()
    log.close()
    job.write_order(Order(kind, project.root, args))
    pid = os.fork()
    if pid == 0:
        printed = os.open(job.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os._exit(worker.run(job.path))
    os.close(lock)
    return pid


def one_life(
    tally: Tally, what: str, chance: Random, longest: float, begin: Callable[[], tuple[JobFolder, int]]
) -> None:
    """Begins a job, refuses it a second worker, kills it after a random time, and looks at its lock."""
    job, pid = begin()
    # Often at its very beginning, where it takes things up.
    time.sleep(chance.uniform(0.0, longest) * chance.random())
    # Held still, so that it can't end by itself while it is looked at. One that is ending already, whose lock may be
    # free, doesn't stop any more: only what is told to have stopped has.
    os.kill(pid, signal.SIGSTOP)
    if os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
        order = job.read_order()
        try:
            start(job.path, order.kind, order.project, order.args)
            tally.losses.append(f"{what}: a second worker was let in")
        except JobError:
            tally.held["second workers refused"] += 1
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        tally.kills[what] += 1
    tally.expect(not job.alive(), "locks free after a kill", f"{what}: its lock is held by nobody")


def paint(folder: Path, chance: Random, until: float, tally: Tally) -> None:
    project = small_project(folder / "painted")
    project.change({"painting.idle_seconds": 0.2})
    job = painter_folder(project)
    ordered: list[int] = []

    def begin() -> tuple[JobFolder, int]:
        seed = len(ordered) + 1
        order = order_from_settings(project.settings, "photo of jx265 man", new_picture_path(project, seed), seed)
        with project.store() as store:
            ordered.append(Queue(store).add([ready_to_queue(project, order)])[0].id)
        return job, forked(job, JobKind.PAINT, project, {})

    first = True
    while first or time.monotonic() < until:
        first = False
        one_life(tally, "the painter", chance, 2.5, begin)
        whole_pictures(project, tally)
        again(project)
    while waiting(project):
        os.waitpid(forked(job, JobKind.PAINT, project, {}), 0)
        again(project)
    with project.store() as store:
        pictures = [Queue(store).picture(number) for number in ordered]
    for picture in pictures:
        done = picture.state is PictureState.DONE and picture.path.exists()
        tally.expect(done, "queued pictures painted in the end", f"picture {picture.id}: {picture.state}")
    files = [each for each in project.pictures.iterdir() if each.name[0] != "."]
    tally.expect(
        len(files) == len(pictures) == len({each.path for each in pictures}),
        "no picture painted twice",
        f"{len(pictures)} pictures were ordered, {len(files)} files lie there",
    )


def whole_pictures(project: Project, tally: Tally) -> None:
    """What has a picture's name is a picture."""
    for path in project.pictures.glob("[!.]*.png") if project.pictures.is_dir() else ():
        with loss_if_it_fails(tally, f"{path.name} is half-written"), Image.open(path) as picture:
            picture.load()
            tally.held["pictures that were looked at"] += 1


def again(project: Project) -> None:
    """What killed several painters is given up by itself; a person says: try again."""
    with project.store() as store:
        queue = Queue(store)
        for picture in queue.pictures():
            if picture.state is PictureState.FAILED:
                queue.retry(picture.id)


def waiting(project: Project) -> int:
    with project.store() as store:
        return Queue(store).waiting()


def library(folder: Path) -> Project:
    """A project whose library holds ``FACES`` photos of James, by an index on SQLite."""
    project, index = create_project(folder / "seen", "jx265", "man"), Index()
    james = index.person("James")
    (folder / "originals").mkdir()
    for number in range(FACES):
        picture = draw_portrait(JAMES, random_scene(Random(number)), 256)
        picture.save(folder / "originals" / f"{number:03}.jpg")
        index.face(index.photo(f"{number:03}.jpg", picture.size), james, (0.3, 0.25, 0.42, 0.42))
    url = index.to_sqlite(folder / "index.db")
    project.change({"library.url": url, "library.originals": folder / "originals"})
    return project


def scan(project: Project, chance: Random, until: float, tally: Tally) -> None:
    number = 0

    def begin() -> tuple[JobFolder, int]:
        job = JobFolder(project.jobs / f"scan-{number}")
        return job, forked(job, JobKind.SCAN, project, {"person": "James"})

    kept: dict[str, Decision] = {}
    while not number or time.monotonic() < until:
        one_life(tally, "the scanner", chance, 0.2, begin)
        number += 1
        with project.store() as store:
            faces = Ledger(store).faces()
            tally.expect(
                len(faces) in (0, FACES) and len({face.marker_uid for face in faces}) == len(faces),
                "scans are whole or not there",
                f"{len(faces)} of {FACES} faces after a kill",
            )
            lost = [face.id for face in faces if face.decision is not kept.get(face.marker_uid, Decision.UNDECIDED)]
            tally.expect(not lost, "decisions outlive scans", f"the decisions of {lost} are gone")
            if faces:
                face, decision = chance.choice(faces), chance.choice(list(Decision))
                Ledger(store).decide([face.id], decision)
                kept[face.marker_uid] = decision
        _ = project.settings
    last = JobFolder(project.jobs / "scan-last")
    os.waitpid(forked(last, JobKind.SCAN, project, {"person": "James"}), 0)
    with project.store() as store:
        count = len(Ledger(store).faces())
    tally.expect(count == FACES, "scans done in the end", f"the last scan found {count} of {FACES} faces")


def measure(project: Project, chance: Random, until: float, tally: Tally) -> None:
    def begin() -> tuple[JobFolder, int]:
        return measure_folder(project), forked(measure_folder(project), JobKind.MEASURE, project, {"again": False})

    known = 0
    first = True
    while first or time.monotonic() < until:
        first = False
        with project.store() as store:
            if len(MeasuredFaces(store).stamps()) == FACES:
                MeasuredFaces(store).forget()
                known = 0
        one_life(tally, "the measurer", chance, 2.5, begin)
        with project.store() as store:
            now = len(MeasuredFaces(store).stamps())
        tally.expect(now >= known, "measures outlive kills", f"{known} faces were measured, {now} are")
        known = now if now < FACES else 0
    os.waitpid(forked(measure_folder(project), JobKind.MEASURE, project, {"again": False}), 0)
    with project.store() as store:
        missing = [face.id for face in Ledger(store).faces() if face.measures.quality is None]
    tally.expect(not missing, "measuring done in the end", f"never measured: {missing}")


def run(folder: Path, chance: Random, until: float) -> Tally:
    """A third of the time for each."""
    for kind in (JobKind.PAINT, JobKind.SCAN, JobKind.MEASURE):
        import_module(WORK[kind].split(":")[0])
    tally = Tally()
    began = time.monotonic()
    part = (until - began) / 4
    with loss_if_it_fails(tally, "the painter"):
        paint(folder, chance, began + 2 * part, tally)
    project = library(folder)
    with loss_if_it_fails(tally, "the scanner"):
        scan(project, chance, began + 3 * part, tally)
    with loss_if_it_fails(tally, "the measurer"):
        measure(project, chance, until, tally)
    return tally


if __name__ == "__main__":
    seconds, seed = float(sys.argv[2]), int(sys.argv[3])
    found = run(Path(sys.argv[1]), Random(seed), time.monotonic() + seconds)
    print(json.dumps(found.record(), indent=1))
