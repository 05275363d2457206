"""Prompts as what a denoiser sees at each step: syntax, schedules, negatives. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.models.loaded import Embeds, PromptEncoder, TextLayout
from engine.prompts.attention import parse_attention
from engine.prompts.breakdown import refuse_what_cannot_be_painted, take_apart
from engine.prompts.prompt_editing import Stretch

Stretches = list[tuple[int, Embeds]]
"""The last step that sees each text, and the text."""


class Conditioning:
    """A prompt and its negative, encoded for every step.

    Args:
        layout: how they are handed to the family's pipeline.
        prompt: the stretches of the prompt, encoded.
        negative: those of the negative prompt; None without guidance.
    """

    def __init__(self, layout: TextLayout, prompt: Stretches, negative: Stretches | None) -> None:
        self.layout = layout
        self._prompt = prompt
        self._negative = negative

    @property
    def changes(self) -> bool:
        """Whether some step sees another text than the first."""
        return len(self._prompt) > 1 or len(self._negative or ()) > 1

    @property
    def length(self) -> int:
        """Tokens that the denoiser sees; pictures whose texts differ in it can't be painted together."""
        return self.layout.length(self._prompt[0][1])

    def at(self, step: int) -> tuple[Embeds, Embeds | None]:
        """The prompt and the negative at a step, counted from 1."""
        return _holding(self._prompt, step), _holding(self._negative, step) if self._negative else None


class TextBatch:
    """The texts of pictures that are painted together, all of one length, as the family's pipeline takes them."""

    def __init__(self, texts: Sequence[Conditioning]) -> None:
        self._texts = texts
        self._layout = texts[0].layout

    @property
    def changes(self) -> bool:
        """Whether some step of some picture sees another text than the first."""
        return any(text.changes for text in self._texts)

    def first(self, step: int = 1) -> dict[str, torch.Tensor | None]:
        """What the pipeline is given to begin with: what a step sees."""
        return self._layout.begin(*self._at(step))

    def at(self, step: int) -> dict[str, torch.Tensor]:
        """What the pipeline's loop holds at a step, counted from 1."""
        return self._layout.at_step(*self._at(step))

    @property
    def held(self) -> list[str]:
        """The names of what the loop holds, where it has to change; none: nothing has to."""
        return list(self.at(1)) if self.changes else []

    def _at(self, step: int) -> tuple[Embeds, Embeds | None]:
        both = [text.at(step) for text in self._texts]
        negatives = [negative for _, negative in both if negative is not None]
        return _stacked([prompt for prompt, _ in both]), _stacked(negatives) if negatives else None


class TextEncoding:
    """Reads prompts by a base model's text encoders.

    Args:
        encoder: the base model's.
    """

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder

    def conditioning(self, prompt: str, negative: str, steps: int, *, guided: bool) -> Conditioning:
        """A prompt and its negative for a picture of so many steps.

        Raises:
            PromptError: nothing can be painted from one of them.
        """
        texts = [self._stretches(prompt, steps)]
        if guided:
            texts.append(self._stretches(negative, steps))
        every = {stretch.text for stretches in texts for stretch in stretches}
        encoded = self._encoder.encode({text: parse_attention(text)[0] for text in every})
        found = [[(stretch.until, encoded[stretch.text]) for stretch in stretches] for stretches in texts]
        if not guided:
            return Conditioning(self._encoder.layout, found[0], None)
        if not negative and (nothing := self._encoder.empty(found[0][0][1])) is not None:
            found[1] = [(steps, nothing)]
        return Conditioning(self._encoder.layout, found[0], found[1])

    def _stretches(self, prompt: str, steps: int) -> Sequence[Stretch]:
        apart = take_apart(prompt, steps)
        refuse_what_cannot_be_painted(apart)
        return apart.schedule


def _stacked(texts: Sequence[Embeds]) -> Embeds:
    return {name: torch.cat([each[name] for each in texts]) for name in texts[0]}


def _holding(stretches: Stretches, step: int) -> Embeds:
    return next((encoded for until, encoded in stretches if step <= until), stretches[-1][1])
