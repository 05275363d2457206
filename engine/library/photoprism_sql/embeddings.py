"""The embeddings that PhotoPrism computed of its faces: about 10 KB of text a row, so only those asked for are read."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select

from engine.library.faces import Embedding
from engine.library.photoprism_sql.schema import Schema
from engine.library.values import text_of, whole_text
from engine.storage.untrusted_files import parse_json

AT_ONCE = 200
"""Markers a query."""


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
