"""Variations by a language model: whatever it answers, as many come out as were asked for, and all will do."""

from __future__ import annotations

import json
import random
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PromptError
from engine.llm.server import KEY_VARIABLE, Cancelled, ModelServer, Refused, find_key
from engine.prompts.axes import AXES, NAMES
from engine.prompts.axis_variation import Size, vary
from engine.prompts.breakdown import take_apart
from engine.prompts.grammar import variations
from engine.prompts.llm.answers import prompts_in
from engine.prompts.llm.filtering import Dropped, VariationFilter
from engine.prompts.llm.request import SUBJECT, VariationRequest
from engine.prompts.llm.variations import Outcome, Progress, vary_by_model
from engine.settings import PersonSettings
from tests.support.model_server import Said, answering, prompts

PERSON = PersonSettings(trigger="jx265", class_word="man")
WISH = VariationRequest(
    "portrait of jx265 man, studio light, navy suit", PERSON, 4, 1, ("place", "light", "clothes"), Size.BOLD
)

GOOD = (
    "portrait of SUBJECT, golden hour on a pier, linen shirt",
    "portrait of SUBJECT in a library, lamp light, wool sweater",
    "portrait of SUBJECT on a rooftop at dusk, leather jacket",
    "portrait of SUBJECT in a workshop, dusty sunbeam, apron",
    "portrait of SUBJECT in a snowy forest, red parka",
    "portrait of SUBJECT at a jazz club, blue stage light, black turtleneck",
)


def varied(*answers: Any, wish: VariationRequest = WISH, silent_seconds: float = 20.0) -> Outcome:
    with answering(*answers) as asked:
        return vary_by_model(ModelServer(asked.url, silent_seconds=silent_seconds), "tiny", wish)


def engines(outcome: Outcome) -> list[str]:
    return [each.engine for each in outcome.variations]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ('{"prompts": [{"prompt": "a b c"}, {"prompt": "d e f"}]}', ["a b c", "d e f"]),
        ('["a b c", "d e f"]', ["a b c", "d e f"]),
        ('{"variations": ["a b c"]}', ["a b c"]),
        ('{"prompts": [{"text": "a b c", "light": "soft"}]}', ["a b c"]),
        ('<think>Let me {see} ["no no no"]</think>\n{"prompts": ["a b c"]}', ["a b c"]),
        ('thinking aloud\n</think>\n["a b c"]', ["a b c"]),
        ("<think>never ends " * 3, []),
        ('Sure!\n```json\n{"prompts": ["a b c"]}\n```\nHope it helps.', ["a b c"]),
        ('{"prompts": [{"prompt": "a b c"}, {"prompt": "d e \\"f\\""}, {"prompt": "cut o', ["a b c", 'd e "f"']),
        ('["a b c", "d e f", "cut o', ["a b c", "d e f"]),
        ('Here are 2 prompts:\n1. a b c\n2) **Prompt:** "d e f"\n- g h i\n', ["a b c", "d e f", "g h i"]),
        ("{'prompts': oops}\na b c", ["a b c"]),
        ("", []),
        ("`{", []),
        ("null", []),
    ],
)
def test_prompts_are_found_in_whatever_was_answered(answer: str, wanted: list[str]) -> None:
    assert prompts_in(answer) == wanted


@given(st.text(alphabet='{}[]":,\\ \n`<think>/abc1.-', max_size=60))
def test_no_answer_can_break_the_reading_of_it(answer: str) -> None:
    for said in prompts_in(answer):
        kept = VariationFilter(WISH).sift(said)
        if not isinstance(kept, Dropped):
            assert kept.split().count("jx265") == 1
            assert take_apart(kept, 10).remarks == ()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("portrait of SUBJECT, on a pier at dawn", "portrait of jx265 man, on a pier at dawn"),
        ("on a pier at dawn, linen shirt", "photo of jx265 man, on a pier at dawn, linen shirt"),
        ("jx265 man on a pier, JX265 man in linen", "jx265 man on a pier, in linen"),
        ("SUBJECT man on a pier, the subject's linen shirt", "jx265 man on a pier, linen shirt"),
        ('"SUBJECT on a {wooden|iron} pier <lora:x:1>."', "jx265 man on a wooden iron pier"),
        ("SUBJECT on a pier, (dawn, linen shirt", "jx265 man on a pier, dawn, linen shirt"),
        ("SUBJECT on a pier AND a beach, (fog:1.2)", "jx265 man on a pier and a beach, (fog:1.2)"),
        ("SUBJECT on a pier\nat dawn", "jx265 man on a pier at dawn"),
    ],
)
def test_a_prompt_is_mended(said: str, wanted: str) -> None:
    assert VariationFilter(WISH).sift(said) == wanted


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("SUBJECT with blue eyes on a pier", "about the person's looks (blue eyes)"),
        ("a young SUBJECT on a pier", "about the person's looks (young)"),
        ("SUBJECT and his wife on a pier", "other people (wife)"),
        ("SUBJECT on a pier, no clouds", "says no (no)"),
        ("The person in the costume (second variation), SUBJECT", "talks about the task (The person)"),
        ("SUBJECT on", "too short"),
        ("portrait of SUBJECT, studio light, navy suit", "a copy"),
        ("portrait of SUBJECT, on the moon, silver spacesuit", "a copy"),
        ("portrait of SUBJECT, silver spacesuit on the moon", "a copy"),
    ],
)
def test_a_prompt_that_will_not_do_is_dropped_and_it_is_said_why(said: str, why: str) -> None:
    wish = replace(WISH, stored=("portrait of jx265 man, on the moon, silver spacesuit",))
    dropped = VariationFilter(wish).sift(said)
    assert isinstance(dropped, Dropped)
    assert (
        dropped.why.startswith(why.partition(" (")[0] if why == "a copy" else why)
        or dropped.why == "too similar to another"
    )


