"""Each screen as a picture, at the smallest size it must be usable at and at a comfortable one.

After a change that is meant: ``pytest tests/tui/test_snapshots.py --snapshot-update``, and look at the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet
from textual.pilot import Pilot

import tests.support.story
import tui.screens.connect.screen
from engine.project import Project
from tests.support.pictures import KEYS, SIZES, settle
from tests.support.rows import usual
from tests.support.story import (
    alive,
    checked,
    idle_painter,
    immich,
    story_project,
    with_dataset,
    with_pictures,
    with_run,
)
from tests.tui.grids import with_grid, with_votes
from tests.tui.test_journeys import press, shown, until
from tui.actions import SCREENS, Scope
from tui.app.app import LimnerApp
from tui.app.session_state import NAME
from tui.screens.prompts.text import Choice
from tui.screens.prompts.work import laid_out, varied

Compare = Callable[..., bool]

WHERE = {Scope.FACES: "j j", Scope.DATASET: "j", Scope.PROMPTS: "j j", Scope.PICTURES: "l l l"}
"""What is pressed on a screen that is only looked at."""

OVER = {
    "two_faces_beside_each_other": "2 j v",
    "a_face_that_is_cropped": "2 j z",
    "a_mix_of_faces_to_agree_to": "2 P",
    "the_rules_that_clean_captions": "3 R",
    "what_is_missing_before_training": "3 m",
    "what_happened_in_a_run": "4 L",
    "who_came_from_whom": "5 T",
    "prompts_to_begin_with": "5 b",
    "pictures_beside_each_other": "6 l l space l space l space v",
    "what_made_a_picture": "6 l l i",
    "who_was_liked_best": "6 b",
    "every_action_by_its_name": "2 colon",
    "leaving_while_a_run_is_alive": "2 q",
}
"""What lies over a screen, or is asked for by a key, and the keys that go there."""


OVER_EACH_TIME = (
    "a_face_that_is_cropped",
    "who_came_from_whom",
    "leaving_while_a_run_is_alive",
)

DARK = {("limner-dark", (80, 24))}
"""The theme and size that are looked at each time; the others by ``make test-long``."""


def looks(*themes: str, each_time: Collection[tuple[str, tuple[int, int]]]) -> list[ParameterSet]:
    """Each theme at each size, as parameters of a test; ``each_time``: those that ``make test`` looks at."""
    return [
        pytest.param(
            theme, size, marks=() if (theme, size) in each_time else pytest.mark.long, id=f"{theme}-{size[0]}x{size[1]}"
        )
        for size in SIZES
        for theme in themes
    ]


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


@pytest.fixture(scope="module")
def project_looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The whole story with variations of its prompt, made once for all that is looked at and not changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.training.planning.estimate.card_here", lambda: None)
        project = with_pictures(with_dataset(story_project(tmp_path_factory.mktemp("looked_at") / "james")))
        varied(project, laid_out(project, project.settings.painting.style, ""), Choice(), 1, None, lambda _: None)
        with alive(with_run(project)), idle_painter(project):
            yield project


@pytest.fixture(scope="module")
def project_with_a_grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Some faces, a run, and a grid that is half painted, looked at and not changed."""
    project = story_project(tmp_path_factory.mktemp("grid") / "james", faces=3)
    with idle_painter(project):
        with_votes(project, with_grid(project, painted=11))
        yield project


