"""Following the job that writes captions, as the Dataset screen does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.counting import many
from engine.errors import LimnerError
from engine.jobs.folder import JobFolder
from engine.security.trust import NotConfirmed
from tui.app.background.job_watcher import JobStatus
from tui.screens.connect.confirm_server import ask_to_confirm
from tui.screens.shared.job_watch import JobWatch
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen


class Captioning:
    """One screen's view of the captioning job: starts it, follows it, and has the screen read what it wrote."""

    def __init__(self, screen: WorkScreen) -> None:
        self._screen = screen
        self._watch = JobWatch(screen, "captions", self._changed, self._ended)
        self._seen: JobStatus | None = None

    @property
    def running(self) -> bool:
        """Whether captions are being written."""
        return self._watch.watching

    def status(self) -> Line:
        """``captions 3 of 24 · ``; nothing where none are written now."""
        if not self.running:
            return []
        phase = self._seen.phase if self._seen is not None else None
        words = f"captions {phase.done:,} of {phase.total:,} · " if phase is not None else "captions … · "
        return [(words, Ink.ACTIVE)]

    def find(self) -> None:
        """Follows a job that runs already, started by a command or before the app was."""
        if not self.running:
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

        self._screen.run_latest("captions", begin, self._begun, refused)

    def stop(self) -> None:
        """Asks the job to stop; what it wrote stays."""
        if self._watch.ask_to_stop():
            self._screen.say("Stopping after this caption …")

    def _begun(self, job: JobFolder) -> None:
        if self.running:
            return
        self._seen = None
        self._watch.watch(job)
        self._screen.ask()

    def _changed(self, status: JobStatus) -> None:
        before, self._seen = self._seen, status
        if before is None or before.phase != status.phase:
            self._screen.shown()
        self._screen.ask()

    def _ended(self, status: JobStatus) -> None:
        self._seen = status
        if status.error is not None:
            self._screen.show_error(status.error)
        else:
            self._screen.say(_told(status))
        self._screen.shown()
        self._screen.ask()


def _told(status: JobStatus) -> str:
    if status.phase is None or not status.phase.total:
        return "No captions were missing; yours stay as they are."
    doubtful = f", {many(status.warnings, 'image')} may be no good" if status.warnings else ""
    if status.told:
        # The last one sums up.
        doubtful += f"; {status.told[-1]}"
    return f"Captions: {status.phase.done} of {status.phase.total} looked at{doubtful}. {{dataset.undo}} undoes it."
