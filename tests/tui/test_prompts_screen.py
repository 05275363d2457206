"""The Prompts screen by its keys: from a parent prompt to painted pictures, and nothing lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from textual.events import Key
from textual.pilot import Pilot

from engine.jobs.folder import Request
from engine.pictures.orders.queue import Picture, PictureState, Queue
from engine.pictures.orders.start import painter_folder
from engine.project import Project
from engine.prompts.store import Mark, Prompt, PromptStore
from tests.support.model_server import Said, answering, prompts
from tests.support.patience import Patience
from tests.support.png import read_parameters
from tests.support.small_project import small_project
from tests.tui.test_journeys import press, shown, type_text, until
from tui.app.app import LimnerApp
from tui.app.session_state import NAME
from tui.screens.prompts.screen import PromptsScreen
from tui.screens.prompts.work import PromptDraft, Wrote, left_off
from tui.widgets.text_line import TextLine

GOOD = prompts(
    "photo of SUBJECT, golden hour on a pier, linen shirt",
    "photo of SUBJECT in a library, lamp light, wool sweater",
    "photo of SUBJECT and friends at a bar",
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = small_project(tmp_path / "james", images=0, painting__idle_seconds=30.0)
    yield project
    painter_folder(project).ask(Request.STOP)


def app(project: Project) -> LimnerApp:
    return LimnerApp(project.root, project)


def screen(pilot: Pilot[None]) -> PromptsScreen:
    found = pilot.app.screen
    assert isinstance(found, PromptsScreen)
    return found


def on_shelf(project: Project) -> list[Prompt]:
    with project.store() as store:
        return [prompt for _, prompt in PromptStore(store).families()]


def pictures(project: Project) -> list[Picture]:
    with project.store() as store:
        return Queue(store).pictures()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """The prompts are not read before it is set."""
    event = threading.Event()

    def slow(project: Project, wrote: Wrote | None) -> PromptDraft:
        assert event.wait(30)
        return left_off(project, wrote)

    monkeypatch.setattr("tui.screens.prompts.screen.left_off", slow)
    return event


async def test_enter_typed_before_the_prompts_are_read_paints_once_they_are(
    project: Project, read: threading.Event
) -> None:
    async with app(project).run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("5")
        await comes(pilot, "no LoRA trained yet")  # What lies around the prompts is known by then.
        await pilot.press("enter", "enter")
        await pilot.pause(0.2)
        assert "75 tokens" not in shown(pilot)
        assert pictures(project) == []
        read.set()
        await until(pilot, lambda: "Painted pictures" in shown(pilot))
    assert len(pictures(project)) == 1


@pytest.mark.long
async def test_what_is_typed_before_the_prompts_are_read_is_not_lost(project: Project, read: threading.Event) -> None:
    async with app(project).run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("5")
        await comes(pilot, "no LoRA trained yet")
        await pilot.press("V", "i", "comma", "space", *"smiling")
        read.set()
        await until(pilot, lambda: len(screen(pilot).rows.items) > 2)
        assert written(pilot) == ("photo of {trigger} {class}, smiling", "")
        assert all(", smiling" in variant.text for variant in screen(pilot).rows.items)


@pytest.mark.parametrize(("keys", "queued"), [("enter j enter j enter", 3), ("enter q", 1)])
@pytest.mark.long
async def test_keys_that_a_slow_line_brings_at_once_queue_every_picture(
    project: Project, keys: str, queued: int
) -> None:
    limner = app(project)
    async with limner.run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "V")
        kept = threading.Event()
        limner.keeping.submit(kept.wait)  # All keys are handed on before the first picture is queued.
        for key in keys.split():
            limner.post_message(Key(key, None))
        patience = Patience()
        while limner.is_running and ("q" in keys or limner.keeping._work_queue.qsize() < queued) and patience.lasts():
            await pilot.pause(0.01)
        kept.set()
        await until(pilot, lambda: "Painted pictures" in shown(pilot) or not limner.is_running)
    limner.keeping.shutdown()  # As Python does at the end.
    assert len(pictures(project)) == queued
    assert len({each.prompt for each in pictures(project)}) == queued


async def comes(pilot: Pilot[None], text: str) -> None:
    """Waits for a text while something else is still at work."""
    patience = Patience()
    while text not in shown(pilot):
        assert patience.lasts(), f"it never says {text!r}\n{shown(pilot)}"
        await pilot.pause(0.05)


async def test_from_a_parent_prompt_to_eight_painted_pictures(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "i")
        await type_text(pilot, ", studio light")
        await press(pilot, "enter", "z", "V")
        assert "12 prompts" in shown(pilot)
        await press(pilot, "y", "x", "y", "y", "j", "y", "plus")
        assert "12 prompts · 4 kept" in shown(pilot)
        assert "2 seeds each" in shown(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: "Painted pictures" in shown(pilot))
        under_way = (PictureState.QUEUED, PictureState.PAINTING)
        await until(pilot, lambda: not any(each.state in under_way for each in pictures(project)))
    painted = pictures(project)
    assert [picture.state for picture in painted] == [PictureState.DONE] * 8, [each.reason for each in painted]
    assert len({picture.prompt for picture in painted}) == 4
    assert len({picture.seed for picture in painted}) == 8
    kept = {prompt.id: prompt for prompt in on_shelf(project) if prompt.mark is Mark.KEPT}
    for picture in painted:
        assert picture.prompt_id in kept
        with Image.open(picture.path) as image:
            assert image.size == (64, 64)
        about = read_parameters(picture.path)
        assert about is not None
        assert about.prompt == picture.prompt == kept[picture.prompt_id].text
        assert picture.prompt.split().count("jx265") == 1


@pytest.mark.long
async def test_the_prompt_is_taken_apart_as_it_is_typed(project: Project) -> None:
    async with app(project).run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "i")
        assert "8 of 75 tokens" in shown(pilot)
        await type_text(pilot, ", (smiling:1.3)")
        assert "10 of 75 tokens · smiling ×1.3" in shown(pilot)
        await type_text(pilot, " [red:blue:0.5]")
        assert "changes after step 1" in shown(pilot)
        await type_text(pilot, " <lora:nobody:1>")
        assert "no LoRA of this project is called nobody" in shown(pilot)
        await type_text(pilot, " {a|b")
        assert "is never closed" in shown(pilot)


@pytest.mark.long
async def test_what_means_nothing_to_klein_is_told_as_it_is_typed(project: Project) -> None:
    project.change({"base.model": "demo-flux2-klein", "painting.guidance_scale": 1.0})
    async with app(project).run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "i")
        assert "8 of 36 tokens" in shown(pilot)
        await type_text(pilot, ", (smiling:1.3)")
        assert "FLUX.2 klein ignores weights" in shown(pilot)
        await press(pilot, "ctrl+u")
        await type_text(pilot, "a man")
        await press(pilot, "tab")
        await type_text(pilot, "blurry")
        assert "a negative prompt has no effect at a guidance scale of 1 or less" in shown(pilot)


async def test_everything_said_is_there_again_after_a_restart(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "V", "y", "x", "e")
        await type_text(pilot, ", in rain")
        await press(pilot, "enter")
        texts = [variant.text for variant in screen(pilot).rows.items]
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5")
        found = screen(pilot).rows.items
        assert [variant.mark for variant in found].count(Mark.KEPT) == 2
        assert any(variant.text.endswith(", in rain") for variant in found)
        assert texts[1] not in [variant.text for variant in found]
        assert {variant.text for variant in found} >= {text for text in texts if text != texts[1]}
    assert [prompt.made_by["engine"] for prompt in on_shelf(project) if prompt.made_by].count("person") == 1


TEMPLATE = "photo of {trigger} {class}, {red|blue} shirt"


async def write(pilot: Pilot[None], text: str, *after: str) -> None:
    """Another prompt in the field."""
    await press(pilot, "5", "i", "ctrl+u")
    await type_text(pilot, text)
    await press(pilot, *after)


def written(pilot: Pilot[None]) -> tuple[str, ...]:
    return tuple(screen(pilot).query_one(field, TextLine).value for field in ("#prompt", "#negative"))


@pytest.mark.parametrize("killed", [False, True], ids=["left", "killed"])
@pytest.mark.long
async def test_a_prompt_with_choices_comes_back_as_written_with_variations(project: Project, killed: bool) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await write(pilot, TEMPLATE, "enter", "V", "y")
        before = {variant.text for variant in screen(pilot).rows.items}
        assert {text.rpartition(",")[2] for text in before} == {" blue shirt"}
        await press(pilot, "q")
    if killed:
        (project.cache / NAME).unlink()
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5")
        assert written(pilot) == (TEMPLATE, "")
        assert {variant.text for variant in screen(pilot).rows.items} >= before


@pytest.mark.parametrize("text", ["oil painting of {trigger}, at sea", "photo of {trigger}, {red|blue"])
@pytest.mark.long
async def test_what_was_only_typed_and_how_many_of_each_come_back(project: Project, text: str) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await write(pilot, text, "escape", "+", "+", "q")
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5")
        assert written(pilot) == (text, "")
        assert "3 seeds each" in shown(pilot)


@pytest.mark.long
async def test_painting_a_half_written_prompt_tells_what_is_missing_of_it(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await write(pilot, "photo of {trigger}, {red|blue", "escape", "q")
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "enter")
        (told,) = pilot.app._notifications
        assert told.title.startswith("The brace at character 21 "), "where it stands on the screen"
        assert told.message.startswith("Add }")


@pytest.mark.long
async def test_where_nothing_was_written_a_new_style_counts_the_next_time(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "q")
    project.change({"painting.style": "etching of {trigger}", "painting.negative": "colour"})
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5")
        assert written(pilot) == ("etching of {trigger}", "colour")


@pytest.mark.long
async def test_the_tree_leads_from_a_prompt_to_those_that_it_came_from(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "V", "j", "a", "a")
        third = screen(pilot).query_one("#prompt", TextLine).value
        await press(pilot, "T")
        assert "Variation tree" in shown(pilot)
        await press(pilot, "g", "enter")
        assert screen(pilot).query_one("#prompt", TextLine).value == "photo of jx265 man"
    family = on_shelf(project)
    with project.store() as store:
        shelf = PromptStore(store)
        (found,) = shelf.find(third)
        assert [each.text for each in shelf.ancestors(found.id)][-1] == "photo of jx265 man"
        assert len(shelf.ancestors(found.id)) == 2
    assert family[0].text == "photo of jx265 man"


@pytest.mark.long
async def test_a_prompt_of_the_library_is_taken_up(project: Project) -> None:
    async with app(project).run_test(size=(120, 40)) as pilot:
        await press(pilot, "5", "b")
        assert "Prompts to start from" in shown(pilot)
        assert "golden hour" in shown(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: "professional headshot of jx265 man, navy suit" in shown(pilot))
        await press(pilot, "b", "G", "enter")
        assert "signature" in screen(pilot).query_one("#negative", TextLine).value
        assert "headshot" in screen(pilot).query_one("#prompt", TextLine).value


async def test_axes_and_the_size_of_changes_decide_what_comes(project: Project) -> None:
    async with app(project).run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot, "5", "P", "L", "O", "W", "z", "z", "V")
        assert "small" in shown(pilot)
        texts = [variant.text for variant in screen(pilot).rows.items]
        assert texts
        assert all("mm" in text or "medium format" in text for text in texts)
        await press(pilot, "W", "V")
        await until(pilot, lambda: "There is nothing to vary" in shown(pilot))


async def test_a_language_model_varies_and_tells_what_was_dropped(project: Project) -> None:
    with answering(GOOD, models=("llama3.1", "qwen3")) as asked:
        project.change({"language_model.url": asked.url})
        async with app(project).run_test(size=(120, 40)) as pilot:
            await press(pilot, "5", "m")
            await until(pilot, lambda: "llama3.1" in shown(pilot))
            await press(pilot, "M")
            await until(pilot, lambda: "qwen3" in shown(pilot))
            await press(pilot, "V")
            await until(pilot, lambda: "2 by the model, 10 by the grammar" in shown(pilot))
            assert "other people" in shown(pilot)
            assert "golden hour on a pier, linen shirt" in shown(pilot)
    assert asked.questions[0]["model"] == "qwen3"
    made = [prompt.made_by for prompt in on_shelf(project) if prompt.made_by.get("engine") == "llm"]
    assert len(made) == 2
    assert made[0]["model"] == "qwen3"


async def test_a_question_to_a_model_is_taken_back_by_a_key(project: Project) -> None:
    with answering(Said("x", wait=threading.Event())) as asked:
        project.change({"language_model.url": asked.url, "language_model.model": "tiny"})
        async with app(project).run_test(size=(80, 24)) as pilot:
            await press(pilot, "5", "m")
            await pilot.press("V")
            patience = Patience()
            while not asked.questions and patience.lasts():
                await pilot.pause(0.01)
            assert "esc cancel" in shown(pilot)
            await press(pilot, "escape")
            assert "esc cancel" not in shown(pilot)
            assert len(screen(pilot).rows.items) == 1


async def test_a_model_that_is_not_there_is_told_and_the_grammar_stays(project: Project) -> None:
    async with app(project).run_test(size=(120, 40), notifications=True) as pilot:
        await press(pilot, "5", "m")
        await until(pilot, lambda: "No language model is set" in shown(pilot))
        assert "grammar" in shown(pilot)


async def test_a_locked_part_stays_while_the_rest_varies(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "i")
        await type_text(pilot, ", studio light, navy suit")
        await press(pilot, "enter", "K", "space", "j", "space", "space")
        assert "✓ locked  studio light" in shown(pilot)
        assert "· varies  navy suit" in shown(pilot)
        await press(pilot, "escape")
        assert "locked: studio light" in shown(pilot)
        await press(pilot, "V")
        made = [variant.text for variant in screen(pilot).rows.items if variant.parent]
        assert made
        assert all("studio light" in text.split(", ") for text in made)
        assert any("navy suit" not in text for text in made)
        await press(pilot, "K", "space", "escape", "V")
        assert "locked:" not in shown(pilot)
        assert any("studio light" not in variant.text for variant in screen(pilot).rows.items)
    locks = [prompt.made_by["locked"] for prompt in on_shelf(project) if prompt.made_by]
    assert ["studio light"] in locks
    assert [] in locks


@pytest.mark.long
async def test_a_lock_holds_where_choices_vary_and_the_first_part_needs_none(project: Project) -> None:
    async with app(project).run_test(size=(80, 24), notifications=True) as pilot:
        await press(pilot, "5", "K")
        await until(pilot, lambda: "only one part" in shown(pilot))
        field = screen(pilot).query_one("#prompt", TextLine)
        field.value = "photo of jx265 man, {soft|hard} light, {navy|grey|green} suit"
        await press(pilot, "K", "space", "escape", "V")
        made = [variant.text for variant in screen(pilot).rows.items if variant.parent]
        assert made
        assert all("soft light" in text for text in made), made


@pytest.mark.long
async def test_a_language_model_is_told_what_is_locked(project: Project) -> None:
    with answering(GOOD) as asked:
        project.change({"language_model.url": asked.url, "language_model.model": "tiny"})
        async with app(project).run_test(size=(80, 24)) as pilot:
            await press(pilot, "5", "m", "i")
            await type_text(pilot, ", navy suit")
            await press(pilot, "enter", "K", "space", "escape", "V")
            await until(pilot, lambda: "by the model" in shown(pilot))
            made = [variant.text for variant in screen(pilot).rows.items if variant.parent]
    assert "word for word: navy suit" in str(asked.questions[0])
    assert made
    assert all("navy suit" in text for text in made)


@pytest.mark.long
async def test_words_are_found_among_the_variations(project: Project) -> None:
    async with app(project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "5", "V")
        rows = screen(pilot).rows
        word = rows.items[3].text.split(", ")[-1]
        having = [at for at, each in enumerate(rows.items) if word in each.text]
        await press(pilot, "g", "g", "slash")
        await type_text(pilot, word)
        await press(pilot, "enter")
        assert rows.cursor == having[0]
        assert rows.has_focus
        await press(pilot, "n")
        assert rows.cursor == [*having, having[0]][1]
