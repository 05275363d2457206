"""What the app knows of the training runs: read from their logs in a thread, twice a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from engine.jobs.folder import JobFolder
from engine.project import Project
from engine.training.runs.curves import Curves
from engine.training.runs.run_status import RunFollower, RunStatus


@dataclass(frozen=True)
class Drawn:
    """A run with its curves at one moment."""

    status: RunStatus
    curves: Curves


@dataclass(frozen=True)
class Seen:
    """What was seen of the runs at one moment."""

    ids: tuple[str, ...] = ()
    """All runs, newest first."""
    newest: RunStatus | None = None
    shown: RunStatus | None = None
    """The run that the Training screen asked for; the newest where it asked for none."""
    curves: Curves = field(default_factory=Curves)
    """The curves of the run that is shown; empty unless they were asked for."""
    compared: tuple[Drawn, ...] = ()
    """Where another run than the one shown is marked: these and the one shown, newest first, for one chart."""
    marked: frozenset[str] = frozenset()
    printed: tuple[str, ...] = ()
    """The last lines that the process of the run shown printed, if they were asked for."""


class RunWatcher:
    """Follows the runs of a project. ``look`` belongs into a thread; the rest is for anyone."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._followers: dict[str, RunFollower] = {}
        self._copies: dict[str, Curves] = {}
        self._lock = threading.Lock()
        self.wanted: str | None = None
        """The run to show; None: the newest."""
        self.marked: frozenset[str] = frozenset()
        """The runs to compare."""
        self.with_curve = False
        """Whether the curves are wanted, too."""
        self.with_printed = False
        """Whether what the process printed is wanted, too."""

    def look(self) -> Seen:
        """Reads what is new in the logs of the newest run, of the one that is shown, and of those compared."""
        with self._lock:
            folders = self._project.run_folders()[::-1]
            if not folders:
                return Seen()
            by_id = {folder.id: folder for folder in folders}
            seen = Seen(tuple(by_id), newest=self._poll(folders[0]))
            shown = by_id.get(self.wanted or "", folders[0])
            seen = replace(seen, shown=self._poll(shown))
            if self.with_curve:
                together = self.marked | {shown.id} if self.marked - {shown.id} else frozenset()
                runs = [by_id[each] for each in by_id if each in together]
                compared = tuple(Drawn(self._poll(each), self._curves(each)) for each in runs)
                seen = replace(seen, curves=self._curves(shown), compared=compared, marked=self.marked)
            if self.with_printed:
                seen = replace(seen, printed=last_lines(shown))
            return seen

    def _poll(self, folder: JobFolder) -> RunStatus:
        follower = self._followers.setdefault(folder.id, RunFollower(folder))
        return follower.poll()

    def _curves(self, folder: JobFolder) -> Curves:
        """A copy that nobody changes any more; the same one as long as nothing was added."""
        now, before = self._followers[folder.id].curves, self._copies.get(folder.id)
        if before is None or before.size != now.size:
            self._copies[folder.id] = before = now.copy()
        return before


TAIL_BYTES = 20_000
"""How much of the end of what a process printed is read."""

TAIL_LINES = 200


def last_lines(job: JobFolder) -> tuple[str, ...]:
    """The last lines of what a job's process printed; of a line that was drawn over, its last state."""
    try:
        with job.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ()
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return tuple(line for line in lines if line)[-TAIL_LINES:]
