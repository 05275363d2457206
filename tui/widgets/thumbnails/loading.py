"""Threads that work through what is wanted now: asked for something else, they drop what they had not begun."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from threading import Condition, Thread

THREADS = 2
"""Decoding leaves Python's lock alone, so two threads use two cores; a third would take from the keys."""

Work = tuple[Hashable, Callable[[], None]]


class Loader:
    """Does pieces of work in threads, in the order in which they are wanted. ``want`` replaces what waits."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._wanted: list[Work] = []
        self._doing: set[Hashable] = set()
        self._changed = Condition()
        self._threads: list[Thread] = []
        self._closed = False

    def want(self, work: Sequence[Work]) -> None:
        """What is to be done from now on, most urgent first; what was wanted before and is not now is dropped."""
        with self._changed:
            self._wanted = [each for each in work if each[0] not in self._doing]
            while self._wanted and not self._closed and len(self._threads) < THREADS:
                thread = Thread(target=self._run, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether nothing is being done and nothing waits."""
        with self._changed:
            return not self._wanted and not self._doing

    def close(self) -> None:
        """Ends the threads once they have done what they are at."""
        with self._changed:
            self._closed = True
            self._wanted.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                key, work = self._wanted.pop(0)
                self._doing.add(key)
            try:
                work()
            finally:
                with self._changed:
                    self._doing.discard(key)
