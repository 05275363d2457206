"""The plan of a run by its keys: settings that move, what if, the card's preset, a probe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.project import Project
from engine.settings import SDXL_BASE
from engine.training.planning.gpus import named_card
from tests.support.small_project import small_project
from tests.support.story import with_dataset
from tests.tui.test_journeys import press, shown, until
from tui.app.app import LimnerApp


def cost_shown(pilot: Pilot[None]) -> float:
    """The money on the screen."""
    return float(re.search(r"cost +([\d.]+)", shown(pilot))[1])  # type: ignore[index]


async def test_what_if_there_were_more_photos_moves_the_plan_and_is_not_saved(story: Project) -> None:
    with_dataset(story)
    before = story.settings_path.read_text()
    async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "l", "l")
        assert "8 images × 10 repeats × 10 epochs = 800 image-steps" in shown(pilot)
        assert "the dataset has 6" in shown(pilot)
        await press(pilot, "x")
        assert "6 images × 10 repeats × 10 epochs = 600 image-steps" in shown(pilot)
    assert story.settings_path.read_text() == before


async def test_the_card_s_preset_is_shown_with_reasons_and_gives_way_to_keys(
    story: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.planning.estimate.card_here", lambda: named_card("4090"))
    with_dataset(story)
    story.change({"base.model": SDXL_BASE, "training.batch_size": None, "training.price_per_hour": 40.0})
    async with LimnerApp(story.root, story).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "j", "j", "j", "j", "j")
        assert "for 24 GB: the card has 24" in shown(pilot)
        assert "by the preset: there is room for" in shown(pilot)
        assert "14.6 of 25.8 GB" in shown(pilot)
        assert "a model:" in shown(pilot)
        cost = cost_shown(pilot)
        await press(pilot, "l")
        assert story.settings.training.rank == 48
        assert "yours; the preset has 32" in shown(pilot)
        assert "15.3 of 25.8 GB" in shown(pilot)
        await press(pilot, "x", "k", "k", "h")
        assert "rank" not in story.settings.training.model_fields_set
        assert story.settings.training.resolution == 896
        assert cost_shown(pilot) < cost


async def test_a_probe_is_started_by_a_key_and_its_figures_are_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.training.probe.SECONDS", 1.0)
    project = small_project(tmp_path / "james", images=4)
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        assert "not measured yet" in shown(pilot)
        await press(pilot, "m")
        # Getting ready, loading, step by step: what is seen of it depends on how quick it goes.
        await until(pilot, lambda: "measuring: " in shown(pilot))
        await until(pilot, lambda: "measured by the probe of" in shown(pilot))
        assert "m measure" in shown(pilot)


@pytest.mark.long
async def test_a_probe_that_is_ended_changes_nothing(tmp_path: Path) -> None:
    project = small_project(tmp_path / "james", images=4)
    async with LimnerApp(project.root, project).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "m")
        assert "M stop measuring" in shown(pilot)
        await press(pilot, "M")
        await until(pilot, lambda: "not measured yet" in shown(pilot))
