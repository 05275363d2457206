"""A probe as the plan of a run sees it: started by a key, followed, and its figures taken up when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.jobs.folder import JobFolder
from tui.app.background.job_watcher import JobStatus
from tui.screens.shared.job_watch import JobWatch
from tui.widgets.ink import Ink, Line

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen

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
        self._screen, self._tell, self._over = screen, tell, ended
        self._watch = JobWatch(screen, "probe", self._changed, self._ended)

    @property
    def going(self) -> bool:
        """Whether one is under way."""
        return self._watch.watching

    def start(self) -> None:
        """Starts one with the settings of the moment, unless one is under way."""
        if self.going:
            return
        project = self._screen.project

        def begin() -> JobFolder:
            from engine.training.runs.start import start_probe

            return start_probe(project, seconds=SECONDS)

        def begun(job: JobFolder) -> None:
            self._tell([("measuring: preparing", Ink.ATTENTION)])
            self._watch.watch(job)

        self._screen.run_latest("probe", begin, begun)

    def stop(self) -> None:
        """Asks it to end; what it measured so far is not kept."""
        self._watch.ask_to_stop()

    def _changed(self, status: JobStatus) -> None:
        doing = f"step {status.steps:,}" if status.steps else status.phase.name if status.phase else "preparing"
        self._tell([(f"measuring: {doing}", Ink.ATTENTION)])

    def _ended(self, status: JobStatus) -> None:
        self._tell([])
        if status.error is not None:
            self._screen.show_error(status.error)
        self._over()
