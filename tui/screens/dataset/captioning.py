"""Following the job that writes captions, as the Dataset screen does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.timer import Timer

from engine.errors import LimnerError
from engine.jobs.folder import JobFolder, Request
from engine.security.trust import NotConfirmed
from tui.app.background.job_watcher import JobFollower, JobStatus
from tui.screens.connect.confirm_server import ask_to_confirm
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen

POLL_SECONDS = 0.3
"""How often the job's log is looked at."""


class Captioning:
    """One screen's view of the captioning job: starts it, follows it, and has the screen read what it wrote."""

    def __init__(self, screen: WorkScreen) -> None:
        self._screen = screen
        self._job: JobFolder | None = None
        self._follower: JobFollower | None = None
        self._seen: JobStatus | None = None
        self._timer: Timer | None = None

    @property
    def running(self) -> bool:
        """Whether captions are being written."""
        return self._follower is not None

    def status(self) -> Line:
        """``captions 3 of 24 · ``; nothing where none are written now."""
        if self._follower is None:
            return []
        phase = self._seen.phase if self._seen is not None else None
        words = f"captions {phase.done:,} of {phase.total:,} · " if phase is not None else "captions … · "
        return [(words, Ink.ACTIVE)]

    def find(self) -> None:
        """Follows a job that runs already, started by a command or before the app was."""
        if self._follower is None:
            from engine.dataset.captions.start import caption_folder
            from engine.jobs.follow import state

            job = caption_folder(self._screen.project)
            # A process that has told its end lives on for a moment.
            if job.alive() and not state(job).state.ended:
                self._begun(job)

    def start(self, captioner: str, overwrite: bool) -> None:
        """Starts the job."""
        project = self._screen.project

        def begin() -> JobFolder:
            from engine.dataset.captions.start import start_captioning

            return start_captioning(project, captioner, overwrite)

        def refused(error: LimnerError) -> None:
            if isinstance(error, NotConfirmed):
                ask_to_confirm(self._screen, error, "your pictures", lambda: self.start(captioner, overwrite))
            else:
                self._screen.show_error(error)

        self._screen.do("captions", begin, self._begun, refused)

    def stop(self) -> None:
        """Asks the job to stop; what it wrote stays."""
        if self._job is not None and self._follower is not None:
            job = self._job
            if self._screen.could(lambda: job.ask(Request.STOP)):
                self._screen.say("Stopping after this caption …")

    def _begun(self, job: JobFolder) -> None:
        if self._follower is not None:
            return
        self._job, self._follower, self._seen = job, JobFollower(job), None
        self._timer = self._screen.set_interval(POLL_SECONDS, self._poll)
        self._screen.keys_changed()
        self._screen.ask()

    def _poll(self) -> None:
        if self._follower is not None:
            self._screen.do("captions-poll", self._follower.poll, self._polled)

    def _polled(self, status: JobStatus) -> None:
        before, self._seen = self._seen, status
        if status.state.ended and self._follower is not None:
            if self._timer is not None:
                self._timer.stop()
            self._follower = None
            self._screen.keys_changed()
            if status.error is not None:
                self._screen.show_error(status.error)
            else:
                self._screen.say(_told(status))
            self._screen.shown()
        elif before is None or before.phase != status.phase:
            self._screen.shown()
        self._screen.ask()


def _told(status: JobStatus) -> str:
    if status.phase is None or not status.phase.total:
        return "No captions were missing; yours stay as they are."
    doubtful = f", {status.warnings} images may be no good" if status.warnings else ""
    if status.told:
        # The last one sums up.
        doubtful += f"; {status.told[-1]}"
    return f"Captions: {status.phase.done} of {status.phase.total} looked at{doubtful}. {{dataset.undo}} undoes it."
