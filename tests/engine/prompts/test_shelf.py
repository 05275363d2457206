"""The shelf of prompts, in the project's database."""

from __future__ import annotations

import pytest

from engine.errors import PromptError
from engine.project import Project
from engine.prompts.shelf import Shelf


def test_prompts_stay_across_restarts_best_rated_first(project: Project) -> None:
    with project.store() as store:
        shelf = Shelf(store)
        first = shelf.add("photo of jx265 man")
        second = shelf.add("photo of jx265 man, smiling", "blurry", parent_id=first.id)
        shelf.add("portrait")
        shelf.rate(first.id, 4)
    with project.store() as store:
        found = Shelf(store).prompts()
    assert [prompt.text for prompt in found] == ["photo of jx265 man", "portrait", "photo of jx265 man, smiling"]
    assert (found[0].rating, found[2].negative, found[2].parent_id) == (4, "blurry", first.id)
    assert second.id == found[2].id


def test_the_same_prompt_is_kept_once_with_its_rating(project: Project) -> None:
    with project.store() as store:
        shelf = Shelf(store)
        first = shelf.add("a  man\n")
        shelf.rate(first.id, 3)
        assert shelf.add("a man").rating == 3
        assert shelf.add("a man", "b").id != first.id
        assert len(shelf.prompts()) == 2


def test_a_dropped_prompt_leaves_the_list_and_can_come_back(project: Project) -> None:
    with project.store() as store:
        shelf = Shelf(store)
        prompt = shelf.add("a man")
        shelf.rate(prompt.id, -1)
        assert shelf.prompts() == []
        shelf.rate(prompt.id, 0)
        assert [each.id for each in shelf.prompts()] == [prompt.id]


def test_what_makes_no_sense_is_refused(project: Project) -> None:
    with project.store() as store:
        shelf = Shelf(store)
        prompt = shelf.add("a man")
        for wrong in (lambda: shelf.add("  "), lambda: shelf.rate(prompt.id, 6), lambda: shelf.rate(99, 1)):
            with pytest.raises(PromptError):
                wrong()
        with pytest.raises(PromptError, match="no prompt 99"):
            shelf.add("child", parent_id=99)
        assert len(shelf.prompts()) == 1
