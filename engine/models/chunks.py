"""Tokens in chunks of 75, split at commas, as A1111 gives them to CLIP, which reads a begin and an end around each.

Source: A1111 ``modules/sd_hijack_clip.py`` (``tokenize_line``), with its default of 20 tokens to look back for a comma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ROOM = 75
"""Tokens in a chunk."""

LOOK_BACK = 20
"""How far before the end of a full chunk a comma may lie, so that what follows it moves to the next chunk."""

Token = TypeVar("Token")


@dataclass
class Chunk(Generic[Token]):
    """At most 75 tokens, each with its weight."""

    tokens: list[Token] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def cut(self, at: int) -> Chunk[Token]:
        """Takes everything from a place on out of this chunk, as another chunk."""
        rest = Chunk(self.tokens[at:], self.weights[at:])
        del self.tokens[at:], self.weights[at:]
        return rest


def in_chunks(
    pieces: Iterable[tuple[Sequence[Token], float] | None], is_comma: Callable[[Token], bool]
) -> list[Chunk[Token]]:
    """Fills chunks with tokens.

    Args:
        pieces: tokens and their weight; None is a BREAK, which closes a chunk.
        is_comma: whether a token is a comma.

    Returns:
        At least one chunk, which may be empty.
    """
    done: list[Chunk[Token]] = []
    chunk: Chunk[Token] = Chunk()
    comma = -1
    for piece in pieces:
        if piece is None:
            done.append(chunk)
            chunk, comma = Chunk(), -1
            continue
        tokens, weight = piece
        for token in tokens:
            if is_comma(token):
                comma = len(chunk.tokens)
            elif len(chunk.tokens) == ROOM and comma >= 0 and ROOM - comma <= LOOK_BACK:
                rest = chunk.cut(comma + 1)
                done.append(chunk)
                chunk, comma = rest, -1
            if len(chunk.tokens) == ROOM:
                done.append(chunk)
                chunk, comma = Chunk(), -1
            chunk.tokens.append(token)
            chunk.weights.append(weight)
    if chunk.tokens or not done:
        done.append(chunk)
    return done
