"""Asking whether a server that only a project's file names is the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.security.trust import NotConfirmed, confirm
from tui.screens.shared.dialogs import Confirm

if TYPE_CHECKING:
    from tui.screens.shared.base import WorkScreen


def ask_to_confirm(screen: WorkScreen, error: NotConfirmed, gets: str, then: Callable[[], object]) -> None:
    """Asks, and does ``then`` where the answer is yes.

    Args:
        screen: where it was needed.
        error: what names the server.
        gets: what the server would get, ``your password``.
        then: what was to be done.
    """

    def answered(yes: bool | None) -> None:
        if yes and screen.could(lambda: confirm(error.root, error.address)):
            then()

    what = f"This project names it as its {error.kind}:\n{error.address}"
    detail = f"{what}\n\nIt was never confirmed on this machine, and would get {gets}."
    screen.app.push_screen(Confirm("Ask this server?", detail), answered)
