"""MariaDB killed in mid-scan and started again: the scan goes on, and takes nothing in twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

from engine import events
from engine.errors import HostUnreachable
from engine.faces import scan as scanning
from engine.faces.records.decisions import Ledger
from engine.project import Project, create_project
from tests.chaos.tally import Tally, loss_if_it_fails
from tests.support.mariadb import Killable, killable_server
from tests.support.photoprism import Index
from tests.support.small_project import portrait

FACES = 12
QUESTIONS = ("people", "faces", "markers_beside", "embeddings")
"""What a scan asks the library, in its order."""


def run(folder: Path, chance: Random, until: float) -> Tally:
    """Kills the server before each question of a scan in turn, until that moment."""
    tally = Tally()
    with killable_server("--innodb-flush-log-at-trx-commit=1") as database:
        project = library(folder, database)
        number = 0
        while number < len(QUESTIONS) or time.monotonic() < until:
            question = QUESTIONS[number % len(QUESTIONS)]
            number += 1
            with loss_if_it_fails(tally, f"a scan whose server went away at {question}"):
                comes_back(project, database, question, chance.uniform(0.0, 0.8), tally)
        with loss_if_it_fails(tally, "a scan whose server stayed away"):
            stays_away(project, database, tally)
    return tally


def library(folder: Path, database: Killable) -> Project:
    project, index = create_project(folder / "far", "jx265", "man"), Index()
    james = index.person("James")
    (folder / "photos").mkdir()
    for number in range(FACES):
        picture = portrait(number % 6, 256)
        picture.save(folder / "photos" / f"{number}.jpg")
        index.face(index.photo(f"{number}.jpg", picture.size), james)
    url = index.to_mariadb(database.server, "chaos")
    project.change({"library.url": url, "library.originals": folder / "photos"})
    return project


def comes_back(project: Project, database: Killable, question: str, seconds: float, tally: Tally) -> None:
    told: list[events.Event] = []
    again = Timer(seconds, database.start)
    with dies_at(question, database, again.start):
        report = scanning.scan(project, "James", "insecure", told.append)
    again.join()
    tally.faults["MariaDB killed in mid-scan"] += 1
    with project.store() as store:
        faces = Ledger(store).faces()
    said = any(isinstance(each, events.Warning) and "the scan waits" in each.message for each in told)
    tally.expect(said, "waiting for the server told", f"nobody was told that the server is gone at {question}")
    tally.expect(
        report.faces == report.usable == len(faces) == FACES,
        "scans that went on, nothing twice",
        f"{report} and {len(faces)} faces in the store, of {FACES}",
    )


def stays_away(project: Project, database: Killable, tally: Tally) -> None:
    patience, scanning.COMES_BACK_SECONDS = scanning.COMES_BACK_SECONDS, 0.5
    try:
        with dies_at("faces", database, lambda: None):
            scanning.scan(project, "James", "insecure")
        tally.losses.append("a scan without a server ended well")
    except HostUnreachable as error:
        tally.faults["MariaDB gone for good"] += 1
        tally.expect(bool(error.fix), "a server that is gone is said, with what to do", f"no way on: {error}")
    finally:
        scanning.COMES_BACK_SECONDS = patience
        database.start()
    found = scanning.scan(project, "James", "insecure")
    tally.expect(found.faces == FACES, "scans done when the server is back", f"{found}")


@contextmanager
def dies_at(question: str, database: Killable, then: Any) -> Iterator[None]:
    """Kills the server once, right before a scan asks that question."""
    connect = scanning.connect
    alive = True

    def dying(*args: Any) -> Any:
        found = connect(*args)
        real = getattr(found, question)

        def asked(*about: Any) -> Any:
            nonlocal alive
            if alive:
                alive = False
                database.kill()
                then()
            return real(*about)

        setattr(found, question, asked)
        return found

    scanning.connect = dying  # type: ignore[assignment]
    try:
        yield
    finally:
        scanning.connect = connect
