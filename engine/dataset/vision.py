"""Asking a vision model on a server what a picture shows: OpenAI's chat completions with the picture as a data URL.

The request's form: https://platform.openai.com/docs/guides/images-vision. Ollama, vLLM, llama.cpp and LM Studio take
it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

from engine.errors import DatasetError
from engine.llm.server import ModelServer, Refused, wait_before
from engine.settings import PersonSettings

SIDE = 768
"""Pixels of the longer side that is sent: what these models see at most, more or less."""

TRIES = 4
"""How often a server that is busy is asked."""


class VisionModel:
    """One model on one server.

    Args:
        server: where it is.
        model: its name there; None: the first that the server has.
        person: whose words it is not told, and what it is not to say.
        should_stop: asked while waiting.

    Raises:
        PromptError: the server can't be reached.
        DatasetError: it has no model.
    """

    def __init__(
        self,
        server: ModelServer,
        model: str | None,
        person: PersonSettings,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        names = [model] if model else server.models()
        if not names:
            raise DatasetError(f"{server.place} has no model", "load one there, or set captions.model")
        self.model = names[0]
        self._server = server
        self._person = person
        self._should_stop = should_stop

    def say(self, image: Image.Image) -> str:
        """What an upright RGB picture shows.

        Raises:
            Refused: the server said no, or nothing, and did so again.
            DatasetError: the model said nothing.
        """
        request = request_of(image, self.model, self._person.class_word)
        for tries in range(TRIES):
            try:
                text = answer_of(self._server.answer(request))
            except Refused as refusal:
                if not refusal.passing or tries == TRIES - 1 or self._should_stop():
                    raise
                wait_before(refusal, tries, self._should_stop)
                continue
            if text:
                return text
            break
        raise DatasetError(f"{self.model} said nothing about the picture", "is it a model that sees pictures?")


def request_of(image: Image.Image, model: str, class_word: str) -> dict[str, Any]:
    """The body of a chat completion that asks for one picture's caption."""
    rules = [
        f"You write captions that an image model learns one {class_word} from.",
        "Answer with one line of short phrases between commas, at most 40 words: what the person does, expression,",
        "clothes, the place, the light, the point of view, other things in the picture.",
        "Never describe the face, eyes, hair colour, skin, age, sex or build. Never guess a name.",
    ]
    asked = [
        {"type": "text", "text": "Write the caption of this picture."},
        {"type": "image_url", "image_url": {"url": data_url(image)}},
    ]
    return {
        "model": model,
        "messages": [{"role": "system", "content": "\n".join(rules)}, {"role": "user", "content": asked}],
        "temperature": 0.2,
        "max_tokens": 600,
    }


def data_url(image: Image.Image) -> str:
    """A picture as a JPEG in a ``data:`` URL, no larger than a model looks at."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    coded = BytesIO()
    small.save(coded, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(coded.getvalue()).decode("ascii")


def answer_of(text: str) -> str:
    """The caption in what a model said: without its thoughts, marks around it, and a word before a colon."""
    text = re.sub(r"<think>.*?(</think>|\Z)", "", text, flags=re.DOTALL)
    text = re.sub(r"[`*#]+", "", text)
    text = re.sub(r"^\s*(?:here(?: is|'s)[^:\n]*|caption)\s*:\s*", "", text.strip(), flags=re.IGNORECASE)
    return " ".join(re.sub(r"^\s*[-•]\s*", "", line) for line in text.splitlines()).strip(" \"'.")
