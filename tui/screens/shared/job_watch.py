"""A job that a screen started: its log is read in a thread, a few times a second, until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer

from engine.errors import LimnerError
from engine.jobs.folder import JobFolder, Request
from tui.app.background.job_watcher import JobFollower, JobStatus

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen

POLL_SECONDS = 0.3
"""How often the job's log is looked at."""


class JobWatch:
    """One screen's watch over one kind of job.

    Args:
        screen: whose job it is.
        work: the kind, a word that no other work of the screen has.
        changed: gets where the job stands after each look but the last.
        ended: gets where it stood at its end; nothing is watched any more then.
    """

    def __init__(
        self,
        screen: WorkScreen,
        work: str,
        changed: Callable[[JobStatus], None],
        ended: Callable[[JobStatus], None],
    ) -> None:
        self._screen, self._work, self._changed, self._ended = screen, work, changed, ended
        self._job: JobFolder | None = None
        self._follower: JobFollower | None = None
        self._timer: Timer | None = None

    @property
    def watching(self) -> bool:
        """Whether a job is under way."""
        return self._follower is not None

    def start(self, begin: Callable[[], JobFolder], refused: Callable[[LimnerError], None] | None = None) -> None:
        """Starts a job in a thread, and watches it.

        Args:
            begin: starts it, or finds the one that runs already.
            refused: gets why it could not be started; None: the screen shows that.
        """
        self._screen.run_latest(self._work, begin, self.watch, refused)

    def watch(self, job: JobFolder) -> None:
        """Watches a job that was started, unless one is watched already."""
        if self.watching:
            return
        self._job, self._follower = job, JobFollower(job)
        self._timer = self._screen.set_interval(POLL_SECONDS, self._look)
        self._screen.keys_changed()

    def ask_to_stop(self) -> bool:
        """Asks the job to stop; whether it could be asked."""
        job = self._job
        return job is not None and self._screen.could(lambda: job.ask(Request.STOP))

    def _look(self) -> None:
        if self._follower is not None:
            self._screen.run_latest(f"{self._work}-look", self._follower.poll, self._looked)

    def _looked(self, status: JobStatus) -> None:
        if self._follower is None:
            return
        if not status.state.ended:
            self._changed(status)
            return
        if self._timer is not None:
            self._timer.stop()
        self._job = self._follower = self._timer = None
        self._screen.keys_changed()
        self._ended(status)
