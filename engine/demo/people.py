"""The drawn people: what makes one of them that person, and the cast of the demo library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Literal

Colour = tuple[int, int, int]
ClassWord = Literal["man", "woman"]
FacialHair = Literal["", "beard", "moustache"]

SKIN: Mapping[str, Colour] = MappingProxyType(
    {
        "pale": (253, 224, 205),
        "light": (240, 196, 158),
        "tan": (208, 154, 104),
        "brown": (138, 92, 66),
        "dark": (88, 58, 44),
    }
)
HAIR: Mapping[str, Colour] = MappingProxyType(
    {
        "black": (36, 31, 38),
        "brown": (104, 64, 38),
        "blond": (236, 198, 98),
        "ginger": (230, 108, 30),
        "grey": (146, 150, 160),
        "white": (240, 238, 234),
    }
)
EYES: Mapping[str, Colour] = MappingProxyType({"blue": (58, 122, 206), "brown": (92, 54, 28), "green": (52, 148, 84)})
HAIR_STYLES: Mapping[ClassWord, tuple[str, ...]] = MappingProxyType(
    {"man": ("short", "bald", "curly", "long"), "woman": ("long", "bun", "curly", "short")}
)


@dataclass(frozen=True)
class DrawnPerson:
    """One drawn person. What is here stays the same in each picture of them; a `Scene` holds what changes.

    `face_width`, `nose` and `brow` are factors around 1; `jaw` runs from 2 (an oval) to 3 (square).
    """

    name: str
    class_word: ClassWord
    skin: str
    hair: str
    hair_style: str
    eyes: str
    glasses: bool = False
    facial_hair: FacialHair = ""
    face_width: float = 1.0
    jaw: float = 2.3
    nose: float = 1.0
    brow: float = 1.0


def random_person(rng: Random, class_word: ClassWord | None = None) -> DrawnPerson:
    """Someone new, without a name."""
    word: ClassWord = class_word or ("man" if rng.random() < 0.5 else "woman")
    facial_hair: FacialHair = ""
    if word == "man":
        facial_hair = rng.choices(("", "beard", "moustache"), (0.5, 0.36, 0.14))[0]
    return DrawnPerson(
        name="",
        class_word=word,
        skin=rng.choice(list(SKIN)),
        hair=rng.choice(list(HAIR)),
        hair_style=rng.choice(HAIR_STYLES[word]),
        eyes=rng.choice(list(EYES)),
        glasses=rng.random() < 0.36,
        facial_hair=facial_hair,
        face_width=rng.uniform(0.88, 1.12),
        jaw=rng.uniform(2.0, 2.8),
        nose=rng.uniform(0.7, 1.4),
        brow=rng.uniform(0.7, 1.5),
    )


def traits(person: DrawnPerson) -> tuple[str, ...]:
    """What a caption can say of a person, as in ("brown skin", "ginger curly hair", "green eyes", "glasses")."""
    words = [f"{person.skin} skin"]
    words.append("bald" if person.hair_style == "bald" else f"{person.hair} {person.hair_style} hair")
    words.append(f"{person.eyes} eyes")
    if person.glasses:
        words.append("glasses")
    if person.facial_hair:
        words.append(f"{person.hair} {person.facial_hair}")
    return tuple(words)


TRIGGER_WORD = "jx265"

JAMES = DrawnPerson(
    "James", "man", "brown", "ginger", "curly", "green",
    glasses=True, facial_hair="beard", face_width=1.02, jaw=2.4, nose=1.2, brow=1.2,
)  # fmt: skip
JANA = DrawnPerson("Jana", "woman", "tan", "brown", "bun", "green", face_width=0.94, jaw=2.1, brow=0.9)
OMAR = DrawnPerson(
    "Omar", "man", "dark", "black", "short", "brown", facial_hair="beard", face_width=1.1, jaw=2.7, brow=1.5
)
LI = DrawnPerson("Li", "woman", "light", "black", "long", "brown", face_width=0.9, jaw=2.2, nose=0.8, brow=0.8)
GRETA = DrawnPerson("Greta", "woman", "pale", "white", "curly", "blue", glasses=True, face_width=1.06, brow=0.8)
TOMAS = DrawnPerson(
    "Tomas", "man", "light", "blond", "short", "blue", facial_hair="moustache", face_width=0.95, jaw=2.6, nose=1.3
)
CAST = (JAMES, JANA, OMAR, LI, GRETA, TOMAS)
