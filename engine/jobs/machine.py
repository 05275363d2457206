"""The machine that a job runs on: since when it is up, and a child that does not outlive its parent."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another one after each start of the machine: ``proc_sys_kernel(5)``."""

_PR_SET_PDEATHSIG = 1
"""``prctl(2)``, ``linux/prctl.h``."""


def boot_id() -> str | None:
    """Names this start of the machine; None where the system does not tell."""
    try:
        return BOOT_ID.read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None


def die_with_parent() -> None:
    """Lets the system kill this process as soon as the one that started it is gone, however that went.

    So nobody goes on with a job's work when the process that holds the job's lock was killed.
    """
    parent = os.getppid()
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
