"""Each screen as a picture, at the smallest size it must be usable at and at a comfortable one.

After a change that is meant: ``pytest tests/tui/test_snapshots.py --snapshot-update``, and look at the pictures.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

import tests.story
from engine.project import Project
from tests.pictures import KEYS, SIZES, settle
from tests.story import idle_painter
from tests.tui.grids import with_grid, with_votes
from tests.tui.test_journeys import press, shown, until
from tui.actions import SCREENS, Scope
from tui.limner import LimnerApp

Compare = Callable[..., bool]


def pressing(*keys: str) -> Callable[[Pilot[None]], object]:
    async def run_before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return run_before


@pytest.fixture(autouse=True)
def the_clock_of_runs_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scope", SCREENS)
def test_a_screen_in_the_middle_of_the_work(
    snap_compare: Compare, whole_story: Project, scope: Scope, size: tuple[int, int]
) -> None:
    keys = (str(SCREENS.index(scope) + 1), *KEYS.get(scope.value, ()))
    app = LimnerApp(whole_story.root, whole_story)
    assert snap_compare(app, terminal_size=size, run_before=pressing(*keys))


@pytest.mark.parametrize("scope", SCREENS)
def test_a_screen_with_nothing_to_show_yet(
    snap_compare: Compare, project: Project, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    app = LimnerApp(project.root, project)
    run_before = pressing(str(SCREENS.index(scope) + 1)) if scope is not Scope.CONNECT else pressing()
    assert snap_compare(app, terminal_size=(80, 24), run_before=run_before)


@pytest.mark.parametrize("theme", ["limner-light", "limner-contrast", "limner-16"])
def test_two_runs_on_one_chart(
    snap_compare: Compare, whole_story: Project, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tests.story, "RUN", "20261120-0911-jx265")
    tests.story.with_run(whole_story, 420, done=True)
    app = LimnerApp(whole_story.root, whole_story)

    async def run_before(pilot: Pilot[None]) -> None:
        app.choose_theme(theme)
        await press(pilot, "4")
        # Not by its key: what that says goes away by itself.
        assert app.watch_over_runs is not None
        app.watch_over_runs.marked = frozenset({"20261121-1403-jx265"})
        await press(pilot, "tab")
        await until(pilot, lambda: "loss of 2 runs" in shown(pilot))

    assert snap_compare(app, terminal_size=(120, 40), run_before=run_before)


def test_the_plan_of_a_run(snap_compare: Compare, whole_story: Project) -> None:
    app = LimnerApp(whole_story.root, whole_story)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("4", "p"))


def test_the_parts_of_a_prompt_that_are_locked(snap_compare: Compare, whole_story: Project) -> None:
    prompt = "photo of jx265 man, studio light, navy suit, smiling"
    whole_story.change({"painting.style": prompt})
    app = LimnerApp(whole_story.root, whole_story)
    run_before = pressing("5", "K", "space", "j", "j", "space")
    assert snap_compare(app, terminal_size=(80, 24), run_before=run_before)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_settings(
    snap_compare: Compare, whole_story: Project, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "settings_path", whole_story.settings_path.relative_to(whole_story.root))
    monkeypatch.chdir(whole_story.root)
    app = LimnerApp(whole_story.root, whole_story)
    assert snap_compare(app, terminal_size=size, run_before=pressing("3", "comma", "tab", "tab", "tab", "enter", "0"))


def test_the_help(snap_compare: Compare, story: Project) -> None:
    app = LimnerApp(story.root, story)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("question_mark"))


def test_a_face_seen_large(snap_compare: Compare, story: Project) -> None:
    app = LimnerApp(story.root, story)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("j", "enter"))


@pytest.mark.parametrize("theme", ["limner-light", "limner-contrast", "limner-16"])
def test_another_theme(snap_compare: Compare, story: Project, theme: str) -> None:
    app = LimnerApp(story.root, story)
    app.theme = theme
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("j"))


def test_a_terminal_without_colours(snap_compare: Compare, story: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = LimnerApp(story.root, story)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("j"))


def test_a_change_to_the_captions_before_it_is_made(snap_compare: Compare, whole_story: Project) -> None:
    app = LimnerApp(whole_story.root, whole_story)
    run_before = pressing("3", "a", *"sea", "enter")
    assert snap_compare(app, terminal_size=(80, 24), run_before=run_before)


def test_who_may_write_captions(snap_compare: Compare, whole_story: Project) -> None:
    app = LimnerApp(whole_story.root, whole_story)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("3", "c"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["limner-dark", "limner-light", "limner-16"])
def test_faces_as_thumbnails(snap_compare: Compare, story: Project, theme: str, size: tuple[int, int]) -> None:
    app = LimnerApp(story.root, story)
    app.theme = theme
    assert snap_compare(app, terminal_size=size, run_before=pressing("t", "l", "l", "j", "o"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_grid_while_it_is_painted(snap_compare: Compare, story: Project, size: tuple[int, int]) -> None:
    with idle_painter(story):
        with_votes(story, with_grid(story, painted=11))
        app = LimnerApp(story.root, story)
        assert snap_compare(app, terminal_size=size, run_before=pressing("number_sign", "l", "l", "j"))
