"""A probe as the plan of a run sees it: started by a key, followed, and its figures taken up when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer

from engine import events
from engine.jobs.folder import EventTail, JobFolder, Request
from tui.app.background.job_watcher import JobFollower, JobStatus
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen

POLL_SECONDS = 0.3
"""How often the probe's log is looked at."""

SECONDS: float | None = None
"""How long it takes steps; None: as long as it likes."""


class Probing:
    """One screen's view of a probe.

    Args:
        screen: whose probe it is.
        tell: takes the line that says how it stands; an empty one when it has ended.
        ended: is called when it is over.
    """

    def __init__(self, screen: WorkScreen, tell: Callable[[Line], None], ended: Callable[[], None]) -> None:
        self._screen, self._tell, self._ended = screen, tell, ended
        self._job: JobFolder | None = None
        self._follower: JobFollower | None = None
        self._steps: EventTail | None = None
        self._taken = 0
        self._timer: Timer | None = None

    @property
    def going(self) -> bool:
        """Whether one is under way."""
        return self._job is not None

    def start(self) -> None:
        """Starts one with the settings of the moment, unless one goes on."""
        if self.going:
            return
        project = self._screen.project

        def begin() -> JobFolder:
            from engine.training.runs.start import start_probe

            return start_probe(project, seconds=SECONDS)

        self._screen.do("probe", begin, self._begun)

    def stop(self) -> None:
        """Asks it to end; what it measured so far is not kept."""
        if self._job is not None:
            self._job.ask(Request.STOP)

    def _begun(self, job: JobFolder) -> None:
        self._job, self._follower, self._steps, self._taken = job, JobFollower(job), EventTail(job.events_path), 0
        self._tell([("measuring: preparing", Ink.ATTENTION)])
        self._timer = self._screen.set_interval(POLL_SECONDS, self._poll)
        self._screen.keys_changed()

    def _poll(self) -> None:
        follower, steps = self._follower, self._steps
        if follower is None or steps is None:
            return

        def look() -> tuple[JobStatus, int]:
            return follower.poll(), sum(isinstance(entry.event, events.Step) for entry in steps.read())

        self._screen.do("probe-poll", look, self._polled)

    def _polled(self, looked: tuple[JobStatus, int]) -> None:
        status, steps = looked
        self._taken += steps
        if not status.state.ended:
            doing = f"step {self._taken:,}" if self._taken else status.phase.name if status.phase else "preparing"
            self._tell([(f"measuring: {doing}", Ink.ATTENTION)])
            return
        if self._timer is not None:
            self._timer.stop()
        self._job = self._follower = self._steps = None
        self._tell([])
        if status.error is not None:
            self._screen.show_error(status.error)
        self._ended()
