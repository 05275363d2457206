"""Starting to measure, and what is left to measure. The work itself is ``engine.faces.measure_job``, in a job."""

from __future__ import annotations

import time
from collections.abc import Iterable

from engine.faces.records.decisions import Face
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.project import Project

LEAVING_SECONDS = 5.0
"""How long a process that has told its end may take to be gone."""


def start_measure(project: Project, again: bool = False) -> JobFolder:
    """Starts measuring as a job of its own and returns at once.

    Raises:
        JobError: it can't be started, or is under way already.
    """
    folder = measure_folder(project)
    deadline = time.monotonic() + LEAVING_SECONDS
    while folder.alive() and state(folder).state.ended and time.monotonic() < deadline:
        time.sleep(0.02)
    return start(folder.path, JobKind.MEASURE, project.root, {"again": again}, anew=True)


def measure_folder(project: Project) -> JobFolder:
    """The job's folder: a project has one, so that it is never measured twice at once."""
    return JobFolder(project.jobs / "measure")


def unmeasured(faces: Iterable[Face]) -> int:
    """How many faces could be measured and are not, or were never compared with the others."""
    return sum(
        not face.problem and (face.measures.quality is None or face.measures.relations is None) for face in faces
    )
