"""What is done once the first frame stands, so that nothing keeps it waiting, and nobody waits for it later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from engine.errors import LimnerError, ProjectError
from tui.actions import SCREENS, Scope
from tui.screens import SCREEN_CLASSES
from tui.textual_internals import calm_seconds, make_ahead, screens_by_mode

if TYPE_CHECKING:
    from tui.app.context import Context

CALM_SECONDS = 0.4
"""How long nothing must have been typed before a screen is made ahead: making one takes longer than a key may."""

SCREENS_FOLDER = Path(__file__).parents[1] / "screens"

MODES = (*SCREENS, Scope.PLOT)

READ_WITH = (
    "engine.dataset.captions.start",
    "engine.dataset.readiness",
    "engine.dataset.captions.bulk_edits",
    "engine.training.planning.estimate",
    "tokenizers",
)
"""What the screens import to read what they show: a thread that imports keeps the screen from being drawn."""


def module_of(scope: Scope) -> str:
    """Where a screen lives."""
    return SCREEN_CLASSES[scope].partition(":")[0]


def lazy_screen(scope: Scope) -> Callable[[], Screen[Any]]:
    """A screen that is imported and made when it is first gone to, or ahead."""

    def make() -> Screen[Any]:
        module, name = SCREEN_CLASSES[scope].split(":")
        screen: Screen[Any] = getattr(import_module(module), name)()
        return screen

    return make


class Preloader:
    """Reads the settings, imports the other screens, and makes each when nobody types: going to one for the first time
    is as quick as coming back to it."""

    def __init__(self, app: Context) -> None:
        self._app = app

    def begin(self) -> None:
        """Begins in a thread."""
        self._app.run_worker(self._read_and_import, thread=True, group="ready", exit_on_error=False)

    def _read_and_import(self) -> None:
        try:
            if self._app.project is not None:
                _ = self._app.project.settings
        except ProjectError as error:
            self._app.post_message(self._app.Refused(error))
            return
        for name in (*map(module_of, MODES), *READ_WITH):
            import_module(name)
        self._follow_again()
        self._app.call_later(self._look_for_calm)

    def _follow_again(self) -> None:
        """Runs on other machines that nobody follows, as after this one was restarted, are followed again."""
        project = self._app.project
        if project is None or not any(job.sent_to() for job in project.run_folders()):
            return
        from engine.remote.start import follow_again

        with suppress(LimnerError):
            follow_again(project)

    def _look_for_calm(self) -> None:
        self._app.set_timer(CALM_SECONDS, self._make_next)

    async def _make_next(self) -> None:
        # A driver that doesn't tell is a test's, which makes screens ahead where it wants to.
        if self._app.leaving:
            return
        calm = calm_seconds(self._app) >= CALM_SECONDS
        if not calm or await self.make_one():
            self._look_for_calm()
        else:
            self._read_stylesheets()
            self._app.idle_gc.keep_what_is_there()

    async def make_one(self) -> bool:
        """Makes and lays out one of the screens that nobody went to yet, as Textual would, but without showing it.

        Returns:
            Whether there was one.
        """
        for scope in MODES:
            if not self.is_made(scope.value):
                await make_ahead(self._app, scope.value, lazy_screen(scope)())
                return True
        return False

    def _read_stylesheets(self) -> None:
        """Those of what lies over the screens: the first question takes no longer than the next."""
        sheet = self._app.stylesheet
        unread = [path for path in sorted(SCREENS_FOLDER.rglob("*.tcss")) if not sheet.has_source(str(path))]
        for path in unread:
            sheet.read(path)
        if unread:
            sheet.reparse()
            sheet.update(self._app)

    def is_made(self, mode: str) -> bool:
        """Whether a screen is there, ahead or because somebody went to it."""
        return mode in screens_by_mode(self._app)
