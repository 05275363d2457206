"""What the job that rents a machine tells of it, and whether it is to stop."""

from __future__ import annotations

from engine import events
from engine.errors import JobError
from engine.jobs.worker import Context


class Telling:
    """Tells each thing once.

    Args:
        context: the job.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last = ""

    def phase(self, words: str) -> None:
        """What is being done now."""
        if words != self._last:
            self._last = words
            self._context.emit(events.Phase(words, 0, 1))

    def warn(self, words: str) -> None:
        """Something to know."""
        self._context.emit(events.Warning(words, ""))

    def check_stop(self) -> None:
        """Raises JobError where the run is to stop before it began."""
        if self._context.should_stop():
            raise JobError("stopped before the run began", "begin it again: limner rent")
