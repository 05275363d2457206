"""From a prompt's text, as it was typed or pasted, to what is painted, and what is odd about it: one way for all.

``paint``, grids, variations, a run's samples and ``prompt show`` read by it, so that they say and see the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from engine.errors import PromptError
from engine.models.family import Family
from engine.prompts.attention import Remark
from engine.prompts.breakdown import Breakdown, refuse_what_cannot_be_painted, take_apart
from engine.prompts.extra_networks import strip
from engine.prompts.grammar import SLOTS, chosen, fill, lone_braces, plain
from engine.prompts.tokenizer import Words
from engine.settings import PersonSettings

LORA_IN_NEGATIVE = "a LoRA in a negative prompt is ignored: name it in the prompt"


def read_prompt(
    text: str,
    person: PersonSettings | None,
    steps: int,
    seed: int | None = None,
    words: Words | None = None,
    known_loras: Collection[str] | None = None,
    family: Family | None = None,
) -> Breakdown:
    """A prompt taken apart as it is painted. No text is refused: what is wrong with it is a remark.

    Args:
        text: as it was written.
        person: whose words ``{trigger}`` and ``{class}`` are; None: nobody's, they stay.
        steps: how many steps are painted.
        seed: which of its choices are taken; None: the first.
        words: the base model's tokenizer, for chunks.
        known_loras: the names that ``<lora:NAME>`` may give; None: nobody can tell.
        family: the base model's; None: nobody can tell.
    """
    try:
        if seed is not None and person is not None:
            prompt = chosen(text, person, seed)
        else:
            prompt = plain(fill(text, person) if person is not None else text)
        odd = lone_braces(text)
    except PromptError as error:
        # Shown as it is, with why nobody can paint it.
        prompt = _with_words(text, person)
        odd = [Remark(0, f"{error.what}: {error.fix}" if error.fix else error.what, fatal=True)]
    found = take_apart(prompt, steps, words, known_loras, family)
    return replace(found, remarks=tuple(sorted((*odd, *found.remarks), key=lambda each: each.at)))


def remarks_on(
    texts: Iterable[str],
    person: PersonSettings,
    steps: int,
    seed: int,
    known_loras: Collection[str] | None,
    negatives: Iterable[str] = (),
    family: Family | None = None,
    words: Words | None = None,
) -> list[str]:
    """What is odd about prompts that are about to be painted, each remark once.

    Raises:
        PromptError: nothing can be painted from one of them.
    """
    found: dict[str, None] = {}
    for text in texts:
        read = read_prompt(text, person, steps, seed, words, known_loras, family)
        refuse_what_cannot_be_painted(read)
        found |= dict.fromkeys(str(each) for each in read.remarks)
    for negative in negatives:
        read = take_apart(negative, steps, words, family=family)
        refuse_what_cannot_be_painted(read)
        odd = [*(str(each) for each in read.remarks), *([LORA_IN_NEGATIVE] if read.loras else [])]
        found |= dict.fromkeys(f"negative prompt: {each}" for each in odd)
    return list(found)


def names_a_lora(prompt: str) -> bool:
    """Whether a prompt says by itself which LoRAs it is painted with; then it gets no other."""
    return bool(strip(prompt).loras)


def _with_words(text: str, person: PersonSettings | None) -> str:
    if person is None:
        return text
    for slot, name in SLOTS.items():
        text = text.replace(slot, str(getattr(person, name)))
    return text
