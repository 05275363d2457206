"""Variations of a prompt without a language model: by the template's own choices, or along axes of word lists."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engine.prompts.axis_variation import Size, Variation, parts_of
from engine.prompts.axis_variation import vary as vary_along
from engine.prompts.grammar import distance, has_choices, plain, tidy, variations

LOCKED_DRAWS = 8
"""How many times as many prompts of a template are looked at where parts of it are locked."""


def vary_by_words(
    template: str,
    count: int,
    seed: int,
    axes: Sequence[str],
    size: Size,
    locked: Sequence[str] = (),
    known: Collection[str] = (),
) -> list[Variation]:
    """Different prompts made of one; the same arguments give the same ones.

    Args:
        template: with its choices, the person's words filled in.
        count: how many at most.
        seed: what is drawn.
        axes: what may vary of a prompt without choices.
        size: how much of it varies at once.
        locked: parts, between commas, that every variation has. A part with a choice in it is locked at what it says
            first.
        known: prompts that are there already, and are left out.

    Raises:
        PromptError: the template can't be read, or there is nothing to vary.
    """
    parent = plain(template)
    if not has_choices(template):
        return vary_along(parent, count, seed, axes, size, locked, known)
    texts = variations(template, (count + len(known)) * (LOCKED_DRAWS if locked else 1), seed)
    stay, had = set(map(tidy, locked)), set(known)
    new = [text for text in texts if text not in had and stay <= set(map(tidy, parts_of(text)))]
    return [Variation(text, distance(parent, text)) for text in new[:count]]