def test_what_the_user_wrote_is_not_banned_and_what_is_locked_is_put_back() -> None:
    wish = replace(WISH, parent="portrait of jx265 man, beard, navy suit", locked=("navy suit",))
    assert VariationFilter(wish).sift("SUBJECT with beard on a pier") == "jx265 man with beard on a pier, navy suit"


def test_a_change_that_is_too_large_for_a_small_one_is_dropped() -> None:
    dropped = VariationFilter(replace(WISH, size=Size.SMALL)).sift(
        "SUBJECT riding a horse through a desert storm at noon"
    )
    assert isinstance(dropped, Dropped)
    assert dropped.why.startswith("too large a change")


def test_good_answers_become_variations_and_the_person_is_never_told() -> None:
    with answering(prompts(*GOOD)) as asked:
        told: list[Progress] = []
        outcome = vary_by_model(ModelServer(asked.url), "tiny", WISH, told.append)
    assert engines(outcome) == ["llm"] * 4
    assert all(each.text.split().count("jx265") == 1 and each.distance > 0.2 for each in outcome.variations)
    (question,) = asked.questions
    assert "jx265" not in json.dumps(question)
    assert SUBJECT in question["messages"][1]["content"]
    assert question["response_format"]["type"] == "json_schema"
    assert question["seed"] == 1
    assert [each.variation for each in told if each.variation] == outcome.variations
    assert "".join(each.text for each in told) == prompts(*GOOD).text


def test_examples_are_shown_and_what_was_accepted_is_not_to_be_repeated() -> None:
    wish = replace(WISH, examples=("photo of {trigger} {class} in rain",), count=6)
    with answering(prompts(*GOOD[:3]), prompts(*GOOD)) as asked:
        outcome = vary_by_model(ModelServer(asked.url), "tiny", wish)
    assert engines(outcome) == ["llm"] * 6
    first, second = (question["messages"][1]["content"] for question in asked.questions)
    assert "photo of SUBJECT in rain" in first
    assert GOOD[0] not in first
    assert GOOD[0] in second


@pytest.mark.parametrize("streamed", [True, False])
def test_a_server_that_knows_no_schema_is_asked_more_simply(streamed: bool) -> None:
    def picky(question: dict[str, Any]) -> Said:
        if question.get("response_format", {"type": None})["type"]:
            return Said(status=400, body='{"error": {"message": "response_format is not supported"}}')
        return Said("\n".join(f"{number}. {text}" for number, text in enumerate(GOOD)), streamed=streamed)

    outcome = varied(picky)
    assert engines(outcome) == ["llm"] * 4
    assert [note.split()[-1] for note in outcome.notes] == ["json_schema", "json_object"]


def test_busy_and_broken_servers_are_asked_again() -> None:
    busy = Said(status=429, body='{"error": "slow down"}', headers={"Retry-After": "0.05"})
    outcome = varied(busy, Said(status=500, body="<html>oops</html>", headers={"Retry-After": "0"}), prompts(*GOOD))
    assert engines(outcome) == ["llm"] * 4
    assert outcome.questions == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_stays_busy_leaves_the_rest_to_the_grammar(status: int) -> None:
    outcome = varied(prompts(GOOD[0]), Said(status=status, body="x", headers={"Retry-After": "0"}))
    assert engines(outcome) == ["llm", "grammar", "grammar", "grammar"]
    assert f"answered {status}" in outcome.notes[-1]
    assert len({each.text for each in outcome.variations}) == 4


