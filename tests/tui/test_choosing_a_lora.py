"""Which LoRA is painted with: the checkpoint under the cursor, or one chosen from a list with its likeness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.jobs.folder import JobFolder
from engine.pictures.gallery.lora_choice import lora_choices
from engine.pictures.likeness.scores import Likeness, Measure, Recommended, Score, write_likeness
from engine.pictures.orders.queue import Queue
from engine.project import Project
from tests.support.story import RUN
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp
from tui.screens.prompts.screen import PromptsScreen
from tui.screens.training.screen import TrainingScreen
from tui.screens.training.watch import RunView


def queued(project: Project) -> list[tuple[Path | None, float | None]]:
    with project.store() as store:
        return [(each.lora, each.strength) for each in Queue(store).pictures()]


@pytest.fixture
def checkpoints(whole_story: Project) -> list[Path]:
    """The run's, their files there."""
    folder = whole_story.runs / RUN / "checkpoints"
    log = [json.loads(line) for line in (whole_story.runs / RUN / "events.jsonl").read_text().splitlines()]
    found = [whole_story.runs / RUN / each["path"] for each in log if each["kind"] == "checkpoint"]
    for each in found:
        each.touch()
    assert len(found) >= 2
    assert folder.is_dir()
    return found


async def test_enter_paints_with_the_checkpoint_under_the_cursor(whole_story: Project, checkpoints: list[Path]) -> None:
    async with LimnerApp(whole_story.root, whole_story).run_test(size=(100, 30)) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen))
        await until(pilot, lambda: bool(pilot.app.screen.query_one(RunView).list.items))
        rows = pilot.app.screen.query_one(RunView).list
        rows.cursor = len(rows.items) - 1
        wanted = Path(rows.item.path).name
        assert wanted != checkpoints[-1].name, "the list's last row is not the newest one"
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PromptsScreen))
        await until(pilot, lambda: wanted.removesuffix(".safetensors") in shown(pilot))


async def test_a_lora_is_chosen_from_a_list_and_painted_with(whole_story: Project, checkpoints: list[Path]) -> None:
    before = queued(whole_story)
    async with LimnerApp(whole_story.root, whole_story).run_test(size=(100, 30)) as pilot:
        await press(pilot, "5")
        await until(pilot, lambda: "jx265" in shown(pilot))
        await press(pilot, "C")
        await until(pilot, lambda: "Paint with" in shown(pilot))
        assert "the newest checkpoint" in shown(pilot)
        assert checkpoints[0].stem in shown(pilot)
        assert "no LoRA" in shown(pilot)
        await press(pilot, "j", "j", "enter")
        await until(pilot, lambda: f"{checkpoints[-2].stem} at" in shown(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: len(queued(whole_story)) > len(before))
    new = [each for each in queued(whole_story) if each not in before]
    assert {each[0] for each in new} == {checkpoints[-2]}


async def test_a_lora_is_added_to_the_prompt_beside_others(whole_story: Project, checkpoints: list[Path]) -> None:
    async with LimnerApp(whole_story.root, whole_story).run_test(size=(120, 30)) as pilot:
        await press(pilot, "5")
        await until(pilot, lambda: "jx265" in shown(pilot))
        for _ in range(2):
            await press(pilot, "C")
            await until(pilot, lambda: "Paint with" in shown(pilot))
            await press(pilot, "j", "space")
        prompt = pilot.app.screen.query_one("#prompt").value  # type: ignore[attr-defined]
        assert prompt.count(f"<lora:{RUN}/{checkpoints[-1].stem}:") == 2


def measured(project: Project, checkpoints: list[Path], advised: bool = True) -> None:
    """The last checkpoint at two strengths, the stronger one better; the first one at one strength."""
    last, first = str(checkpoints[-1]), str(checkpoints[0])
    scores = tuple(
        Score(name, strength, likeness / 100, 0.1, likeness, 1.0, 0.0, 0, 0, 1.0, ())
        for name, strength, likeness in ((last, 0.6, 41.0), (last, 0.9, 83.0), (first, 0.8, 60.0))
    )
    base = Score("", 0.0, 0.1, 0.1, 5.0, 1.0, 0.0, 0, 0, 0.0, ())
    measure = Measure("drawn", 6, {}, 0.2, 0.05, True, 0.9, "Bea")
    advice = Recommended(last, 0.9, "the most alike", advised)
    write_likeness(JobFolder(project.runs / RUN), Likeness(("photo",), measure, scores, base, 0.95, None, None, advice))


def test_checkpoints_show_their_likeness_the_best_strength_first(whole_story: Project, checkpoints: list[Path]) -> None:
    measured(whole_story, checkpoints)
    told = [(each.file, each.strength, each.likeness, each.recommended) for each in lora_choices(whole_story)]
    assert told[:2] == [(checkpoints[-1], 0.9, 83.0, True), (checkpoints[-1], 0.6, 41.0, False)]
    assert (checkpoints[0], 0.8, 60.0, False) in told
    assert told[-1] == (None, None, None, False)
    measured(whole_story, checkpoints, advised=False)
    assert not any(each.recommended for each in lora_choices(whole_story)), "nothing is recommended"


@pytest.mark.long
async def test_a_chosen_checkpoint_is_painted_at_the_strength_measured(
    whole_story: Project, checkpoints: list[Path]
) -> None:
    measured(whole_story, checkpoints)
    before = queued(whole_story)
    async with LimnerApp(whole_story.root, whole_story).run_test(size=(100, 30)) as pilot:
        await press(pilot, "5")
        await until(pilot, lambda: "jx265" in shown(pilot))
        await press(pilot, "C")
        await until(pilot, lambda: "likeness  83" in shown(pilot))
        assert "best" in shown(pilot)
        await press(pilot, "j", "j", "enter")
        await until(pilot, lambda: f"{checkpoints[-1].stem} at 0.6" in shown(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: len(queued(whole_story)) > len(before))
    assert {each for each in queued(whole_story) if each not in before} == {(checkpoints[-1], 0.6)}


def test_a_damaged_measurement_hides_no_checkpoint(whole_story: Project, checkpoints: list[Path]) -> None:
    choices = lora_choices(whole_story)
    assert [each.file for each in choices] == [*reversed(checkpoints), None]
    score = {"median": 0.6, "spread": 0.1, "pictures": []}
    record = {
        "prompts": ["a"],
        "measure": {},
        "scores": [],
        "base_score": {},
        "real": 0.7,
        "nearest_other": None,
        "nearest_other_name": None,
        "recommended": {},
        "warnings": [],
        **score,
    }
    (whole_story.runs / RUN / "likeness.json").write_text(json.dumps(record))
    assert lora_choices(whole_story) == choices, "a damaged measurement hides no checkpoint"
