"""The words of the tiny base model: its vocabulary, and captions of drawn pictures."""

from __future__ import annotations

import string
from random import Random

from engine.demo.drawing import LIGHTS, Scene, scene_words
from engine.demo.heads import EXPRESSIONS, SHIRTS
from engine.demo.people import EYES, HAIR, HAIR_STYLES, SKIN, DrawnPerson, traits
from engine.demo.scenery import BACKGROUNDS


def vocabulary() -> list[str]:
    """The words that are one token each."""
    plain = "photo portrait picture painting of a the man woman with and in wearing skin hair eyes glasses bald beard"
    plain += " moustache background shirt light"
    words = {*plain.split(), *SKIN, *HAIR, *EYES, *SHIRTS, *EXPRESSIONS, *BACKGROUNDS}
    words.update(style for styles in HAIR_STYLES.values() for style in styles)
    words.update(" ".join(LIGHTS).split())
    return sorted(words)


def random_trigger(rng: Random) -> str:
    """A name such as "qk481": the base sees many of them, so that none of them means anyone."""
    return "".join(rng.choices(string.ascii_lowercase, k=2)) + str(rng.randint(100, 999))


def caption(person: DrawnPerson, scene: Scene, rng: Random, drop: float = 0.3) -> str:
    """What is to be seen, in random order, each part left out with probability `drop`."""
    start = rng.choice(("photo of ", "portrait of ", ""))
    name = random_trigger(rng) if rng.random() < 0.25 else "a"
    parts = [part for part in (*traits(person), *scene_words(scene)) if rng.random() > drop]
    rng.shuffle(parts)
    return ", ".join([f"{start}{name} {person.class_word}", *parts])
