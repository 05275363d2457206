"""Prompts as Z-Image's transformer sees them: Qwen3's hidden states of a chat message. Needs torch.

Its layer before the last, of the message's own tokens: no empty ones are seen. So texts have different lengths;
together they are filled up with zeros, and a mask says what is text. To the bit as diffusers'
``ZImagePipeline.encode_prompt`` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from engine.models.flow.prompts import plain
from engine.models.loaded import Embeds, WeightedText

EMBEDS = "prompt_embeds"
"""[n, tokens, width of the text encoder]"""

MASK = "prompt_mask"
"""[n, tokens], bool: what is text. The rest of ``EMBEDS`` is zeros."""

NEGATIVE = "negative_"

TOGETHER = 32
"""The transformer fills a text up to a multiple of so many tokens, which it sees (``SEQ_MULTI_OF``)."""


class ZImageTextLayout:
    """How texts are handed to a ``ZImagePainter``."""

    def length(self, text: Embeds) -> int:
        """Tokens that the transformer sees."""
        return -(-int(text[MASK].sum(dim=1).max()) // TOGETHER) * TOGETHER

    def begin(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor | None]:
        """As the painter takes them."""
        return {**self.at_step(prompts, negatives)}

    def at_step(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor]:
        """The same: any of them may change on the way."""
        return {**prompts, **{f"{NEGATIVE}{name}": each for name, each in (negatives or {}).items()}}


class ZImagePromptEncoder:
    """The text encoder of a pipeline.

    Args:
        pipeline: a diffusers ``ZImagePipeline`` with its text encoder.
        most: tokens that a text is cut to.
        device: where it is.
    """

    layout = ZImageTextLayout()

    def __init__(self, pipeline: Any, most: int, device: str) -> None:
        self._pipeline, self._most, self._device = pipeline, most, device

    def encode(self, texts: Mapping[str, Sequence[WeightedText]]) -> dict[str, Embeds]:
        """Texts, each by itself: what Qwen3 makes of one must not depend on the others to the last bit. All are filled
        up to the most that there may be, so that any can be put together."""
        found: dict[str, Embeds] = {}
        for text, pieces in texts.items():
            embeds = self.encode_plain(plain(pieces))
            missing = self._most - len(embeds)
            mask = torch.arange(self._most, device=embeds.device) < len(embeds)
            found[text] = {EMBEDS: pad(embeds, (0, 0, 0, missing))[None], MASK: mask[None]}
        return found

    def encode_plain(self, text: str) -> torch.Tensor:
        """One text [tokens, width], as it is and as long as it is."""
        embeds, _ = self._pipeline.encode_prompt(
            prompt=text,
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._most,
        )
        found: torch.Tensor = embeds[0]
        return found

    def empty(self, _like: Embeds) -> Embeds | None:
        """None: Z-Image sees the empty text, encoded."""
        return None


def apart(embeds: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
    """Texts that were filled up, each [tokens, width] as long as it is.

    Args:
        embeds: [n, tokens, width]
        mask: [n, tokens], whether that is text; what is none comes after it.
    """
    return [each[:length] for each, length in zip(embeds, mask.sum(dim=1).tolist(), strict=True)]
