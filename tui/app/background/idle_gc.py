"""Looking for garbage while nobody types: Python would do so in the middle of a key, and take a tenth of a second."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from tui.textual_internals import calm_seconds, driver_of

if TYPE_CHECKING:
    from textual.app import App

LOOK_SECONDS = 2.0
CALM_SECONDS = 1.0
"""How often it is thought of, and how long nothing must have been typed."""

ENOUGH = 100
"""Of the younger objects' rounds before all are looked through; ten times what Python waits for."""

SELDOM = 2_000
"""Rounds after which Python does so by itself all the same."""


class IdleGc:
    """When the app's garbage is looked for."""

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._to_stay = False

    def begin(self) -> None:
        """From now on in calm moments; where the driver can't tell of them, as a test's, it is left to Python."""
        if hasattr(driver_of(self._app), "calm_seconds"):
            young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, SELDOM)
            self._app.set_interval(LOOK_SECONDS, self._look)

    def keep_what_is_there(self) -> None:
        """What was just made stays until the end: from the next calm moment on it isn't looked through any more."""
        self._to_stay = True

    def _look(self) -> None:
        calm = calm_seconds(self._app) >= CALM_SECONDS
        if calm and (self._to_stay or gc.get_count()[2] >= ENOUGH):
            gc.collect()
            if self._to_stay:
                gc.freeze()
                self._to_stay = False
