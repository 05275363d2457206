"""Prompts as SDXL's U-Net sees them: any length, weights. Needs torch.

CLIP reads 77 tokens at a time. A longer prompt goes through it in chunks of 75 and the two ends, and the U-Net sees the
chunks side by side. A weight multiplies what CLIP made of a token and nothing is renormalised after it (A1111's "No
norm", which it recommends for SDXL). The pooled vector is the first chunk's. A plain and short prompt is encoded to the
bit as diffusers does it. Source: A1111 ``modules/sd_hijack_clip.py``, Forge ``backend/text_processing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from engine.models.chunks import ROOM, Chunk, in_chunks
from engine.models.loaded import Embeds, WeightedText

EMBEDS, POOLED = "prompt_embeds", "pooled_prompt_embeds"
"""[n, 77 × chunks, widths of both encoders], and [n, width of the second encoder's projection]."""


class SdxlTextLayout:
    """How ``StableDiffusionXLPipeline`` takes texts."""

    def length(self, text: Embeds) -> int:
        """Tokens that the U-Net sees."""
        return int(text[EMBEDS].shape[1])

    def begin(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor | None]:
        """As ``StableDiffusionXLPipeline`` takes them."""
        without = negatives or {}
        return {**prompts, **{f"negative_{name}": without.get(name) for name in (EMBEDS, POOLED)}}

    def at_step(self, prompts: Embeds, negatives: Embeds | None) -> dict[str, torch.Tensor]:
        """As its loop holds them: the negatives above the prompts."""
        both = (*([negatives] if negatives else []), prompts)
        return {
            EMBEDS: torch.cat([each[EMBEDS] for each in both]),
            "add_text_embeds": torch.cat([each[POOLED] for each in both]),
        }


class SdxlPromptEncoder:
    """Both text encoders of a pipeline.

    Args:
        pipeline: a diffusers ``StableDiffusionXLPipeline`` with its text encoders.
        device: where they are.
    """

    layout = SdxlTextLayout()

    def __init__(self, pipeline: Any, device: str) -> None:
        self._pairs = (
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
        )
        self._device = device
        self._zeros_for_empty = bool(pipeline.config.force_zeros_for_empty_prompt)

    def encode(self, texts: Mapping[str, Sequence[WeightedText]]) -> dict[str, Embeds]:
        """Texts, all of them as long as the longest: shorter ones end in empty chunks."""
        chunks = {text: [_chunks(tokenizer, each) for tokenizer, _ in self._pairs] for text, each in texts.items()}
        longest = max(len(each) for both in chunks.values() for each in both)
        found: dict[str, Embeds] = {}
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
            found[text] = {EMBEDS: torch.cat(halves, dim=-1), POOLED: pooled}
        return found

    def empty(self, like: Embeds) -> Embeds | None:
        """Zeros, which SDXL was trained to see where there is no negative prompt."""
        return {name: torch.zeros_like(each) for name, each in like.items()} if self._zeros_for_empty else None

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


def _chunks(tokenizer: Any, pieces: Sequence[WeightedText]) -> list[Chunk[int]]:
    comma = tokenizer(",", add_special_tokens=False).input_ids[-1]
    given = [
        None if piece.is_break else (tokenizer(piece.text, add_special_tokens=False).input_ids, piece.weight)
        for piece in pieces
    ]
    return in_chunks(given, lambda token: token == comma)
