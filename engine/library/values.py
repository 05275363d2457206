"""Values that database drivers and JSON return, made plain: texts, dates, numbers, boxes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

LONGEST_TEXT = 5000
"""Letters that are taken of a name or path; no system has paths of more."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)

LARGEST = 2**63
"""No number is this large in a database. JSON holds any: Python's ``float`` and SQLite end with an error at them."""

NOWHERE = (0.0, 0.0, 0.0, 0.0)


def text_of(value: object) -> str:
    """A text column's value: PyMySQL returns bytes for VARBINARY, and SQLite's numeric affinity for that type
    turns ``2019`` into an integer. No more than ``LONGEST_TEXT`` of it is taken."""
    some = value[: 4 * LONGEST_TEXT] if isinstance(value, (bytes, bytearray, memoryview)) else value
    return whole_text(some)[:LONGEST_TEXT]


def whole_text(value: object) -> str:
    """The same, however long it is."""
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def well_formed(text: str) -> str:
    """A text without halves of characters (lone surrogates), which JSON can hold and neither a database nor a terminal
    can be given."""
    return text.encode("utf-8", "replace").decode()


def date_of(value: object) -> str | None:
    """A date column's value as ``YYYY-MM-DD HH:MM:SS``; None for none and for the zero dates of both databases."""
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ")
    elif isinstance(value, date):
        text = f"{value.isoformat()} 00:00:00"
    else:
        text = text_of(value).replace("T", " ")
    text = text[:19]
    if len(text) == 10:
        text += " 00:00:00"
    return text if _DATE.fullmatch(text) and text > "0002" else None


def box_of(row: Any) -> tuple[float, float, float, float]:
    """A marker's x, y, w, h. Where one of them is no number it is a box without area, which no face can be cut from."""
    try:
        x, y, w, h = (float(each) for each in (row.x, row.y, row.w, row.h))
    except (TypeError, ValueError):
        return NOWHERE
    return (x, y, w, h) if all(map(math.isfinite, (x, y, w, h))) else NOWHERE


def json_text(record: Mapping[str, Any], key: str) -> str:
    """A value of a JSON object as text that can be written and shown; empty where there is none."""
    value = record.get(key)
    return well_formed(value[:LONGEST_TEXT]) if isinstance(value, str) else ""


def json_number(record: Mapping[str, Any], key: str) -> int:
    """A value of a JSON object as a whole number; 0 where there is none, or none that a database could hold."""
    value = record.get(key)
    return int(value) if isinstance(value, (int, float)) and abs(value) < LARGEST else 0
