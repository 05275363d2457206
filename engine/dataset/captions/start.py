"""Starting the job that writes captions. A project has one such job, so that nothing is captioned twice at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from engine.dataset.captions.registry import TEMPLATE
from engine.dataset.captions.registry import captioner as find_captioner
from engine.dataset.files.layout import DatasetFolder
from engine.errors import DatasetError
from engine.jobs.folder import JobFolder, JobKind
from engine.jobs.follow import state
from engine.jobs.start import start
from engine.llm.server import canonical_address
from engine.project import Project
from engine.security.trust import check_confirmed
from engine.settings import with_changes

LEAVING_SECONDS = 5.0
"""How long a process that has told its end may take to be gone."""


def start_captioning(
    project: Project,
    captioner: str = TEMPLATE,
    overwrite: bool = False,
    images: Sequence[str] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> JobFolder:
    """Starts writing captions as a job of its own and returns at once.

    Args:
        project: the project, its dataset built.
        captioner: the name of who writes them, of ``engine.dataset.captions.registry``.
        overwrite: also those that somebody or a model wrote; else only where there is none, or the template's.
        images: file names; None: all.
        changes: settings by dotted key that are to be others this time.

    Raises:
        DatasetError: there are no images, or not all of these; no such captioner; no server is set.
        NotConfirmed: nobody confirmed the server's address on this machine; nothing was sent.
        JobError: it runs already, or can't be started.
    """
    there = {path.name for path in DatasetFolder(project).image_paths()}
    if not there:
        raise DatasetError("there are no images yet", "make them with: limner dataset build")
    if unknown := [name for name in images or () if name not in there]:
        raise DatasetError(f"there is no image {unknown[0]}", "list them with: limner dataset list")
    folder = caption_folder(project)
    deadline = time.monotonic() + LEAVING_SECONDS
    while folder.alive() and state(folder).state.ended and time.monotonic() < deadline:
        time.sleep(0.02)
    if not folder.alive():
        # What the last time told is of no interest to whoever follows this time.
        folder.events_path.unlink(missing_ok=True)
    # An invalid setting is reported at once, not by the job.
    settings = with_changes(project.settings, dict(changes or {}))
    writer = find_captioner(captioner)
    if writer.server is not None:
        check_confirmed(project.root, canonical_address(writer.server(settings)), "vision model")
    args = {
        "captioner": captioner,
        "overwrite": overwrite,
        "images": list(images) if images else None,
        "changes": dict(changes or {}),
    }
    return start(folder.path, JobKind.CAPTION, project.root, args)


def caption_folder(project: Project) -> JobFolder:
    """The job's folder."""
    return JobFolder(project.jobs / "caption")
