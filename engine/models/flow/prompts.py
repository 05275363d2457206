"""Prompts as chat messages that Qwen3 reads, in what families have in common. Needs no torch of its own.

Qwen3 knows no weights: ``(word:1.2)`` is read as ``word``, and BREAK as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.models.flow.chat import MOST_TOKENS
from engine.models.loaded import WeightedText


@dataclass(frozen=True)
class ChatText:
    """How a family's captions become tokens.

    Args:
        tokenizer: a model's.
        thinking: ``enable_thinking`` of its chat template.
    """

    tokenizer: Any
    thinking: bool

    @property
    def most(self) -> int:
        """Tokens that a text is cut to: 512, or fewer where the tokenizer was made for fewer."""
        return int(min(MOST_TOKENS, self.tokenizer.model_max_length))

    def message(self, text: str) -> str:
        """A text as the chat message that is read."""
        message = [{"role": "user", "content": text}]
        found: str = self.tokenizer.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True, enable_thinking=self.thinking
        )
        return found

    def numbers(self, text: str, *, fill: bool) -> list[int]:
        """Its tokens, cut to as many as are seen.

        Args:
            text: a caption.
            fill: whether empty tokens fill it up to as many.
        """
        padding = "max_length" if fill else False
        found: list[int] = self.tokenizer(
            self.message(text), padding=padding, truncation=True, max_length=self.most
        ).input_ids
        return found

    def too_long(self, text: str) -> bool:
        """Whether it has more tokens than are seen."""
        return len(self.tokenizer(self.message(text)).input_ids) > self.most


def plain(pieces: Sequence[WeightedText]) -> str:
    """A prompt without its weights."""
    return "".join(" " if piece.is_break else piece.text for piece in pieces)
