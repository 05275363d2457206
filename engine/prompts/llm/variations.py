"""As many variations as were asked for: by a language model as far as it goes, by the grammar for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from engine.llm.server import ModelServer, Refused, wait_before
from engine.prompts.axes import DEFAULT_AXES, options
from engine.prompts.axis_variation import Variation
from engine.prompts.axis_variation import vary as vary_along
from engine.prompts.grammar import distance, tidy
from engine.prompts.llm.answers import prompts_in
from engine.prompts.llm.filtering import Dropped, VariationFilter, counted
from engine.prompts.llm.request import MOST_AT_ONCE, SUBJECT, Form, VariationRequest, hidden, request_of

ENGINE = "llm"

MOST_IN_VAIN = 3
"""How many questions in a row may bring hardly anything new."""

MOST_TRIES = 3
"""How often a server that is busy or broken is asked again."""


@dataclass
class Outcome:
    """What came of it."""

    variations: list[Variation] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What went otherwise than wished."""
    questions: int = 0

    def summary(self) -> str:
        """``12 by llama3.1, 2 by the grammar; 3 dropped: 2 alike another, 1 too short``."""
        by_model = sum(each.engine == ENGINE for each in self.variations)
        said = f"{by_model} by the model"
        if by_model < len(self.variations):
            said += f", {len(self.variations) - by_model} by the grammar"
        if self.dropped:
            said += f"; {len(self.dropped)} dropped: "
            said += ", ".join(f"{count} {why}" for why, count in counted(self.dropped))
        return said


@dataclass(frozen=True)
class Progress:
    """Where it stands, while it goes on."""

    accepted: int
    text: str = ""
    """The newest letters that the model wrote."""
    variation: Variation | None = None
    """One that was just accepted."""


def vary_by_model(
    server: ModelServer, model: str, wish: VariationRequest, tell: Callable[[Progress], None] = lambda _progress: None
) -> Outcome:
    """Asks a model for variations until there are enough, or it has no more to say; the grammar adds what is missing.

    Raises:
        PromptError: nothing answers there, the key or the model is wrong, or there is no such axis.
        Cancelled: the server was told to cancel.
    """
    wish = _with_person(wish)
    for axis in wish.axes:
        options(axis)
    outcome = Outcome()
    asker = _Asker(server, model, wish, outcome)
    sieve = VariationFilter(wish)
    in_vain = 0
    while len(outcome.variations) < wish.count and in_vain < MOST_IN_VAIN:
        answer = asker.ask(tell)
        if answer is None:
            break
        if not answer.strip():
            outcome.notes.append(f"{server.place} answered with nothing")
        before = len(outcome.variations)
        for said in prompts_in(answer):
            if len(outcome.variations) == wish.count:
                break
            kept = sieve.sift(said)
            if isinstance(kept, Dropped):
                outcome.dropped.append(kept)
                continue
            outcome.variations.append(Variation(kept, distance(wish.parent, kept), ENGINE))
            tell(Progress(len(outcome.variations), variation=outcome.variations[-1]))
        in_vain = in_vain + 1 if len(outcome.variations) == before else 0
    missing = wish.count - len(outcome.variations)
    if missing > 0:
        known = [*wish.stored, *(each.text for each in outcome.variations)]
        outcome.variations += vary_along(
            wish.parent, missing, wish.seed, wish.axes or DEFAULT_AXES, wish.size, wish.locked, known
        )
    return outcome


def made_by(model: str, wish: VariationRequest, server: ModelServer) -> dict[str, Any]:
    """Where variations came from, as the shelf keeps it."""
    return {
        "engine": ENGINE,
        "model": model,
        "server": server.place,
        "seed": wish.seed,
        "axes": list(wish.axes),
        "size": wish.size.value,
        "locked": list(wish.locked),
        "examples": len(wish.examples),
    }


def _with_person(wish: VariationRequest) -> VariationRequest:
    """The wish with the person in its prompt."""
    if SUBJECT in hidden(wish.parent, wish.person):
        return wish
    person = wish.person
    return replace(wish, parent=tidy(f"photo of {person.trigger} {person.class_word}, {wish.parent}"))


class _Asker:
    """Asks one question after the other, simpler where the server does not understand."""

    def __init__(self, server: ModelServer, model: str, wish: VariationRequest, outcome: Outcome) -> None:
        self._server = server
        self._model = model
        self._wish = wish
        self._outcome = outcome
        self._form: Form = Form.SCHEMA

    def ask(self, tell: Callable[[Progress], None]) -> str | None:
        """An answer; None where there will be none. Raises PromptError for what the user can mend."""
        outcome = self._outcome
        missing = self._wish.count - len(outcome.variations)
        accepted = [each.text for each in outcome.variations]
        tries = 0
        while True:
            count = min(MOST_AT_ONCE, missing + missing // 2 + 1)
            body = request_of(self._wish, self._model, self._form, count, accepted, outcome.questions)
            try:
                outcome.questions += 1
                return self._server.answer(body, lambda text: tell(Progress(len(outcome.variations), text)))
            except Refused as refusal:
                simpler = self._form.simpler
                if refusal.status in (400, 415, 422, 501) and simpler:
                    outcome.notes.append(f"{self._server.place} does not know {self._form.value}")
                    self._form = simpler
                    continue
                if not refusal.passing:
                    raise
                tries += 1
                if tries == MOST_TRIES:
                    outcome.notes.append(refusal.what)
                    return None
                wait_before(refusal, tries, lambda: self._server.cancelled)
