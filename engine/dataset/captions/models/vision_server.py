"""Asking a vision model on a server what a picture shows: OpenAI's chat completions with the picture as a data URL.

The request's form: https://platform.openai.com/docs/guides/images-vision. Ollama, vLLM, llama.cpp and LM Studio take
it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from engine.dataset.captions.captioner import CaptionModel, NoCaption, ProseCaptions
from engine.dataset.captions.models.server_address import server_address
from engine.dataset.captions.models.vision_answer import answer_of as answer_of
from engine.dataset.captions.models.vision_answer import is_refusal, only_thoughts
from engine.errors import DatasetError
from engine.llm.forms import Form
from engine.llm.server import Declined, ModelServer, Refused, project_server, wait_before
from engine.settings import PersonSettings, Settings

SIDE = 768
"""Pixels of the longer side that is sent: what these models see at most, more or less."""

TRIES = 4
"""How often a server that is busy is asked."""


ASKED = 2
"""How often a model is asked about a picture that it says no to."""

SHOWN = 80
"""Letters of an answer without a caption that are told."""

UNKNOWN_FORM = (400, 415, 422, 501)
"""What servers answer that don't know a form of answers."""

_SCHEMA = {
    "type": "object",
    "properties": {"caption": {"type": "string"}},
    "required": ["caption"],
    "additionalProperties": False,
}


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
        self._form = Form.SCHEMA

    def describe(self, image: Image.Image) -> str:
        """What an upright RGB picture shows.

        Raises:
            Refused: the server said no, or nothing, and did so again.
            NoCaption: the model refused, or talked about anything but the picture, and did so again.
            DatasetError: the model said nothing.
        """
        said = ""
        for _ in range(ASKED):
            said = self._ask(image)
            if not said.strip():
                raise DatasetError(f"{self.model} returned no caption", "is it a vision model?")
            caption = answer_of(said)
            if caption and not only_thoughts(said):
                return caption
            if only_thoughts(said):
                raise DatasetError(f"{self.model} returned no caption", "is it a vision model?")
        first = " ".join(said.split())[:SHOWN]
        raise NoCaption(f"{self.model} {'refused' if is_refusal(said) else 'wrote no caption'}: {first}")

    def _ask(self, image: Image.Image) -> str:
        """The answer, in the form that the server knows."""
        tries = 0
        while True:
            request = request_of(image, self.model, self._person.class_word, self._form)
            try:
                return self._server.answer(request)
            except Declined as declined:
                return declined.said
            except Refused as refusal:
                if refusal.status in UNKNOWN_FORM and self._form.simpler is not None:
                    self._form = self._form.simpler
                    continue
                if not refusal.passing or tries == TRIES - 1 or self._should_stop():
                    raise
                wait_before(refusal, tries, self._should_stop)
                tries += 1


def request_of(image: Image.Image, model: str, class_word: str, form: Form = Form.LINES) -> dict[str, Any]:
    """The body of a chat completion that asks for one picture's caption.

    Args:
        image: the picture.
        model: the model's name.
        class_word: what the person is.
        form: how the answer's form is asked for.
    """
    shape = "the caption alone" if form is Form.LINES else '{"caption": "…"}'
    rules = [
        f"You write captions that an image model learns one {class_word} from.",
        "Answer with one line of short phrases between commas, at most 40 words: what the person does, expression,",
        "clothes, the place, the light, the point of view, other things in the picture.",
        "Never describe the face, eyes, hair colour, skin, age, sex or build. Never guess a name.",
        f"Answer with {shape}: no greeting, no explanation.",
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
        **form.asked("caption", _SCHEMA),
    }


def data_url(image: Image.Image) -> str:
    """A picture as a JPEG in a ``data:`` URL, no larger than a model looks at."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    coded = BytesIO()
    small.save(coded, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(coded.getvalue()).decode("ascii")


def load(settings: Settings, project: Path, should_stop: Callable[[], bool]) -> CaptionModel:
    """The captioner's model, as the registry asks for it."""
    server = project_server(project, server_address(settings), settings.language_model.silent_seconds)
    return ProseCaptions(VisionModel(server, settings.captions.model, settings.person, should_stop).describe, settings)
