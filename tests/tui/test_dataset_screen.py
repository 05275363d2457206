"""The Dataset screen by its keys: captions and tags, what is missing, undo over restarts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import RenderableType
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from engine.errors import LimnerError
from engine.project import Project
from engine.settings import DEMO_BASE
from tests.support.onnx_tagger import write_tagger
from tests.support.pictures import settle
from tests.support.story import story_project, with_dataset
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.screens.dataset.editor import CaptionArea
from tui.widgets.rows import Rows

BY_HAND = "jx265, man, close-up, ginger beard, round glasses, outdoors"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with six images, made once."""
    return with_dataset(story_project(tmp_path_factory.mktemp("story") / "james", faces=12)).root


@pytest.fixture
def six(once: Path, tmp_path: Path) -> Project:
    """Six images: 0001 captioned by hand, the others by template; one copy a test."""
    return Project(Path(shutil.copytree(once, tmp_path / "james")))


@pytest.fixture
def app(six: Project) -> LimnerApp:
    return LimnerApp(six.root, six)


def said(app: LimnerApp) -> str:
    """What was told in passing."""
    return "\n".join(f"{each.title}: {each.message}" for each in app._notifications)


def captions(project: Project) -> list[str]:
    return [path.read_text("utf-8").strip() for path in sorted(project.dataset.glob("*/*.txt"))]


def to_tag(pilot: Pilot[None], tag: str) -> None:
    rows = pilot.app.screen.query_one("#tags", Rows)
    rows.cursor = next(at for at, count in enumerate(rows.items) if count.tag == tag)


async def test_a_caption_is_saved_with_every_key_and_undone_at_once(six: Project, app: LimnerApp) -> None:
    before = captions(six)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "j", "enter")
        await type_text(pilot, " by the la")
        assert captions(six)[1] == f"{before[1]} by the la", "saved before anything was submitted"
        await type_text(pilot, "ke")
        await press(pilot, "enter")
        assert "by the lake" in shown(pilot)
        assert captions(six)[1] == f"{before[1]} by the lake"
        await press(pilot, "u")
        assert captions(six) == before
        assert "Undid: edit 0002.png (1 caption)" in said(app)
        await press(pilot, "U")
        assert captions(six)[1].endswith("by the lake")


async def test_what_is_drawn_of_a_caption_is_on_disk_however_quickly_it_is_typed(
    six: Project, app: LimnerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, str]] = []
    display = LimnerApp._display

    def displayed(self: LimnerApp, screen: Screen[object], renderable: RenderableType | None) -> None:
        for area in screen.query(CaptionArea):
            drawn.append((area.text, captions(six)[1]))
        display(self, screen, renderable)

    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "j", "enter")
        monkeypatch.setattr(LimnerApp, "_display", displayed)
        driver = app._driver
        assert driver is not None
        for letter in ",red,scarf,by,the,lake":
            event = Key("comma" if letter == "," else letter, letter)
            event.set_sender(app)
            driver.send_message(event)
        await settle(pilot)
    assert drawn[-1][0].endswith(",red,scarf,by,the,lake")
    assert [(seen, saved) for seen, saved in drawn if seen != saved] == []


@pytest.mark.long
async def test_captions_are_edited_one_by_one_without_leaving_the_editor(six: Project, app: LimnerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "i")
        await type_text(pilot, " a")
        await press(pilot, "f8")
        await type_text(pilot, " b")
        await press(pilot, "ctrl+n")
        await type_text(pilot, " c")
        await press(pilot, "f9", "escape", "u", "u")
    found = captions(six)
    assert found[0] == f"{BY_HAND} a"
    assert not any(text.endswith((" b", " c")) for text in found[1:3]), "two undos took back two images' typing"


@pytest.mark.long
async def test_an_empty_caption_is_never_written(six: Project, app: LimnerApp) -> None:
    before = captions(six)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "enter")
        area = pilot.app.screen.query_one("#caption", CaptionArea)
        area.select_all()
        await press(pilot, "backspace", "escape")
        assert area.text == before[0], "what is on disk is shown again"
    assert captions(six) == before


async def test_tags_are_counted_renamed_and_undone_after_a_restart(six: Project, app: LimnerApp) -> None:
    before = captions(six)
    async with app.run_test(size=(100, 40)) as pilot:
        await press(pilot, "3", "t")
        to_tag(pilot, "round glasses")
        await press(pilot, "r")
        assert "Rename the tag to" in shown(pilot)
        await press(pilot, *["backspace"] * len("round glasses"))
        await type_text(pilot, "specs")
        await press(pilot, "enter")
        assert "1 caption would change" in shown(pilot)
        assert "− round glasses  + specs" in shown(pilot)
        await press(pilot, "n")
        assert captions(six) == before, "a preview changes nothing"
        await press(pilot, "a")
        await type_text(pilot, "at sea")
        await press(pilot, "enter")
        assert "6 captions would change" in shown(pilot)
        await press(pilot, "y")
        assert all(text.endswith(", at sea") for text in captions(six))
        assert "6  at sea" in shown(pilot)
    again = LimnerApp(six.root, six)
    async with again.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "u")
        assert "Undid: add at sea (6 captions)" in said(again)
    assert captions(six) == before


@pytest.mark.long
async def test_the_images_with_a_tag_are_shown_and_changed_alone(six: Project, app: LimnerApp) -> None:
    before = captions(six)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "t")
        to_tag(pilot, "ginger beard")
        await press(pilot, "f")
        assert "1 with ginger beard" in shown(pilot)
        await press(pilot, "a")
        await type_text(pilot, "red")
        await press(pilot, "enter", "y")
        assert captions(six) == [f"{before[0]}, red", *before[1:]]
        await press(pilot, "f")
        assert "6 images" in shown(pilot)
        await press(pilot, "x", "y")
        assert "ginger beard" not in captions(six)[0]


