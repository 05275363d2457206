"""The demo library's plan: who is on which photo, and what is special about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from random import Random

from engine.demo.people import CAST, GRETA, JAMES, JANA, LI, OMAR, TOMAS, DrawnPerson, random_person

LANDSCAPE = (1600, 1200)
PORTRAIT = (1200, 1600)
LARGE = (2000, 1500)


@dataclass(frozen=True)
class Shot:
    """One photo to draw, and the trouble that real libraries have with it.

    `path` is relative to the originals. `face` is the height of the faces in pixels (None: whatever fits), `seed`
    names the drawing: two shots with one seed show the same moment. `orientation` is the EXIF one, 1 to 8.
    """

    path: PurePosixPath
    taken_at: datetime
    people: tuple[DrawnPerson, ...]
    seed: str
    size: tuple[int, int] = LANDSCAPE
    face: float | None = None
    orientation: int = 1
    confirmed: bool = True
    burst: int = 0
    archived: bool = False
    private: bool = False
    missing: bool = False
    truncated: bool = False
    not_a_picture: bool = False
    heic: bool = False
    blurred: bool = False
    cut_off: bool = False
    drawn_by_hand: bool = False
    rejected_marker: bool = False
    mistaken_for: DrawnPerson | None = None


def plan_shots(seed: int) -> list[Shot]:
    """About sixty photos from June 2019 on, in the order in which they were taken."""
    rng = Random(f"{seed} plan")
    wanted = [*_james_alone(), *_james_in_company(rng), *_everyone_else(rng), *_trouble()]
    rng.shuffle(wanted)
    shots = []
    moment = datetime(2019, 6, 2, 9, 30, tzinfo=UTC)
    for number, shot in enumerate(wanted, start=1):
        moment += timedelta(days=rng.randint(9, 45), minutes=rng.randint(-200, 400))
        name = "0001.jpg" if number == 7 else f"IMG_{number:04d}.{'heic' if shot.heic else 'jpg'}"
        path = PurePosixPath(f"{moment:%Y/%m}") / name
        shots.append(replace(shot, path=path, taken_at=moment, seed=f"{seed} {number}"))
    shots[30] = replace(shots[30], path=shots[30].path.with_name(shots[3].path.name))
    return [member for shot in shots for member in _burst(shot)]


def _wanted(*people: DrawnPerson, **special: object) -> Shot:
    """A shot without a place in time yet."""
    shot = Shot(PurePosixPath(), datetime.min, people, "")
    return replace(shot, **special)  # type: ignore[arg-type]


def _james_alone() -> Iterator[Shot]:
    for i in range(18):
        size = (LANDSCAPE, PORTRAIT, LANDSCAPE, LARGE)[i % 4]
        largest = 0.42 * min(size[1], size[0] / 1.15)
        face = (0.45 + 0.55 * (i * 7 % 18) / 17) * largest
        burst = 3 if i == 4 else 0
        yield _wanted(JAMES, size=size, face=face, orientation=i % 8 + 1, confirmed=i % 3 != 2, burst=burst)
    yield _wanted(JAMES, size=PORTRAIT, face=360, heic=True)


def _james_in_company(rng: Random) -> Iterator[Shot]:
    companies = ((JANA,), (OMAR,), (LI,), (GRETA, TOMAS), (JANA, LI), (OMAR,), (TOMAS,), (JANA, OMAR, GRETA), (LI,))
    for i, company in enumerate(companies):
        stranger = (random_person(rng),) if i == 3 else ()
        yield _wanted(JAMES, *company, *stranger, confirmed=i % 2 == 0, orientation=1 if i % 3 else 6)


def _everyone_else(rng: Random) -> Iterator[Shot]:
    for person in CAST[1:]:
        for i in range(3):
            yield _wanted(person, size=PORTRAIT if i == 1 else LANDSCAPE, confirmed=i != 2)
    yield _wanted(JANA, LI)
    yield _wanted(GRETA, TOMAS, confirmed=False)
    yield _wanted(OMAR, TOMAS, GRETA)
    yield _wanted(*rng.sample(CAST[1:], 4), confirmed=False)


def _trouble() -> Iterator[Shot]:
    yield _wanted(OMAR, face=330, confirmed=False, mistaken_for=JAMES)
    yield _wanted(JAMES, face=330, cut_off=True, confirmed=False)
    yield _wanted(JAMES, face=240, blurred=True, confirmed=False)
    yield _wanted(JAMES, JANA, rejected_marker=True)
    yield _wanted(JAMES, face=300, drawn_by_hand=True)
    yield _wanted(JAMES, face=380, archived=True)
    yield _wanted(JAMES, face=420, private=True)
    yield _wanted(JAMES, face=350, missing=True)
    yield _wanted(JAMES, face=400, truncated=True, confirmed=False)
    yield _wanted(JAMES, face=300, not_a_picture=True, confirmed=False)


def _burst(shot: Shot) -> Iterator[Shot]:
    """The shot, or several within seconds where it is a burst."""
    for i in range(max(1, shot.burst)):
        path = shot.path.with_stem(f"{shot.path.stem}_{i + 1}") if shot.burst else shot.path
        yield replace(shot, path=path, taken_at=shot.taken_at + timedelta(seconds=i), burst=i)
