"""Following the job that measures the faces, as the Faces screen does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.jobs.folder import JobFolder
from tui.app.background.job_watcher import JobStatus
from tui.screens.shared.job_watch import JobWatch
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen


class Measuring:
    """One screen's view of the measuring job: starts it, follows it, and has the screen read anew when it ends."""

    def __init__(self, screen: WorkScreen) -> None:
        self._screen = screen
        self._watch = JobWatch(screen, "measure", self._changed, self._ended)
        self._seen: JobStatus | None = None
        self._tried: frozenset[int] = frozenset()

    def status(self) -> Line:
        """``measuring 214 of 1,098``; nothing where nothing is measured now."""
        phase = self._seen.phase if self._seen is not None and self._watch.watching else None
        return [(f"measuring {phase.done:,} of {phase.total:,} · ", Ink.ACTIVE)] if phase is not None else []

    def once_for(self, faces: Iterable[int]) -> None:
        """Starts for these faces, unless it was tried for them before: some can't be measured."""
        ids = frozenset(faces)
        if ids != self._tried:
            self._tried = ids
            self.start()

    def start(self) -> None:
        """Starts the job, or follows the one that runs already."""
        if self._watch.watching:
            return
        project = self._screen.project

        def begin() -> JobFolder:
            from engine.faces.start_measuring import measure_folder, start_measure

            running = measure_folder(project)
            return running if running.alive() else start_measure(project)

        self._watch.start(begin)

    def _changed(self, status: JobStatus) -> None:
        self._seen = status
        self._screen.ask()

    def _ended(self, status: JobStatus) -> None:
        self._seen = status
        if status.error is not None:
            self._screen.show_error(status.error)
        self._screen.shown()
        self._screen.ask()
