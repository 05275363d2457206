"""The caption in what a vision model said: taken out of JSON, thoughts and politeness; a refusal is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from engine.library.values import well_formed

KEYS = ("caption", "description", "text", "prompt", "answer", "output")
"""Under what a caption stands in a JSON answer, the one that is asked for first."""

NO_CAPTION = ("refusal", "error", "reason", "message", "apology")
"""Under what a model says why there is none."""

LONGEST = 20_000
"""Letters of an answer that are read."""

_THOUGHTS = re.compile(
    # DeepSeek's and Qwen's thoughts, also where their beginning is left out; Gemma's and Mistral's spelling of them.
    r"^.*</think(?:ing)?>|<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_CHANNEL = "<|channel|>"
_MESSAGE = re.compile(r"\s*(\w+).*?<\|message\|>(.*?)(?=<\|(?:end|return|start)\|>|\Z)", re.DOTALL)
"""OpenAI's harmony format: thoughts in ``analysis``, the answer in ``final``."""

_TOKENS = re.compile(r"<\|[^|>]*\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<eos>|<pad>")

_FENCE = re.compile(r"```[\w-]*\s*(.*?)(?:```|\Z)", re.DOTALL)

_OPENING = re.compile(
    r"^(?:(?:sure|certainly|of course|absolutely|okay|ok|alright|great|no problem|gladly|yes)"
    r"(?: thing)?\s*[.!,:]+\s*)?"
    r"(?:(?:here(?:'s|’s| is| are)|below is|this is|i(?:'ve|’ve| have)? (?:wrote|written|created)|i can|"
    r"(?:a|the|my|suggested|possible)?\s*(?:image |picture |photo )?(?:caption|description|prompt)s?)\b"
    r"[^:\n.]{0,120}:\s*)?",
    re.IGNORECASE,
)
"""``Sure! Here is a caption for the picture:``"""

_CHATTER = re.compile(
    r"^(?:please (?:provide|upload|share|send|attach|give|try)\b|(?:please )?let me know|"
    r"feel free|i hope|hope (?:this|that)|would you like|do you want|is there anything|"
    r"if (?:you|there)\b.{0,60}\b(?:need|want|like|else|would|let me)|(?:please )?note that|note:|remember that|"
    r"i(?:'d| would)? be (?:happy|glad)|happy to help|enjoy\b|(?:sure|certainly|of course|absolutely|okay|alright)\W*$|"
    r"(?:however|but|instead)?,? ?i (?:can|could|would|will|'ll)\b|thank you|"
    r"here(?:'s|’s| is| are)\b.*(?:caption|description|prompt)\b|(?:this|the) caption\b|as requested)",
    re.IGNORECASE,
)
"""Sentences that speak to whoever asked."""

_REFUSAL = re.compile(
    r"^(?:(?:i['’]?m|i am|we['’]re|we are)?\s*(?:very |really |so |truly )?(?:sorry|afraid)\b|(?:my )?apolog|"
    r"(?:unfortunately|regrettably)\b.{0,20}\bi\b|"
    r"(?:but |however,? |as an? [^,.]{1,40}, )?(?:i|we)(?:'m| am|’m| are)? ?(?:can(?:not|['’]?t| ?not)|"
    r"(?:not|un)\s*able|won['’]?t|will not|(?:must|have to|need to) (?:decline|refuse)|decline|refuse|"
    r"do(?:n['’]?t| not) (?:feel comfortable|have the ability|identify|see an? (?:image|picture|photo)|provide)|"
    r"not (?:comfortable|allowed|permitted))|as an? (?:ai|artificial|language|large|responsible|helpful)\b|"
    r"(?:no|not) (?:comment|caption)\b|(?:this|the|your) (?:request|content|image|picture|photo)s?\b.{0,60}"
    r"\b(?:violat|against (?:my|our|the) |(?:not|n't) (?:be )?(?:allowed|appropriate|permitted))|"
    r"(?:unable|not able) to (?:assist|help|identify|describe|provide|comply|process|caption)|"
    r"request (?:denied|refused)|"
    r"es tut mir leid|tut mir leid|entschuldigung|ich kann (?:dir|ihnen|das|diese|dabei|leider|nicht)|leider\b|"
    r"lo siento|no puedo|je suis désolé|désolée?\b|je ne peux|mi dispiace|non posso|desculpe|não posso|sinto muito|"
    r"het spijt me|przykro mi|přepáčte|извините|к сожалению|не могу|抱歉|对不起|對不起|我无法|我無法|我不能|很抱歉|"
    r"申し訳|すみません|죄송)",
    re.IGNORECASE,
)
"""Sentences that say no."""


