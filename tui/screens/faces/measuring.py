"""Following the job that measures the faces, as the Faces screen does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.timer import Timer

from engine.jobs.folder import JobFolder
from tui.app.background.job_watcher import JobFollower, JobStatus
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen

POLL_SECONDS = 0.3
"""How often the job's log is looked at."""


class Measuring:
    """One screen's view of the measuring job: starts it, follows it, and has the screen read anew when it ends."""

    def __init__(self, screen: WorkScreen) -> None:
        self._screen = screen
        self._follower: JobFollower | None = None
        self._seen: JobStatus | None = None
        self._timer: Timer | None = None
        self._tried: frozenset[int] = frozenset()

    def status(self) -> Line:
        """``measuring 214 of 1,098``; nothing where nothing is measured now."""
        phase = self._seen.phase if self._seen is not None and self._follower is not None else None
        return [(f"measuring {phase.done:,} of {phase.total:,} · ", Ink.ACTIVE)] if phase is not None else []

    def once_for(self, faces: Iterable[int]) -> None:
        """Starts for these faces, unless it was tried for them before: some can't be measured."""
        ids = frozenset(faces)
        if ids != self._tried:
            self._tried = ids
            self.start()

    def start(self) -> None:
        """Starts the job, or follows the one that runs already."""
        if self._follower is not None:
            return
        project = self._screen.project

        def begin() -> JobFolder:
            from engine.faces.start_measuring import measure_folder, start_measure

            running = measure_folder(project)
            return running if running.alive() else start_measure(project)

        self._screen.do("measure", begin, self._begun)

    def _begun(self, job: JobFolder) -> None:
        self._follower = JobFollower(job)
        self._timer = self._screen.set_interval(POLL_SECONDS, self._poll)

    def _poll(self) -> None:
        if self._follower is not None:
            self._screen.do("measure-poll", self._follower.poll, self._polled)

    def _polled(self, status: JobStatus) -> None:
        self._seen = status
        if status.state.ended and self._follower is not None:
            if self._timer is not None:
                self._timer.stop()
            self._follower = None
            if status.error is not None:
                self._screen.show_error(status.error)
            self._screen.shown()
        self._screen.ask()
