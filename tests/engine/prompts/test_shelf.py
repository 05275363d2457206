"""The shelf of prompts, in the project's database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import PromptError
from engine.pictures.orders.orders import order_for
from engine.pictures.orders.queue import Queue
from engine.project import Project
from engine.prompts.store import Mark, PromptStore


def test_prompts_stay_across_restarts_best_rated_first(project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        first = shelf.add("photo of jx265 man")
        second = shelf.add("photo of jx265 man, smiling", "blurry", parent_id=first.id)
        shelf.add("portrait")
        shelf.rate(first.id, 4)
        shelf.mark(second.id, Mark.KEPT)
        shelf.add("photo of jx265 man, laughing", parent_id=first.id)
    with project.store() as store:
        found = PromptStore(store).prompts()
        children = PromptStore(store).children(first.id)
        ancestors = PromptStore(store).ancestors(second.id)
    assert [prompt.text for prompt in found] == ["photo of jx265 man", "portrait", "photo of jx265 man, smiling"]
    assert [prompt.text for prompt in children] == ["photo of jx265 man, smiling", "photo of jx265 man, laughing"]
    assert [prompt.id for prompt in ancestors] == [first.id]
    assert found[2].mark is Mark.KEPT
    assert (found[0].rating, found[2].negative, found[2].parent_id) == (4, "blurry", first.id)
    assert second.id == found[2].id


def test_the_same_prompt_is_kept_once_with_its_rating(project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        first = shelf.add("a  man\n")
        shelf.rate(first.id, 3)
        assert shelf.add("a man").rating == 3
        assert shelf.add("a man", "b").id != first.id
        assert len(shelf.prompts()) == 2


def test_a_dropped_prompt_leaves_the_list_and_can_come_back(project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        prompt = shelf.add("a man")
        shelf.rate(prompt.id, -1)
        assert shelf.prompts() == []
        shelf.rate(prompt.id, 0)
        assert [each.id for each in shelf.prompts()] == [prompt.id]


def test_what_makes_no_sense_is_refused(project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        prompt = shelf.add("a man")
        for wrong in (lambda: shelf.add("  "), lambda: shelf.rate(prompt.id, 6), lambda: shelf.rate(99, 1)):
            with pytest.raises(PromptError):
                wrong()
        with pytest.raises(PromptError, match="no prompt 99"):
            shelf.add("child", parent_id=99)
        assert len(shelf.prompts()) == 1


def test_stars_come_back_from_the_pictures_that_a_prompt_made(project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        first, second = shelf.add("a man"), shelf.add("a woman")
        queued = Queue(store).add(
            [replace(order_for(project, "a man", seed=seed), prompt_id=first.id) for seed in (1, 2, 3)]
        )
        with store.change() as change:
            for picture, rating in zip(queued, (5, 2, None), strict=True):
                change.execute("UPDATE pictures SET rating = ? WHERE id = ?", (rating, picture.id))
        assert (shelf.prompt(first.id).pictures, shelf.prompt(first.id).stars) == (2, 3.5)
        assert [each.id for each in shelf.prompts()] == [first.id, second.id]
        assert shelf.rate(first.id, 1).stars == 1


def test_a_negative_prompt_alone_and_what_made_a_prompt_are_kept(project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        shelf.add("", "blurry", name="not: blurry", tags=["negative"])
        shelf.add("a man", made_by={"engine": "llm", "model": "llama3.1", "seed": 7})
    with project.store() as store:
        man, blurry = PromptStore(store).prompts()
    assert (blurry.text, blurry.negative, blurry.name, blurry.tags) == ("", "blurry", "not: blurry", ("negative",))
    assert man.made_by == {"engine": "llm", "model": "llama3.1", "seed": 7}
