"""What a language model is asked: the words, the examples, the form of the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.llm.forms import Form as Form
from engine.prompts.axis_variation import Size
from engine.settings import PersonSettings

SUBJECT = "SUBJECT"
"""What stands for the person: models change, repeat or explain a made-up word, but leave a placeholder alone."""

MOST_AT_ONCE = 10
"""Small models lose count beyond this."""

WORDS = 45
"""SDXL's text encoders read about so many words at once."""


_CHANGES = {
    Size.SMALL: "Change one thing only and keep every other word as it is.",
    Size.MEDIUM: "Change two things and keep the rest as it is.",
    Size.BOLD: "Change everything that may vary, so that each is another picture.",
}

_SCHEMA = {
    "type": "object",
    "properties": {
        "prompts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"prompt": {"type": "string"}},
                "required": ["prompt"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["prompts"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class VariationRequest:
    """What is wanted of a language model."""

    parent: str
    """The prompt, with the person's words in it."""
    person: PersonSettings
    count: int
    seed: int
    axes: tuple[str, ...]
    size: Size = Size.MEDIUM
    locked: tuple[str, ...] = ()
    """Parts of the prompt that stay."""
    examples: tuple[str, ...] = ()
    """The user's best-rated prompts."""
    stored: tuple[str, ...] = ()
    """Prompts that must not come again."""


def hidden(text: str, person: PersonSettings) -> str:
    """A prompt with the person's words, and slots, hidden behind the placeholder."""
    text = text.replace("{trigger}", person.trigger).replace("{class}", person.class_word)
    words = rf"(?<!\w){re.escape(person.trigger)}(?!\w)(?:\s+{re.escape(person.class_word)}\b)?"
    return re.sub(words, SUBJECT, text, flags=re.IGNORECASE)


def request_of(
    wish: VariationRequest, model: str, form: Form, count: int, accepted: Sequence[str], number: int
) -> dict[str, Any]:
    """The body of a chat completion.

    Args:
        wish: what is wanted.
        model: the model's name.
        form: how the answer's form is asked for.
        count: how many are asked for now.
        accepted: what was accepted already, not to be repeated.
        number: which question this is, for the seed.
    """
    shape = '{"prompts": [{"prompt": "…"}]}' if form is not Form.LINES else "one prompt a line, nothing else"
    rules = [
        "You write prompts for an image model that paints photographs and paintings of one person.",
        f"The person is always written {SUBJECT}, exactly once a prompt.",
        "Never describe the person's face, hair, eyes, skin, age or sex.",
        "Nobody else is on the picture. Say what is there, never what is not.",
        f"Each prompt is one line of short phrases between commas, at most {WORDS} words.",
        f"Answer with {shape}.",
    ]
    asked = [f"Write {count} variations of this prompt:", hidden(wish.parent, wish.person), "", _CHANGES[wish.size]]
    if wish.axes:
        asked.append(f"What may vary: {', '.join(wish.axes)}.")
    if wish.locked:
        asked.append(f"Keep these parts word for word: {'; '.join(hidden(each, wish.person) for each in wish.locked)}.")
    if wish.examples:
        asked += ["", "Prompts that were liked:", *(f"- {hidden(each, wish.person)}" for each in wish.examples)]
    if accepted:
        asked += ["", "There are these already, write others:"]
        asked += [f"- {hidden(each, wish.person)}" for each in accepted[-2 * MOST_AT_ONCE :]]
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "\n".join(rules)},
            {"role": "user", "content": "\n".join(asked)},
        ],
        "temperature": 0.9,
        "seed": (wish.seed + number) % 2**31,
        "max_tokens": 120 * count + 2000,
    }
    return body | form.asked("prompts", _SCHEMA)
