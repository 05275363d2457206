"""What the app knows of the training runs: read from their logs in a thread, twice a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from engine.jobs.folder import JobFolder
from engine.project import Project
from engine.training.runs import RunFollower, RunStatus


@dataclass(frozen=True)
class Curve:
    """A run's loss curve at one moment; steps are optimizer steps."""

    steps: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    averages: tuple[float, ...] = ()
    epoch_ends: tuple[int, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was seen of the runs at one moment."""

    ids: tuple[str, ...] = ()
    """All runs, newest first."""
    newest: RunStatus | None = None
    shown: RunStatus | None = None
    """The run that the Training screen asked for; the newest where it asked for none."""
    curve: Curve = Curve()
    """The curve of the run that is shown; empty unless it was asked for."""


class RunWatch:
    """Follows the runs of a project. ``look`` belongs into a thread; the rest is for anyone."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._followers: dict[str, RunFollower] = {}
        self._lock = threading.Lock()
        self._seen = Seen()
        self.wanted: str | None = None
        """The run to show; None: the newest."""
        self.with_curve = False
        """Whether the curve is wanted, too."""

    def look(self) -> Seen:
        """Reads what is new in the logs of the newest run and of the one that is shown."""
        with self._lock:
            folders = self._project.run_folders()[::-1]
            if not folders:
                return Seen()
            by_id = {folder.id: folder for folder in folders}
            newest = self._poll(folders[0])
            shown = self._poll(by_id.get(self.wanted or "", folders[0]))
            curve = Curve()
            if self.with_curve:
                losses, before = self._followers[shown.id].losses, self._seen.curve
                same = self._seen.shown is not None and self._seen.shown.id == shown.id
                curve = (
                    before
                    if same and len(before.steps) == len(losses.steps) and before.steps[-1:] == (*losses.steps[-1:],)
                    else Curve(
                        tuple(losses.steps), tuple(losses.losses), tuple(losses.averages), tuple(losses.epoch_ends)
                    )
                )
            self._seen = replace(self._seen, ids=tuple(by_id), newest=newest, shown=shown, curve=curve)
            return self._seen

    def _poll(self, folder: JobFolder) -> RunStatus:
        follower = self._followers.setdefault(folder.id, RunFollower(folder))
        return follower.poll()
