"""Who has this machine's graphics card: a run that trains, or the painter.

Two locks a card, held by living processes alone, so that a killed one can't keep the card. Training takes the first
and then waits until the painter has let go of the second; a painter that holds the second lets go as soon as the
first is taken, and waits until it is free again. The locks lie in the user's own state folder, so that it holds for all
their projects. No torch: a worker knows before it loads anything.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.storage.liveness_locks import flock, take
from engine.storage.own_files import NotOurs, open_own

POLL_SECONDS = 0.1

LEAVE_SECONDS = 120.0
"""How long training waits for a painter to give the card back; then it begins beside it."""


@dataclass(frozen=True)
class Card:
    """One graphics card of this machine."""

    name: str
    folder: Path
    """Where its locks lie."""

    @property
    def _training(self) -> Path:
        return self.folder / f"{self.name}-training.lock"

    @property
    def _painting(self) -> Path:
        return self.folder / f"{self.name}-painting.lock"

    def wanted_for_training(self) -> bool:
        """Whether a run trains on the card, or waits for it."""
        return _is_held(self._training)

    def painted_on(self) -> bool:
        """Whether a painter has a model on the card."""
        return _is_held(self._painting)

    @contextmanager
    def held_for_painting(self) -> Iterator[None]:
        """Says that a model is on the card. Several painters may, of different projects."""
        with _held(self._painting, fcntl.LOCK_SH):
            yield

    @contextmanager
    def held_for_training(
        self, tell: Callable[[str], None] = lambda _text: None, patience: float = LEAVE_SECONDS
    ) -> Iterator[None]:
        """Takes the card: painters are asked to leave, and waited for.

        Args:
            tell: gets one line when a painter is waited for, and another when it does not leave.
            patience: seconds to wait.
        """
        with _held(self._training, fcntl.LOCK_SH):
            deadline = time.monotonic() + patience
            if self.painted_on():
                tell("waiting for the painter to free the GPU")
            while self.painted_on():
                if time.monotonic() > deadline:
                    tell("the painter keeps the GPU: training beside it")
                    break
                time.sleep(POLL_SECONDS)
            yield


def cards() -> list[Card]:
    """The cards that this process may use, in their order; none on a machine without one."""
    there = sorted(int(each.name.removeprefix("nvidia")) for each in Path("/dev").glob("nvidia[0-9]*"))
    if not there and Path("/dev/kfd").exists():
        there = [0]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [str(number) for number in there]
    if there and visible is not None:
        names = [name.strip() for name in visible.split(",") if name.strip()]
    folder = Path(platformdirs.user_state_dir("limner")) / "cards"
    return [Card(name.replace("/", "_"), folder) for name in names]


@contextmanager
def all_held_for_training(tell: Callable[[str], None] = lambda _text: None) -> Iterator[None]:
    """Takes every card that this process may use."""
    with ExitStack() as stack:
        for card in cards():
            stack.enter_context(card.held_for_training(tell))
        yield


def _is_held(path: Path) -> bool:
    try:
        handle = open_own(path, os.O_RDWR)
    except (OSError, NotOurs):
        return False
    try:
        return not take(handle, path)
    finally:
        os.close(handle)


@contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        # Shared: nobody is kept out, everybody is seen. Only a look at the lock is exclusive, and over at once.
        flock(handle, how, path)
        yield
    finally:
        os.close(handle)
