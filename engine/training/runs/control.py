"""What a run is asked while it goes on: pause, go on, stop. No torch."""

from __future__ import annotations

import os
import time

from engine import events
from engine.events import JobState
from engine.jobs.folder import Request
from engine.jobs.worker import Context

LOOK_SECONDS = 0.1
"""How often a paused run looks whether it may go on."""


class Requests:
    """The requests in a run's folder, and the answers to them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def to_stop(self) -> bool:
        """Whether the run is to end now."""
        return self._context.should_stop()

    def to_stop_after_epoch(self) -> bool:
        """Whether the run is to end with the epoch under way."""
        return Request.STOP_AFTER_EPOCH in self._context.asked()

    def to_sample(self) -> bool:
        """Whether pictures are to be painted now; asking is answered by that."""
        if Request.SAMPLE not in self._context.asked():
            return False
        self._context.folder.answered(Request.SAMPLE)
        return True

    def to_pause(self) -> bool:
        """Whether the run is to wait. One that was told to go on before it waited does not."""
        asked = self._context.asked()
        if Request.RESUME in asked:
            self._context.folder.answered(Request.PAUSE, Request.RESUME)
            return False
        return Request.PAUSE in asked and Request.STOP not in asked

    def pause(self, where: str) -> None:
        """Waits until the run is told to go on or to stop."""
        self._context.emit(events.Job(JobState.PAUSED, os.getpid(), where))
        while not self._context.asked() & {Request.RESUME, Request.STOP}:
            time.sleep(LOOK_SECONDS)
        self._context.folder.answered(Request.PAUSE, Request.RESUME)
        self._context.emit(events.Job(JobState.RUNNING, os.getpid()))

    def stopping(self, where: str) -> None:
        """Tells that the run ends here because it was asked to."""
        self._context.emit(events.Job(JobState.STOPPING, os.getpid(), where))

    def done(self) -> None:
        """The run is whole: what came too late to stop it is answered, so that nobody says it was stopped."""
        self._context.folder.answered(Request.STOP, Request.STOP_AFTER_EPOCH)