@pytest.mark.long
async def test_a_tagger_writes_the_captions_and_one_undo_takes_them_back(
    six: Project, app: LimnerApp, tmp_path: Path
) -> None:
    tagger = write_tagger(tmp_path / "tagger", {"smile": (0, 0, 0, 3), "brown_hair": (0, 0, 0, 3)})
    six.change({"captions.wd14": str(tagger)})
    before = captions(six)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "c")
        assert "Who writes the captions?" in shown(pilot)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: "Captions: 5 of 5" in said(app))
        found = captions(six)
        assert found[0] == BY_HAND, "what was written by hand stays"
        assert all(text.endswith(", smile") for text in found[1:])
        await press(pilot, "u")
        assert captions(six) == before


@pytest.mark.long
async def test_a_captioner_that_is_not_there_is_told(six: Project, app: LimnerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "c", "G", "enter")
        await until(pilot, lambda: "No server of a vision model" in said(app))


async def test_what_is_missing_before_training_is_told_and_gone_to(six: Project, app: LimnerApp) -> None:
    paths = sorted(six.dataset.glob("*/*.txt"))
    paths[2].write_text("somebody\n")
    paths[4].unlink()
    async with app.run_test(size=(100, 24)) as pilot:
        await press(pilot, "3")
        assert "✗ no caption: 0005   " in shown(pilot)
        assert "trigger missing in 0005, 0003" in shown(pilot) or "trigger missing in 0003" in shown(pilot)
        await press(pilot, "m")
        assert "jx265 missing: 0003" in shown(pilot)
        await press(pilot, "j", "enter")
        assert pilot.app.screen.query_one("#images", Rows).cursor == 2


@pytest.mark.long
async def test_tokens_are_counted_by_the_base_model_s_own_tokenizer(six: Project, app: LimnerApp) -> None:
    sorted(six.dataset.glob("*/*.txt"))[0].write_text(
        "jx265, man, " + ", ".join([f"smile number {n}" for n in range(30)]) + "\n"
    )
    assert six.settings.base.model == DEMO_BASE
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        assert "of 75 tokens" in shown(pilot)
        assert "more than 75 tokens: 0001" in shown(pilot)
    six.change({"base.model": "nobody/here"})
    async with LimnerApp(six.root, six).run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        assert "tokens" not in shown(pilot).replace("75 tokens", "tokens")


@pytest.mark.long
async def test_words_are_found_in_the_captions_and_among_the_tags(six: Project, app: LimnerApp) -> None:
    for number, path in enumerate(sorted(six.dataset.glob("*/*.txt"))):
        path.write_text(f"jx265, man, {'At the Lake' if number in (2, 4) else 'indoors'}")
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        images, tags = (pilot.app.screen.query_one(f"#{name}", Rows) for name in ("images", "tags"))
        await pilot.press("slash", *"lake")
        await settle(pilot)
        assert images.cursor == 2, "it goes along while the words are typed"
        await press(pilot, "enter", "n")
        assert images.cursor == 4
        await press(pilot, "n")
        assert images.cursor == 2, "round from the last to the first"
        await press(pilot, "N")
        assert images.cursor == 4
        await press(pilot, "g", "g", "slash", "i", "n", "d", "o", "o", "r", "s", "z", "escape")
        assert images.cursor == 0, "escape goes back"
        assert len(images.items) == 6, "nothing was hidden"
        await press(pilot, "slash", *"nowhere", "enter")
        assert "No match for" in said(app)
        await press(pilot, "t", "slash", *"lake", "enter")
        assert tags.has_focus
        assert tags.item.tag.lower() == "at the lake"


@pytest.mark.long
async def test_rules_that_clean_captions_are_switched_by_keys_and_hold_at_once(six: Project, app: LimnerApp) -> None:
    first = min(six.dataset.glob("*/*.txt"))
    async with app.run_test(size=(80, 24)) as pilot:
        first.write_text("jx265, man, brown hair, full beard, outdoors\n")
        await press(pilot, "3", "R")
        assert "✓ on   hair" in shown(pilot)
        assert "· off  beard" in shown(pilot)
        await press(pilot, "j", "space")
        assert "· off  hair" in shown(pilot)
        assert "(usually on)" in shown(pilot)
        await press(pilot, "G", "k", "k", "space", "escape")
        assert [each.value for each in six.settings.captions.rules_off] == ["hair"]
        assert [each.value for each in six.settings.captions.rules_on] == ["beard"]
        await press(pilot, "C", "y")
        assert first.read_text().strip() == "jx265, man, brown hair, outdoors"
        await press(pilot, "R", "g", "g", "j", "space", "G", "k", "k", "space")
        assert "rules_" not in six.settings_path.read_text(), "what is as usual is not written"


async def test_a_captioner_that_can_not_be_loaded_is_told_and_the_app_stays(
    whole_story: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(group: str, kind: type[object]) -> list[object]:
        raise LimnerError("the plugin toy can't be loaded", "update it")

    monkeypatch.setattr("engine.dataset.captions.registry.plugins", broken)
    app = LimnerApp(whole_story.root, whole_story)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot, "3", "c")
        assert "The plugin toy can't be loaded" in shown(pilot)
        await press(pilot, "2")
        assert "Which faces are good?" in shown(pilot)
