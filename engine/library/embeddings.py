"""The embeddings that PhotoPrism computed of its faces: about 10 KB of text a row, so only those asked for are read."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from engine.library.rows import text_of, whole_text
from engine.library.schema import Schema
from engine.storage.outside import parse_json

AT_ONCE = 200
"""Markers a query."""


@dataclass(frozen=True)
class Embedding:
    """Where a face lies in the space of a recognition model."""

    marker_uid: str
    space: str
    """Names the space: the model where the index tells it, and the length. Different spaces are never compared."""
    values: bytes
    """Unit length, float16, little-endian."""


def read_embeddings(connection: Connection, schema: Schema, markers: Collection[str]) -> Iterator[Embedding]:
    """The embeddings of markers; hand-drawn ones have none, and what can't be read is left out."""
    m = schema.markers
    if not schema.has(m, "embeddings_json"):
        return
    columns = (m.c.marker_uid, m.c.embeddings_json, schema.value(m, "embed_model"))
    wanted = sorted(markers)
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        for row in connection.execute(select(*columns).where(m.c.marker_uid.in_(some))):
            values = _unit(whole_text(row.embeddings_json))
            if values is not None:
                model = text_of(row.embed_model) or "photoprism"
                packed = struct.pack(f"<{len(values)}e", *values)
                yield Embedding(text_of(row.marker_uid), f"{model} {len(values)}", packed)


def _unit(text: str) -> list[float] | None:
    """The first vector of ``[[f, f, …], …]`` at unit length; None where there is none."""
    try:
        values = [float(value) for value in parse_json(text or "[]")[0]]
        length = math.sqrt(math.fsum(value * value for value in values))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError):
        return None
    return [value / length for value in values] if len(values) > 1 and 0 < length < math.inf else None