@pytest.fixture
def looked_at(project_looked_at: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same, as if it was opened for the first time; a large library answers."""
    monkeypatch.setattr(
        tui.screens.connect.screen, "look", lambda entered, private, base: checked(entered.settings(private, base))
    )
    monkeypatch.setattr("engine.training.planning.estimate.card_here", lambda: None)
    (project_looked_at.cache / NAME).unlink(missing_ok=True)
    return project_looked_at


@pytest.mark.parametrize(("theme", "size"), looks("limner-light", "limner-16", each_time=()))
@pytest.mark.parametrize("scope", usual(SCREENS, (Scope.FACES,)))
def test_a_screen_in_other_colours(
    snap_compare: Compare, looked_at: Project, scope: Scope, theme: str, size: tuple[int, int]
) -> None:
    app = LimnerApp(looked_at.root, looked_at)
    app.theme = theme
    keys = (str(SCREENS.index(scope) + 1), *WHERE.get(scope, "").split())
    assert snap_compare(app, terminal_size=size, run_before=pressing(*keys))


@pytest.mark.parametrize(
    ("scope", "rows"),
    [
        (Scope.TRAINING, 38),
        *(pytest.param(scope, 38, marks=pytest.mark.long) for scope in SCREENS[:3] + SCREENS[4:]),
        (Scope.FACES, 18),
        *(pytest.param(scope, 18, marks=pytest.mark.long) for scope in (Scope.DATASET, Scope.TRAINING)),
    ],
)
def test_a_screen_on_a_telephone(snap_compare: Compare, looked_at: Project, scope: Scope, rows: int) -> None:
    """Upright, without its keyboard and with it: what stands side by side elsewhere stands one above the other."""
    keys = (str(SCREENS.index(scope) + 1), *WHERE.get(scope, "").split())
    app = LimnerApp(looked_at.root, looked_at)
    assert snap_compare(app, terminal_size=(45, rows), run_before=pressing(*keys))


@pytest.mark.parametrize("what", usual(OVER, OVER_EACH_TIME))
def test_over_a_screen(snap_compare: Compare, looked_at: Project, what: str) -> None:
    keys = OVER[what]
    app = LimnerApp(looked_at.root, looked_at)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing(*keys.split()))


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("2 P", id="faces_to_agree_to"),
        pytest.param("3 c", id="captions", marks=pytest.mark.long),
        pytest.param("2 q", id="leaving", marks=pytest.mark.long),
    ],
)
def test_over_a_screen_in_sixteen_colours(snap_compare: Compare, looked_at: Project, keys: str) -> None:
    app = LimnerApp(looked_at.root, looked_at)
    app.theme = "limner-16"
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing(*keys.split()))


@pytest.mark.parametrize("size", usual(SIZES, 1, lambda size: f"{size[0]}x{size[1]}"))
@pytest.mark.parametrize("scope", SCREENS)
def test_a_screen_in_the_middle_of_the_work(
    snap_compare: Compare, whole_story: Project, scope: Scope, size: tuple[int, int]
) -> None:
    keys = (str(SCREENS.index(scope) + 1), *KEYS.get(scope.value, ()))
    app = LimnerApp(whole_story.root, whole_story)
    assert snap_compare(app, terminal_size=size, run_before=pressing(*keys))


@pytest.mark.parametrize("scope", usual(SCREENS, (Scope.CONNECT, Scope.DATASET)))
def test_a_screen_without_a_project(
    snap_compare: Compare, tmp_path: Path, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = LimnerApp(tmp_path, None)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing(str(SCREENS.index(scope) + 1)))


KINDS = {"list": "L", "immich": "L j j enter", "folder": "L G enter"}


@pytest.mark.parametrize("what", usual(KINDS, ("list",)))
def test_what_a_kind_of_library_asks_for(
    snap_compare: Compare, project: Project, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    app = LimnerApp(project.root, project)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("1", *KINDS[what].split()))


@pytest.mark.parametrize("size", usual(SIZES, 1, lambda size: f"{size[0]}x{size[1]}"))
def test_an_immich_library_that_was_looked_at(
    snap_compare: Compare, project: Project, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tui.screens.connect.screen, "look", lambda entered, private, base: immich(entered.settings(private, base))
    )
    project.change({"library.url": "immich+https://photos.example.org"})
    monkeypatch.chdir(project.root)
    app = LimnerApp(project.root, project)
    assert snap_compare(app, terminal_size=size, run_before=pressing("1"))


@pytest.mark.parametrize("scope", usual(SCREENS, (Scope.FACES, Scope.TRAINING)))
def test_a_screen_with_nothing_to_show_yet(
    snap_compare: Compare, project: Project, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    app = LimnerApp(project.root, project)
    run_before = pressing(str(SCREENS.index(scope) + 1)) if scope is not Scope.CONNECT else pressing()
    assert snap_compare(app, terminal_size=(80, 24), run_before=run_before)


@pytest.mark.parametrize("theme", usual(["limner-light", "limner-contrast", "limner-16"], 1))
def test_two_runs_on_one_chart(
    snap_compare: Compare, whole_story: Project, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tests.support.story, "RUN", "20261120-0911-jx265")
    tests.support.story.with_run(whole_story, 420, done=True)
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


@pytest.mark.long
def test_the_parts_of_a_prompt_that_are_locked(snap_compare: Compare, whole_story: Project) -> None:
    prompt = "photo of jx265 man, studio light, navy suit, smiling"
    whole_story.change({"painting.style": prompt})
    app = LimnerApp(whole_story.root, whole_story)
    run_before = pressing("5", "K", "space", "j", "j", "space")
    assert snap_compare(app, terminal_size=(80, 24), run_before=run_before)


@pytest.mark.long
@pytest.mark.parametrize("size", usual(SIZES, 1, lambda size: f"{size[0]}x{size[1]}"))
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


@pytest.mark.parametrize("theme", usual(["limner-16", "limner-light", "limner-contrast"], 1))
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


@pytest.mark.long
def test_who_may_write_captions(snap_compare: Compare, whole_story: Project) -> None:
    app = LimnerApp(whole_story.root, whole_story)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressing("3", "c"))


@pytest.mark.parametrize(("theme", "size"), looks("limner-dark", "limner-light", "limner-16", each_time=DARK))
def test_faces_as_thumbnails(snap_compare: Compare, story: Project, theme: str, size: tuple[int, int]) -> None:
    app = LimnerApp(story.root, story)
    app.theme = theme
    assert snap_compare(app, terminal_size=size, run_before=pressing("t", "l", "l", "j", "o"))


@pytest.mark.parametrize(("theme", "size"), looks("limner-dark", "limner-light", "limner-16", each_time=DARK))
def test_a_grid_while_it_is_painted(
    snap_compare: Compare, project_with_a_grid: Project, theme: str, size: tuple[int, int]
) -> None:
    project = project_with_a_grid
    (project.cache / NAME).unlink(missing_ok=True)
    app = LimnerApp(project.root, project)
    app.theme = theme
    assert snap_compare(app, terminal_size=size, run_before=pressing("number_sign", "l", "l", "j"))
