"""Prompts out of whatever a language model answered.

Asked for JSON, models answer with it, with JSON in a fence, cut off in the middle, after pages of thinking, or with a
numbered list. Nothing here raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

KEYS = ("prompt", "text", "description", "caption", "content", "variation")
"""Under which names models put a prompt."""

MOST_BEGINNINGS = 100
"""Brackets at which JSON may begin that are tried."""

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END_OF_THINKING = re.compile(r"\A.*</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_STRING = r'"((?:\\.|[^"\\\n])*)"'
_PAIR = re.compile(rf'"(?:{"|".join(KEYS)})"\s*:\s*{_STRING}', re.IGNORECASE)
_BARE = re.compile(rf"[\[,]\s*{_STRING}(?=\s*[,\]])")
_BULLET = re.compile(
    r"^\s*(?:[-*•>]+\s+|\(?\d+\s*[.):]\s*|\*\*.*?\*\*:?\s*|(?:prompt|variation)\s*\d*\s*:\s*)+", re.IGNORECASE
)
_CHATTER = re.compile(
    r"^(?:here (?:are|is)|sure|certainly|of course|okay|ok\b|these|note|i hope|let me|below|as requested|i['’ ])|:$",
    re.IGNORECASE,
)
QUOTES = "\"'“”‘’`* "

FEWEST_WORDS = 3
"""A line of fewer words is no prompt."""


def prompts_in(answer: str) -> list[str]:
    """The prompts of an answer, in its order."""
    text = _END_OF_THINKING.sub("", _THINKING.sub("", answer))
    fenced = [inside for inside in _FENCE.findall(text) if inside.strip()]
    for part in (*fenced, text):
        found = _from_json(part)
        if found:
            return found
    return _from_lines("\n".join(fenced) or text)


def _from_json(text: str) -> list[str]:
    decoder = json.JSONDecoder(strict=False)
    whole: list[str] = []
    for start in islice((at.start() for at in re.finditer(r"[{\[]", text)), MOST_BEGINNINGS):
        try:
            whole = list(_strings(decoder.raw_decode(text, start)[0]))
        except (ValueError, RecursionError):
            continue
        if whole:
            break
    # Of JSON that breaks off only an inner piece can be read as a whole.
    loose = [_unescaped(each) for each in (_PAIR.findall(text) or _BARE.findall(text)) if len(each.split()) >= 2]
    return max(whole, loose, key=len)


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > 6:
        return
    if isinstance(value, list):
        for each in value:
            if isinstance(each, str):
                yield each
            else:
                yield from _strings(each, depth + 1)
    elif isinstance(value, dict):
        named = next((value[key] for key in KEYS if isinstance(value.get(key), str)), None)
        if named is not None:
            yield named
            return
        for each in value.values():
            if isinstance(each, (list, dict)):
                yield from _strings(each, depth + 1)


def _from_lines(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        bare = _BULLET.sub("", line).strip().strip(QUOTES + ",")
        if len(bare.split()) >= FEWEST_WORDS and not _CHATTER.search(bare) and not re.search(r'[{}]|":', bare):
            found.append(bare)
    return found


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text
