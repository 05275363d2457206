"""Prompts as what the U-Net sees: any length, weights, schedules. Needs torch.

CLIP reads 77 tokens at a time. A longer prompt goes through it in chunks of 75 and the two ends, and the U-Net sees the
chunks side by side. A weight multiplies what CLIP made of a token and nothing is renormalised after it (A1111's "No
norm", which it recommends for SDXL). The pooled vector is the first chunk's. A plain and short prompt is encoded to the
bit as diffusers does it. Source: A1111 ``modules/sd_hijack_clip.py``, Forge ``backend/text_processing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engine.prompts.attention import parse_attention
from engine.prompts.breakdown import refuse_what_cannot_be_painted, take_apart
from engine.prompts.chunks import ROOM, Chunk, in_chunks
from engine.prompts.prompt_editing import Stretch


@dataclass(frozen=True)
class Encoded:
    """A text, encoded."""

    hidden: torch.Tensor
    """(1, 77 × chunks, widths of both encoders)."""
    pooled: torch.Tensor
    """(1, width of the second encoder's projection)."""


class Conditioning:
    """A prompt and its negative, encoded for every step.

    Args:
        prompt: the stretches of the prompt, encoded.
        negative: those of the negative prompt; None without guidance.
    """

    def __init__(self, prompt: list[tuple[int, Encoded]], negative: list[tuple[int, Encoded]] | None) -> None:
        self._prompt = prompt
        self._negative = negative

    @property
    def changes(self) -> bool:
        """Whether some step sees another text than the first."""
        return len(self._prompt) > 1 or len(self._negative or ()) > 1

    @property
    def length(self) -> int:
        """Tokens that the U-Net sees; pictures whose texts differ in it can't be painted together."""
        return int(self._prompt[0][1].hidden.shape[1])

    def at(self, step: int) -> tuple[Encoded, Encoded | None]:
        """The prompt and the negative at a step, counted from 1."""
        return _holding(self._prompt, step), _holding(self._negative, step) if self._negative else None


class Together:
    """The texts of pictures that are painted together, all of one length, as diffusers' pipeline takes them."""

    def __init__(self, texts: Sequence[Conditioning]) -> None:
        self._texts = texts

    @property
    def changes(self) -> bool:
        """Whether some step of some picture sees another text than the first."""
        return any(text.changes for text in self._texts)

    def first(self, step: int = 1) -> dict[str, torch.Tensor | None]:
        """What the pipeline is given to begin with: what a step sees."""
        prompts, negatives = self._at(step)
        return {
            "prompt_embeds": torch.cat([each.hidden for each in prompts]),
            "pooled_prompt_embeds": torch.cat([each.pooled for each in prompts]),
            "negative_prompt_embeds": torch.cat([each.hidden for each in negatives]) if negatives else None,
            "negative_pooled_prompt_embeds": torch.cat([each.pooled for each in negatives]) if negatives else None,
        }

    def at(self, step: int) -> dict[str, torch.Tensor]:
        """What the pipeline's loop holds at a step, counted from 1: the negatives above the prompts."""
        prompts, negatives = self._at(step)
        return {
            "prompt_embeds": torch.cat([each.hidden for each in (*negatives, *prompts)]),
            "add_text_embeds": torch.cat([each.pooled for each in (*negatives, *prompts)]),
        }

    def _at(self, step: int) -> tuple[list[Encoded], list[Encoded]]:
        both = [text.at(step) for text in self._texts]
        return [prompt for prompt, _ in both], [negative for _, negative in both if negative is not None]


class TextEncoding:
    """Both text encoders of a pipeline.

    Args:
        pipeline: a diffusers ``StableDiffusionXLPipeline`` with its text encoders.
        device: where they are.
    """

    def __init__(self, pipeline: Any, device: str) -> None:
        self._pairs = (
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
        )
        self._device = device
        self._zeros_for_empty = bool(pipeline.config.force_zeros_for_empty_prompt)

    def conditioning(self, prompt: str, negative: str, steps: int, *, guided: bool) -> Conditioning:
        """A prompt and its negative for a picture of so many steps.

        Raises:
            PromptError: nothing can be painted from one of them.
        """
        texts = [self._stretches(prompt, steps)]
        if guided:
            texts.append(self._stretches(negative, steps))
        encoded = self._encode({stretch.text for stretches in texts for stretch in stretches})
        found = [[(stretch.until, encoded[stretch.text]) for stretch in stretches] for stretches in texts]
        if not guided:
            return Conditioning(found[0], None)
        if not negative and self._zeros_for_empty:
            # SDXL was trained to see zeros where there is no negative prompt.
            like = found[0][0][1]
            found[1] = [(steps, Encoded(torch.zeros_like(like.hidden), torch.zeros_like(like.pooled)))]
        return Conditioning(found[0], found[1])

    def _stretches(self, prompt: str, steps: int) -> Sequence[Stretch]:
        apart = take_apart(prompt, steps)
        refuse_what_cannot_be_painted(apart)
        return apart.schedule

    def _encode(self, texts: set[str]) -> dict[str, Encoded]:
        """Texts, all of them as long as the longest: shorter ones end in empty chunks."""
        chunks = {text: [_chunks(tokenizer, text) for tokenizer, _ in self._pairs] for text in texts}
        longest = max(len(each) for both in chunks.values() for each in both)
        found: dict[str, Encoded] = {}
        for text, both in chunks.items():
            halves: list[torch.Tensor] = []
            pooled = torch.empty(0)
            for (tokenizer, encoder), each in zip(self._pairs, both, strict=True):
                padded: list[Chunk[int]] = [*each, *(Chunk() for _ in range(longest - len(each)))]
                # One at a time: what CLIP makes of a chunk must not depend on the others to the last bit.
                read = [self._read(tokenizer, encoder, chunk) for chunk in padded]
                halves.append(torch.cat([hidden for hidden, _ in read], dim=1))
                # The second encoder's pooled vector is the one that counts.
                pooled = read[0][1]
            found[text] = Encoded(torch.cat(halves, dim=-1), pooled)
        return found

    def _read(self, tokenizer: Any, encoder: Any, chunk: Chunk[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """A chunk's last hidden state but one, weighted, and its pooled vector."""
        padding = [tokenizer.pad_token_id] * (ROOM - len(chunk.tokens))
        numbers = [tokenizer.bos_token_id, *chunk.tokens, tokenizer.eos_token_id, *padding]
        said = encoder(torch.tensor([numbers], device=self._device), output_hidden_states=True)
        hidden = said.hidden_states[-2]
        if any(weight != 1 for weight in chunk.weights):
            weights = torch.ones(len(numbers), dtype=hidden.dtype, device=hidden.device)
            weights[1 : 1 + len(chunk.weights)] = torch.tensor(chunk.weights, dtype=hidden.dtype)
            hidden = hidden * weights[None, :, None]
        return hidden, said[0]


def _chunks(tokenizer: Any, text: str) -> list[Chunk[int]]:
    comma = tokenizer(",", add_special_tokens=False).input_ids[-1]
    pieces = [
        None if piece.is_break else (tokenizer(piece.text, add_special_tokens=False).input_ids, piece.weight)
        for piece in parse_attention(text)[0]
    ]
    return in_chunks(pieces, lambda token: token == comma)


def _holding(stretches: list[tuple[int, Encoded]], step: int) -> Encoded:
    return next((encoded for until, encoded in stretches if step <= until), stretches[-1][1])
