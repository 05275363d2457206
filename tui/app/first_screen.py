"""Which screen the app begins with."""

from __future__ import annotations

from collections.abc import Container

from engine.faces.records.decisions import Ledger
from engine.project import Project
from tui.actions import Scope
from tui.app.session_state import SessionState


def first_screen(project: Project | None, remembered: SessionState | None, modes: Container[str]) -> Scope:
    """The screen that the app was left on. The first time: Connect until a person was scanned, then Faces; with a live
    run, Training.

    Args:
        project: the project that is opened, if there is one.
        remembered: how the app was left.
        modes: the screens there are.
    """
    if project is None:
        return Scope.CONNECT
    if remembered is not None and remembered.screen in modes:
        return Scope(remembered.screen)
    with project.store() as store:
        # Not by the settings: reading them takes as long as all the rest up to the first frame.
        if not Ledger(store).any():
            return Scope.CONNECT
    if any(run.alive() for run in project.run_folders()[-1:]):
        return Scope.TRAINING
    return Scope.FACES
