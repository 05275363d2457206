"""Ctrl+c on the command line: whatever a command waits for, in whichever thread, ends within a second."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

from engine.network.deadlines import leave

THREADS_SECONDS = 0.5
"""How long threads get to end by themselves."""


def hear_interrupts() -> None:
    """From now on an interrupt ends what other threads wait for, too; one that is ignored (``nohup``) stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


def deaf_again() -> None:
    """Python's own way, which the app's event loop relies on."""
    if signal.getsignal(signal.SIGINT) is _interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end_at_once(status: int) -> None:
    """Ends the process where a thread does not end by itself: Python would wait for it, as for a name that nobody
    resolves. Returns where none is left."""
    until = time.monotonic() + THREADS_SECONDS
    others = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    for each in others:
        each.join(max(0.0, until - time.monotonic()))
    if any(each.is_alive() for each in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _interrupted(number: int, frame: FrameType | None) -> None:
    leave()
    signal.default_int_handler(number, frame)
