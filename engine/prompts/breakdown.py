"""A prompt taken apart: what A1111, and the painter here, make of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import PromptError
from engine.models.chunks import Chunk
from engine.prompts.attention import Piece, Remark, parse_attention
from engine.prompts.extra_networks import LoraTag, strip
from engine.prompts.prompt_editing import Stretch, parse_schedule
from engine.prompts.tokenizer import Word, Words

_AND = re.compile(r"\bAND\b")


@dataclass(frozen=True)
class Breakdown:
    """What a prompt says."""

    prompt: str
    steps: int
    schedule: tuple[Stretch, ...]
    attention: tuple[Piece, ...]
    """Of the text that the last steps see."""
    loras: tuple[LoraTag, ...]
    remarks: tuple[Remark, ...]
    chunks: tuple[Chunk[Word], ...] = ()
    """Of the stretch with the most tokens; empty where the base model's tokenizer is not at hand."""

    @property
    def tokens(self) -> int | None:
        """Tokens in all chunks; None where there is no tokenizer."""
        return sum(len(chunk.tokens) for chunk in self.chunks) if self.chunks else None

    def record(self) -> dict[str, Any]:
        """As ``limner prompt show --json`` prints it."""
        return {
            "prompt": self.prompt,
            "attention": [[piece.text, round(piece.weight, 6)] for piece in self.attention],
            "steps": self.steps,
            "schedule": [[stretch.until, stretch.text] for stretch in self.schedule],
            "loras": [{"name": each.name, "te": each.te, "unet": each.unet} for each in self.loras],
            "tokens": self.tokens,
            "chunks": [{"tokens": len(each.tokens), "text": chunk_text(each)} for each in self.chunks],
            "warnings": [str(remark) for remark in self.remarks],
        }


def take_apart(
    prompt: str, steps: int, words: Words | None = None, known_loras: Collection[str] | None = None
) -> Breakdown:
    """Reads a prompt as A1111 does. No text is refused.

    Args:
        prompt: the prompt.
        steps: how many steps are painted.
        words: the base model's tokenizer, for chunks.
        known_loras: the names that ``<lora:NAME>`` may give; None: nobody can tell.
    """
    bare = strip(prompt)
    remarks = list(bare.remarks)
    for tag in bare.loras:
        if known_loras is not None and tag.name not in known_loras:
            remarks.append(Remark(tag.at, _unknown(tag.name, known_loras), fatal=True))
    _, odd = parse_attention(bare.text)
    schedule, odd_schedule = parse_schedule(bare.text, steps)
    odd += odd_schedule
    if joint := _AND.search(bare.text):
        odd.append(
            Remark(joint.start(), "AND joins prompts in A1111, not here: write it in lower case, or use a comma", True)
        )
    remarks += [replace(remark, at=bare.place(remark.at)) for remark in odd]
    chunks: list[Chunk[Word]] = []
    if words is not None:
        every = [words.chunks(parse_attention(text)[0]) for text in {stretch.text for stretch in schedule}]
        chunks = max(every, key=lambda each: (len(each), sum(len(chunk.tokens) for chunk in each)))
    return Breakdown(
        prompt=prompt,
        steps=steps,
        schedule=tuple(schedule),
        attention=tuple(parse_attention(schedule[-1].text)[0]),
        loras=bare.loras,
        remarks=tuple(sorted(remarks, key=lambda remark: remark.at)),
        chunks=tuple(chunks),
    )


def refuse_what_cannot_be_painted(breakdown: Breakdown) -> None:
    """Raises PromptError with the first remark of a prompt that nothing can be painted from."""
    for remark in breakdown.remarks:
        if remark.fatal:
            what, _, fix = remark.text.partition(": ")
            raise PromptError(f"character {remark.at + 1} of the prompt: {what}", fix)


def chunk_text(chunk: Chunk[Word]) -> str:
    """The letters of a chunk."""
    return "".join(word.text for word in chunk.tokens).strip()


def _unknown(name: str, known: Collection[str]) -> str:
    there = ", ".join(sorted(known)[:5])
    fix = f"there are {there}{' …' if len(known) > 5 else ''}" if known else "no run has a checkpoint yet"
    return f"no LoRA of this project is called {name}: {fix}"
