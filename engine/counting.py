"""Counts in words."""

from __future__ import annotations


def many(count: int, one: str, more: str | None = None) -> str:
    """A count with its noun: ``1 face``, ``1,098 faces``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
