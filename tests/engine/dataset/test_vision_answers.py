"""A vision model's caption is taken out of whatever it wraps around it; what is no caption never becomes one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.dataset.captions.job import write_captions
from engine.dataset.captions.models.vision_answer import answer_of, is_refusal
from engine.dataset.files.layout import DatasetFolder
from engine.errors import DatasetError
from engine.project import Project
from tests.support.model_server import Said, answering

CAPTION = "smiling, wearing a navy suit, standing at a window, soft daylight"

WRAPPED = {
    "plain": CAPTION,
    "sentence end": f"{CAPTION}.",
    "quotes": f'"{CAPTION}"',
    "json": json.dumps({"caption": CAPTION}),
    "other key": json.dumps({"description": CAPTION, "confidence": 0.9}),
    "json in a fence": f"```json\n{json.dumps({'caption': CAPTION}, indent=2)}\n```",
    "json after words": f"Sure! Here is the JSON:\n{json.dumps({'caption': CAPTION})}\nLet me know if you need more.",
    "json list": json.dumps({"caption": CAPTION.split(", ")}),
    "json of tags": json.dumps(CAPTION.split(", ")),
    "json by part": json.dumps({"expression": "smiling", "rest": CAPTION.split(", ")[1:]}),
    "json cut off": json.dumps({"caption": f"{CAPTION}, a plant on the win"})[:-2],
    "fence": f"```\n{CAPTION}\n```",
    "bold label": f"**Caption:** {CAPTION}",
    "here is": f"Here is a caption for the picture:\n\n{CAPTION}",
    "here's": f"Here’s the one-line caption you asked for: {CAPTION}",
    "sure, here is": f"Sure, here is the caption: {CAPTION}",
    "sure": f"Sure! {CAPTION}",
    "certainly": f"Certainly! Here's a caption based on the image:\n\n**{CAPTION}**\n\nI hope this helps!",
    "offer": f"{CAPTION}. Let me know if you'd like me to change anything!",
    "offers": f"{CAPTION}\n\nIf you need a longer caption, feel free to ask. Would you like that?",
    "note": f"{CAPTION}\n\nNote: I left out the person's features as requested.",
    "bullets": "\n".join(f"- {part}" for part in CAPTION.split(", ")),
    "numbers": "\n".join(f"{n}. {part}" for n, part in enumerate(CAPTION.split(", "), 1)),
    "thoughts": f"<think>The user wants a caption. I'm sorry?</think>\n{CAPTION}",
    "thoughts without a beginning": f"Okay, I must not name anybody.</think>{CAPTION}",
    "harmony": "<|channel|>analysis<|message|>I can't name him.<|end|><|start|>assistant"
    f"<|channel|>final<|message|>{CAPTION}<|return|>",
    "turn tokens": f"{CAPTION}<end_of_turn>",
    "end token": f"{CAPTION}<|im_end|>",
    "doubt, then the caption": f"I can't identify the person, but I can describe the picture: {CAPTION}",
    "doubt, then sentences": f"I'm sorry, I can't identify people in pictures. {CAPTION}.",
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_caption_is_taken_out_of_what_is_around_it(name: str) -> None:
    assert answer_of(WRAPPED[name]) == CAPTION


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I can’t assist with that request.",
    "I am sorry, but I cannot identify or describe people in images.",
    "Sorry, I can't do that.",
    "I cannot assist with this request as it involves a real person. If you have another picture, let me know!",
    "I'm unable to provide captions of real people. However, I can describe the clothes if you like.",
    "I'm not able to identify people in photographs.",
    "As an AI language model, I cannot see images.",
    "Unfortunately, I can't view this image.",
    "I don't see an image attached. Please provide one.",
    "I won't describe this person.",
    "I must decline to answer.",
    "My apologies, but this is against my guidelines.",
    "This request violates our content policy.",
    "Unable to process the image.",
    json.dumps({"refusal": "I can't help with that."}),
    json.dumps({"caption": "I'm sorry, but I can't describe this person."}),
    json.dumps({"caption": "", "reason": "a real person"}),
    json.dumps({"error": "no"}),
    "<|channel|>analysis<|message|>A man in a suit.<|end|><|channel|>final<|message|>I'm sorry, I can't.<|return|>",
    "Es tut mir leid, dabei kann ich nicht helfen.",
    "Lo siento, no puedo ayudar con eso.",
    "Je suis désolé, je ne peux pas décrire cette personne.",
    "抱歉，我无法识别图片中的人物。",
]


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refusal_is_no_caption(said: str) -> None:
    assert answer_of(said) == ""
    assert is_refusal(said)


@pytest.mark.parametrize("said", ["Sure!", "Here is the caption:", "Let me know if you need anything else.", "{}", "{"])
def test_talk_without_a_caption_is_none_either(said: str) -> None:
    assert answer_of(said) == ""


@pytest.mark.parametrize(
    "caption",
    [
        "holding a sign that says I can't, sorry look",
        "sure-footed on a rope, okay gesture",
        "looking sorry, hands folded",
        "a note on the wall: let me know",
        "here and there a tree, unable to stand still",
        "1980s kitchen, 2 cups on a table",
    ],
)
def test_words_of_refusals_inside_a_caption_are_left_alone(caption: str) -> None:
    assert answer_of(caption) == caption
    assert not is_refusal(caption)


@given(st.text(max_size=200))
def test_no_answer_upsets_the_reading(said: str) -> None:
    found = answer_of(said)
    assert "\n" not in found
    assert "<|" not in found or "<|" in said
    is_refusal(said)


def captions(project: Project) -> list[str]:
    return [image.caption for image in DatasetFolder(project).images()]


def test_refused_pictures_keep_their_captions_and_are_counted(built: Project) -> None:
    def answer(question: dict[str, object]) -> Said:
        answer.asked += 1  # type: ignore[attr-defined]
        turn = answer.asked  # type: ignore[attr-defined]
        return Said(REFUSALS[0] if turn in (2, 3) else json.dumps({"caption": "smiling, in a garden"}))

    answer.asked = 0  # type: ignore[attr-defined]
    told: list[events.Event] = []
    with answering(answer) as asked:
        built.change({"captions.url": asked.url})
        report = write_captions(built, "server", tell=told.append)
    assert (report.written, report.refused) == (["0001.png", "0003.png"], ["0002.png"])
    assert captions(built) == [
        "jx265, man, close-up, smiling, in a garden",
        "jx265, man, close-up",
        "jx265, man, close-up, smiling, in a garden",
    ]
    said = [each.message for each in told if isinstance(each, events.Warning)]
    assert said == [
        "0002.png keeps its caption: tiny refused: I'm sorry, but I can't help with that.",
        "no caption for 1 of 3 pictures: the old caption stays",
    ]
    assert len(asked.questions) == 4, "a model that refuses is asked once more"


def test_a_server_is_asked_for_a_form_that_it_knows(built: Project) -> None:
    def answer(question: dict[str, dict[str, str]]) -> Said:
        kind = question.get("response_format", {}).get("type")
        return Said(status=400, body="unknown") if kind == "json_schema" else Said(json.dumps({"caption": "smiling"}))

    with answering(answer) as asked:
        built.change({"captions.url": asked.url})
        write_captions(built, "server")
    kinds = [question.get("response_format", {}).get("type") for question in asked.questions]
    assert kinds == ["json_schema", "json_object", "json_object", "json_object"], "what it does not know is asked once"
    assert captions(built) == ["jx265, man, close-up, smiling"] * 3


@pytest.mark.parametrize("streamed", [True, False])
def test_a_refusal_in_its_own_field_is_understood(built: Project, streamed: bool) -> None:
    if streamed:
        record = {"choices": [{"delta": {"refusal": "I can't help."}}]}
        body = f"data: {json.dumps(record)}\n\ndata: [DONE]\n\n"
    else:
        body = json.dumps({"choices": [{"message": {"content": None, "refusal": "I can't help."}}]})
    with answering(Said(body=body, streamed=False)) as asked:
        built.change({"captions.url": asked.url})
        report = write_captions(built, "server", images=["0001.png"])
    assert report.refused == ["0001.png"]


def test_a_model_that_only_thinks_is_told(built: Project) -> None:
    with answering(Said("<think>hm, a man")) as asked:
        built.change({"captions.url": asked.url})
        with pytest.raises(DatasetError, match="returned no caption"):
            write_captions(built, "server")
