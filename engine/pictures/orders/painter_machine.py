"""On which machine this project's pictures are painted: this one, or one of the user's list.

The choice is kept beside the painter's job, on this machine alone: it travels with no bundle, and no project can bring
one along.
"""

from __future__ import annotations

from engine.errors import PictureError
from engine.jobs.folder import JobFolder, Request
from engine.project import Project
from engine.storage.atomic_files import write_text
from engine.storage.untrusted_files import read_text

HERE = "here"
"""What takes the choice back."""

_NAME = "machine"

MOST_LETTERS = 200


def painter_machine(project: Project) -> str | None:
    """The machine's name; None: this one."""
    try:
        found = read_text(_painter(project).path / _NAME, MOST_LETTERS).strip()
    except (OSError, ValueError):
        return None
    return found or None


def paint_on(project: Project, name: str | None) -> None:
    """From now on pictures are painted there; what is being painted elsewhere goes back into the queue.

    Args:
        project: the project.
        name: a machine of the user's list, which the caller has looked up; None: this one.

    Raises:
        PictureError: the choice can't be kept.
    """
    if name == painter_machine(project):
        return
    painter = _painter(project)
    try:
        painter.path.mkdir(parents=True, exist_ok=True)
        if name is None:
            (painter.path / _NAME).unlink(missing_ok=True)
        else:
            write_text(painter.path / _NAME, f"{name}\n")
    except OSError as error:
        raise PictureError(f"{painter.path} can't be written ({error.strerror})", "check its rights") from error
    if painter.alive():
        painter.ask(Request.STOP)


def _painter(project: Project) -> JobFolder:
    return JobFolder(project.jobs / "painter")