def test_of_an_answer_that_breaks_off_what_was_whole_is_kept() -> None:
    text = prompts(*GOOD).text
    outcome = varied(replace(prompts(*GOOD), drop_after=text.index(GOOD[3])), Said(""))
    assert engines(outcome) == ["llm", "llm", "llm", "grammar"]


def test_a_model_that_only_talks_nonsense_is_not_asked_for_ever() -> None:
    outcome = varied(Said("`{ I can't do that, sorry."))
    assert engines(outcome) == ["grammar"] * 4
    assert outcome.questions == 3
    same = varied(prompts(GOOD[0], GOOD[0], "SUBJECT and friends at a bar"))
    assert engines(same) == ["llm", "grammar", "grammar", "grammar"]
    assert "dropped: " in same.summary()
    assert {each.why.partition(" (")[0] for each in same.dropped} == {"a copy", "other people"}


def test_a_silent_server_is_given_up_in_time() -> None:
    outcome = varied(Said("x", wait=threading.Event()), silent_seconds=0.1)
    assert engines(outcome) == ["grammar"] * 4
    assert "said nothing for 0.1 s" in outcome.notes[-1]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Said(status=401, body='{"error": {"message": "bad key"}}'), f"set {KEY_VARIABLE} to its key"),
        (Said(status=404, body='{"error": {"message": "model tiny not found"}}'), "check the model's name"),
    ],
)
def test_what_only_the_user_can_mend_is_told(answer: Said, says: str) -> None:
    with pytest.raises(Refused) as caught:
        varied(answer)
    assert says in caught.value.one_line()
    assert "answered 40" in caught.value.what


def test_nothing_at_the_address_is_told() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(PromptError, match="nothing answers at"):
            vary_by_model(ModelServer(url), "tiny", WISH)
    for wrong in ("", "127.0.0.1:11434", "ftp://x", "http://", "http://x:99999"):
        with pytest.raises(PromptError, match="is not a server address"):
            ModelServer(wrong)


def test_a_question_can_be_taken_back_while_the_server_is_silent() -> None:
    with answering(Said("x", wait=threading.Event())) as asked:
        server = ModelServer(asked.url)
        ended: list[BaseException] = []

        def ask() -> None:
            try:
                vary_by_model(server, "tiny", WISH)
            except Cancelled as error:
                ended.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        while not asked.questions:
            thread.join(0.005)
        server.cancel()
        thread.join(5)
        assert len(ended) == 1
        with pytest.raises(Cancelled):
            server.models()


def test_models_are_listed_and_the_key_goes_only_where_it_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(prompts(*GOOD), models=("llama3.1", "qwen3")) as asked:
        assert ModelServer(asked.url.removesuffix("/v1")).models() == ["llama3.1", "qwen3"]
        vary_by_model(ModelServer(asked.url, key="opensesame"), "tiny", WISH)
        assert asked.headers[0]["Authorization"] == "Bearer opensesame"
    with pytest.raises(PromptError, match="in the clear"):
        ModelServer("http://models.example.com/v1", key="opensesame")
    ModelServer("https://models.example.com/v1", key="opensesame")
    monkeypatch.setenv(KEY_VARIABLE, "opensesame")
    assert find_key("https://models.example.com/v1") == "opensesame"
    monkeypatch.delenv(KEY_VARIABLE)
    assert find_key("https://models.example.com/v1") is None


def test_a_prompt_without_the_person_gets_them_once() -> None:
    outcome = varied(prompts("sitting in a library, warm lamps"), wish=replace(WISH, parent="studio light, navy suit"))
    assert [each.text.split().count("jx265") for each in outcome.variations] == [1, 1, 1, 1]


def test_many_mixed_variations_are_valid_distinct_and_name_the_person_once() -> None:
    chance = random.Random(4)

    def talkative(_question: dict[str, Any]) -> Said:
        drawn = [", ".join(chance.choice(AXES[axis]) for axis in chance.sample(NAMES, 4)) for _ in range(10)]
        noise = ("", "SUBJECT, ", "a young SUBJECT, ", "portrait of SUBJECT and SUBJECT, ", "(", "jx265 man, ")
        return prompts(*(chance.choice(noise) + text for text in drawn))

    wish = replace(WISH, parent="photo of jx265 man", count=150, axes=NAMES)
    outcome = varied(talkative, wish=wish)
    texts = [each.text for each in outcome.variations]
    assert len(texts) == 150
    assert engines(outcome).count("llm") > 12
    texts += variations("photo of jx265 man, {2$$__place__|__light__|__clothes__}, {3::smiling|laughing|}", 350, 1)
    texts += [each.text for each in vary(WISH.parent, 350, 2, NAMES, known=texts)]
    assert len(set(texts)) >= 800
    for text in set(texts):
        assert text.split().count("jx265") == 1
        assert take_apart(text, 30).remarks == ()
