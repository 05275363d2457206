"""Importing the model libraries without what nobody asks them for: a job takes its first step in half the time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNASKED = ("bitsandbytes", "scipy")
"""What diffusers, transformers and peft import for the mere reason that it is installed: for quantised models, for a
noise schedule and for detectors of which Limner makes no use."""


@contextmanager
def without_the_unasked() -> Iterator[None]:
    """What is done inside does without ``UNASKED``; they can be imported afterwards, as 8-bit AdamW does."""
    hidden = [name for name in UNASKED if name not in sys.modules]
    for name in hidden:
        # None in its place makes Python say that there is no such module (its reference, "The module cache").
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def fast_imports() -> Iterator[None]:
    """What is imported inside does without ``UNASKED``, and nothing is collected meanwhile.

    The million objects that are made stay, and looking through them again and again takes a second or more. They are
    left out of later collections as well.
    """
    collecting, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        with without_the_unasked():
            yield
    finally:
        # Garbage that lies about is left out, too: not again and again, where everything was imported before.
        if len(sys.modules) > known:
            gc.freeze()
        if collecting:
            gc.enable()
