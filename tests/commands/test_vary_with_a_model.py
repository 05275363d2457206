"""``limner vary --with llm`` against a server on loopback."""

from __future__ import annotations

from engine.project import Project
from engine.prompts.store import PromptStore
from tests.commands.conftest import Run
from tests.support.model_server import Said, answering, prompts

PROMPT = "portrait of {trigger} {class}, studio light, navy suit"
GOOD = prompts(
    "portrait of SUBJECT, golden hour on a pier, linen shirt",
    "portrait of SUBJECT and his wife in a library",
    "portrait of SUBJECT on a rooftop at dusk, leather jacket",
)


def test_a_model_writes_what_it_can_and_as_many_come_out_as_were_asked_for(run: Run, project: Project) -> None:
    with project.store() as store:
        shelf = PromptStore(store)
        shelf.rate(shelf.add("photo of {trigger} {class} in heavy rain").id, 5)
        shelf.add("portrait of jx265 man on a rooftop at dusk, leather jacket")
    with answering(GOOD, models=("llama3.1", "other")) as asked:
        done = run("vary", PROMPT, "--with", "llm", "--url", asked.url, "--count", 6, "--seed", 3, "--json")
    record = done.record
    engines = [each["engine"] for each in record["variations"]]
    assert engines == ["llm", *["grammar"] * 5]
    assert record["model"] == "llama3.1"
    assert all(each["prompt"].split().count("jx265") == 1 for each in record["variations"])
    assert len({each["prompt"] for each in record["variations"]}) == 6
    assert {"other people (wife)", "a copy"} <= {each["why"] for each in record["dropped"]}
    assert "photo of SUBJECT in heavy rain" in asked.questions[0]["messages"][1]["content"]
    assert "1 by the model, 5 by the grammar" in done.err


def test_server_and_model_come_from_the_settings(run: Run, project: Project) -> None:
    with answering(GOOD) as asked:
        project.change({"language_model.url": asked.url, "language_model.model": "qwen3"})
        done = run("vary", PROMPT, "--with", "llm", "--count", 2)
    assert done.code == 0
    assert len(done.out.splitlines()) == 3
    assert asked.questions[0]["model"] == "qwen3"


def test_what_is_wrong_is_one_line_and_status_1(run: Run) -> None:
    assert "no language model is set" in run("vary", PROMPT, "--with", "llm").failure
    assert "is not a server address" in run("vary", PROMPT, "--with", "llm", "--url", "localhost").failure
    with answering(GOOD, models=()) as asked:
        assert "has no model" in run("vary", PROMPT, "--with", "llm", "--url", asked.url).failure
        arguments = ("vary", PROMPT, "--with", "llm", "--url", asked.url, "--model", "x")
        assert "no axis weather" in run(*arguments, "--axes", "weather").err
    with answering(Said(status=401, body='{"error": "no"}')) as asked:
        done = run("vary", PROMPT, "--with", "llm", "--url", asked.url, "--model", "x")
        assert (done.code, done.out) == (1, "")
        assert "LIMNER_LLM_KEY" in done.err.splitlines()[-1]
    assert run("vary", PROMPT, "--with", "magic").code == 2
    assert run("vary", PROMPT, "--size", "huge").code == 2


def test_small_changes_are_small(run: Run) -> None:
    far = {
        size: [
            each["distance"]
            for each in run("vary", PROMPT, "--size", size, "--seed", 1, "--lock", "navy suit", "--json").record[
                "variations"
            ]
        ]
        for size in ("small", "medium", "bold")
    }
    assert max(far["small"]) < 0.7
    assert sum(far["small"]) < sum(far["medium"]) <= sum(far["bold"])
