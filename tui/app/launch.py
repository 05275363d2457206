"""Opening the app. Textual is imported only here inside, after the environment is set up for it."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from engine.errors import LimnerError, NoProject
from engine.project import Project, open_project
from tui.terminal.query import asked_terminal, suit_colours


def open_app(folder: Path) -> None:
    """Opens the app on the project in ``folder``; where there is none, the app offers to make one.

    Raises:
        LimnerError: this is no terminal, or the project's database can't be opened.
        SystemExit: the project's settings are broken, or the app was ended by a signal or by an error of its own; its
            message is on standard error.
    """
    check_terminal()
    project = _project_in(folder)
    if project is not None:
        # Refused here in one line, not on every screen, where a newer Limner made it; an older one's is migrated.
        with project.store():
            pass
    _suit_the_line()

    with asked_terminal() as asked:
        # Importing takes longer than a terminal needs to answer, so that nobody waits for it. What is imported stays
        # for good: nobody needs to look through it for garbage, again and again, before the first frame.
        gc.disable()
        from tui.app.app import LimnerApp

        gc.freeze()
        gc.enable()
        asked.collect()
        suit_colours(asked)
        app = LimnerApp(folder.resolve(), project, asked)
        try:
            app.run()
        finally:
            app.attention.end()
    if app.exit_message:
        print(app.exit_message, file=sys.stderr)
    if app.return_code:
        raise SystemExit(app.return_code)


def check_terminal() -> None:
    """Raises LimnerError where the app can't be drawn."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LimnerError("the app needs a terminal", "run it in one, or use the commands: limner --help")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise LimnerError(
            f"the app can't run in this terminal (TERM={os.environ.get('TERM', '')})", "use the commands: limner --help"
        )


def _project_in(folder: Path) -> Project | None:
    """The project there; None where there is none."""
    try:
        return open_project(folder)
    except NoProject:
        return None


def _suit_the_line() -> None:
    """Over SSH: fewer frames, nothing that moves by itself. What the user set stays."""
    if "SSH_CONNECTION" in os.environ:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_FPS", "30")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