def answer_of(text: str) -> str:
    """The caption in an answer, as one line; empty where there is none, for the model refused or only talked."""
    text = _bare(text)
    found = _from_json(text)
    return well_formed(_plain(text if found is None else found))


def only_thoughts(text: str) -> bool:
    """Whether a model thought and said nothing: its answer was cut off, say."""
    return not _bare(text)


def is_refusal(text: str) -> bool:
    """Whether an answer says no, in its first sentence or in JSON."""
    bare = _bare(text)
    record = _parsed(bare)
    if isinstance(record, dict) and not any(record.get(key) for key in KEYS):
        return any(record.get(key) for key in NO_CAPTION)
    return any(_REFUSAL.match(sentence) for sentence in _sentences(_from_json(bare) or bare))


def _bare(text: str) -> str:
    """Without thoughts, control tokens and fences; no more of it than any caption is long."""
    text = text[:LONGEST]
    if channels := _channels(text):
        text = next((said for name, said in reversed(channels) if name == "final"), "")
    text = _TOKENS.sub(" ", _THOUGHTS.sub("", text))
    fenced = _FENCE.findall(text)
    return (fenced[0] if fenced and fenced[0].strip() else text).strip()


def _channels(text: str) -> list[tuple[str, str]]:
    """The name of each channel, and what is said in it."""
    found = (_MESSAGE.match(part) for part in text.split(_CHANNEL)[1:])
    return [(each[1], each[2]) for each in found if each]


def _from_json(text: str) -> str | None:
    """What a JSON answer holds; None where it is none. One that was cut off counts as far as it goes."""
    record = _parsed(text)
    if record is not None:
        return ", ".join(_strings(record))
    if text.startswith("{") and (match := re.search(rf'"(?:{"|".join(KEYS)})"\s*:\s*"((?:[^"\\]|\\.)*)', text)):
        # Only whole parts of what was cut off.
        return match[1].rpartition(",")[0].replace("\\n", "\n").replace('\\"', '"')
    return "" if text.startswith(("{", "[{")) else None


def _parsed(text: str) -> Any:
    """The first JSON object or list in a text."""
    for start in (at for at in (text.find("{"), text.find("[")) if at >= 0):
        try:
            record, _ = json.JSONDecoder().raw_decode(text[start:])
        except (ValueError, RecursionError):
            continue
        if isinstance(record, (dict, list)) and record:
            return record
    return None


def _strings(record: Any) -> Iterator[str]:
    """The texts of a JSON value: of a caption's key where there is one, else all but what tells why there is none."""
    if isinstance(record, str):
        if record.strip():
            yield record.strip(" ,")
    elif isinstance(record, list):
        for each in record:
            yield from _strings(each)
    elif isinstance(record, dict):
        key = next((key for key in KEYS if record.get(key)), None)
        for name, value in record.items():
            if name == key or (key is None and name not in NO_CAPTION):
                yield from _strings(value)


def _plain(text: str) -> str:
    """A text without politeness before and after, its list marks, and emphasis."""
    text = re.sub(r"[`*#]+", "", text).strip().strip("\"'“”")
    kept: list[tuple[str, bool]] = []
    for line in text.splitlines():
        mark = re.match(r"^\s*(?:[-•–]|\d+[.)])\s+", line)
        line = _OPENING.sub("", line[mark.end() if mark else 0 :].strip(), count=1)
        sentences = [each for each in _sentences(line) if not (_CHATTER.match(each) or _REFUSAL.match(each))]
        opened = [rest for each in sentences if (rest := _OPENING.sub("", each, count=1).strip())]
        if opened:
            kept.append((" ".join(opened), mark is not None))
    joined = ""
    for words, listed in kept:
        joined += (", " if listed and joined else " " if joined else "") + (words.rstrip(".") if listed else words)
    return joined.strip(" \"'“”.,")


def _sentences(text: str) -> list[str]:
    return [
        each for each in re.split(r"(?<=[.!?。！？])\s+|\n+|(?<=[。！？])", text.strip(" \"'“”")) if each.strip(" .!?")
    ]
