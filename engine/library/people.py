"""The people that a library knows, and finding one by what a user types."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from engine.counting import many
from engine.errors import LibraryError
from engine.library.spelling import alike, folded

MOST_PEOPLE = 50_000
"""More than anybody has; a library that tells of more is none."""


@dataclass(frozen=True)
class Person:
    """Someone with at least one face in the library."""

    id: str
    """The library's own, such as PhotoPrism's ``subj_uid``."""
    name: str
    faces: int
    confirmed: int | None
    """How many of the faces a person confirmed; the rest were matched by the machine. None: the library does not tell
    without being asked about each photo."""
    first_year: int | None
    last_year: int | None


def find_person(people: Sequence[Person], wanted: str) -> Person:
    """The person of that name (upper and lower case alike) or id.

    Raises:
        LibraryError: nobody, or more than one, is called so; names who comes near.
    """
    wanted = wanted.strip()
    for same in (
        [each for each in people if wanted in (each.id, each.name)],
        [each for each in people if alike(each.name, wanted)],
        [each for each in people if folded(each.name) == folded(wanted)],
    ):
        if len(same) == 1:
            return same[0]
        if same:
            ids = ", ".join(f"{each.id} ({each.name}, {many(each.faces, 'face')})" for each in same)
            raise LibraryError(f"{len(same)} people are called {wanted}", f"give one's id instead: {ids}")
    near = _near(people, wanted)
    fix = f"did you mean {' or '.join(near)}?" if near else "list them with: limner people"
    raise LibraryError(f"there is nobody in the library called {wanted}", fix)


def _near(people: Sequence[Person], wanted: str) -> list[str]:
    """Up to three names that hold what was typed, or are spelt much like it."""
    names = {folded(each.name): each.name for each in people}
    key = folded(wanted)
    holding = [name for name in names if key and key in name]
    near = difflib.get_close_matches(key, names, n=3)
    return [names[name] for name in dict.fromkeys([*holding, *near])][:3]
