"""Projects and an app for the tests of the screens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

import tui.screens.connect.screen
from engine.jobs.folder import JobFolder
from engine.project import Project
from tests.support.patience import PATIENCE
from tests.support.story import RUN, alive, checked, idle_painter, story_project, whole_story_project
from tui.app.app import LimnerApp


@pytest.fixture(autouse=True)
def toasts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A toast is gone after a few seconds, on a machine that stood still maybe before a test looks at it."""
    shown: Callable[..., None] = App.notify

    def notify(app: App[None], message: str, *, timeout: float | None = None, **more: Any) -> None:
        shown(app, message, timeout=max(timeout or 0, PATIENCE), **more)

    monkeypatch.setattr(App, "notify", notify)


@pytest.fixture
def story(tmp_path: Path) -> Project:
    """Scanned faces, some decided on."""
    return story_project(tmp_path / "james")


@pytest.fixture
def whole_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Faces, a dataset, a run that lives, pictures; a large library that answers."""
    monkeypatch.setattr(
        tui.screens.connect.screen, "look", lambda entered, private, base: checked(entered.settings(private, base))
    )
    monkeypatch.setattr("engine.training.planning.estimate.card_here", lambda: None)
    monkeypatch.setattr("engine.training.planning.estimate.device_name", lambda card: "a CPU of 2 cores")
    project = whole_story_project(tmp_path / "james")
    with alive(JobFolder(project.runs / RUN)), idle_painter(project):
        yield project


@pytest.fixture
def app(story: Project) -> LimnerApp:
    return LimnerApp(story.root, story)
