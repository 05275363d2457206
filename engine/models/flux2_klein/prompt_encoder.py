"""Prompts as FLUX.2 klein's transformer sees them: Qwen3's hidden states of a chat message. Needs torch.

Three layers' hidden states side by side, of 512 tokens whatever the prompt's length; there is no mask, so the empty
tokens count, too. To the bit as diffusers' ``Flux2KleinPipeline.encode_prompt`` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from engine.models.flow.prompts import plain
from engine.models.loaded import Embeds, WeightedText

EMBEDS = "prompt_embeds"
"""[n, tokens, 3 × width of the text encoder]"""


class KleinTextLayout:
    """How ``Flux2KleinPipeline`` takes texts."""

    def length(self, text: Embeds) -> int:
        """Tokens that the transformer sees."""
        return int(text[EMBEDS].shape[1])

    def begin(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor | None]:
        """As the pipeline takes them."""
        return {EMBEDS: prompts[EMBEDS], f"negative_{EMBEDS}": negatives[EMBEDS] if negatives else None}

    def at_step(self, prompts: Embeds, _negatives: Embeds | None) -> dict[str, torch.Tensor]:
        """As its loop holds them; the negative prompt stays what it was."""
        return {EMBEDS: prompts[EMBEDS]}


class KleinPromptEncoder:
    """The text encoder of a pipeline.

    Args:
        pipeline: a diffusers ``Flux2KleinPipeline`` with its text encoder.
        most: tokens that a text is cut or filled up to.
        device: where it is.
    """

    layout = KleinTextLayout()

    def __init__(self, pipeline: Any, most: int, device: str) -> None:
        self._pipeline, self._most, self._device = pipeline, most, device

    def encode(self, texts: Mapping[str, Sequence[WeightedText]]) -> dict[str, Embeds]:
        """Texts, each by itself: what Qwen3 makes of one must not depend on the others to the last bit."""
        return {text: self.encode_plain(plain(pieces)) for text, pieces in texts.items()}

    def encode_plain(self, text: str) -> Embeds:
        """One text [1, …], as it is."""
        embeds, _ = self._pipeline.encode_prompt(
            prompt=text,
            device=self._device,
            max_sequence_length=self._most,
            text_encoder_out_layers=layers_of(self._pipeline.text_encoder),
        )
        return {EMBEDS: embeds}

    def empty(self, _like: Embeds) -> Embeds | None:
        """None: klein sees the empty text, encoded."""
        return None


def layers_of(text_encoder: Any) -> tuple[int, int, int]:
    """Whose hidden states are seen: 9, 18 and 27 of the published model's 36 layers; the same shares of another's."""
    layers = int(text_encoder.config.num_hidden_layers)
    return layers // 4, layers // 2, 3 * layers // 4
