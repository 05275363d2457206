"""Serving a project's queue: what a painter does around its pictures, wherever it paints them. No torch."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from engine import events
from engine.jobs.worker import Context
from engine.pictures.orders.commit import commit_what_was_staged
from engine.pictures.orders.queue import Queue
from engine.pictures.orders.start import CLOSING, preview_path
from engine.project import Project

LOOK_SECONDS = 0.1
"""How often an idle painter looks at the queue."""


class QueueServer:
    """Takes pictures off the queue until nothing waits for a while. Subclasses say how they are painted.

    Args:
        context: the job.
        project: whose pictures they are.
        queue: where they wait.
    """

    def __init__(self, context: Context, project: Project, queue: Queue) -> None:
        self._context = context
        self._project = project
        self._queue = queue
        self._claim = f"{os.getpid()}-{time.time_ns()}"
        self._idle_since = time.monotonic()

    def serve(self) -> None:
        """Paints until it is told to stop, or was idle for as long as the settings say."""
        closing = self._context.folder.path / CLOSING
        ended = commit_what_was_staged(self._queue)
        for picture in self._queue.put_back_after_death():
            self._context.emit(events.Warning(picture.reason or "given up", subject=str(picture.id)))
        for picture in ended:
            self._context.emit(events.Sample(str(picture.path), picture.prompt, picture.seed))
        shutil.rmtree(preview_path(self._project, 0).parent, ignore_errors=True)
        try:
            while not self._context.should_stop():
                self.give_way()
                if not self.paint_next() and not self._wait_for_more(closing):
                    return
        finally:
            self.leave()

    def paint_next(self) -> bool:
        """Paints what is next. Whether there was something."""
        raise NotImplementedError

    def give_way(self) -> None:
        """Waits while something more urgent needs what it paints with."""

    def leave(self) -> None:
        """Gives back what it paints with."""

    def rest(self) -> None:
        """From now on it is idle."""
        self._idle_since = time.monotonic()

    def _wait_for_more(self, closing: Path) -> bool:
        """A moment's rest; False when it is time to go."""
        if self._context.should_stop():
            return False
        if time.monotonic() - self._idle_since > self._project.settings.painting.idle_seconds:
            # From here on whoever queues a picture sees this file and waits for the next painter.
            closing.touch()
            if not self._queue.waiting():
                return False
            closing.unlink()
        time.sleep(LOOK_SECONDS)
        return True
