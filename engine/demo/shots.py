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
TALL = (1500, 2000)


@dataclass(frozen=True)
class Shot:
    """One photo to draw, and the trouble that real libraries have with it.

    `path` is relative to the originals. `face` is the height of the faces in pixels (None: whatever fits), `seed`
    names the drawing: two shots with one seed show the same moment. `orientation` is the EXIF one, 1 to 8. A `copied`
    shot lies in the library once more, as a messenger sends it: half as large and compressed harder; that one is its
    `copy`.
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
    copied: bool = False
    copy: bool = False

    @property
    def good(self) -> bool:
        """Whether a model could learn the person that the index names from it: the truth that choices are held to."""
        spoilt = self.missing or self.truncated or self.not_a_picture or self.blurred or self.cut_off
        return not spoilt and self.mistaken_for is None and not self.copy


def plan_shots(seed: int) -> list[Shot]:
    """About a hundred photos from June 2019 on, in the order in which they were taken."""
    rng = Random(f"{seed} plan")
    wanted = [*_james_alone(), *_james_from_afar(), *_james_in_company(rng), *_everyone_else(rng), *_trouble()]
    rng.shuffle(wanted)
    numbered = next(i for i, shot in enumerate(wanted) if i > 5 and not (shot.burst or shot.copied or shot.heic)) + 1
    shots = []
    moment = datetime(2019, 6, 2, 9, 30, tzinfo=UTC)
    for number, shot in enumerate(wanted, start=1):
        moment += timedelta(days=rng.randint(9, 45), minutes=rng.randint(-200, 400))
        name = "0001.jpg" if number == numbered else f"IMG_{number:04d}.{'heic' if shot.heic else 'jpg'}"
        path = PurePosixPath(f"{moment:%Y/%m}") / name
        shots.append(replace(shot, path=path, taken_at=moment, seed=f"{seed} {number}"))
    shots[30] = replace(shots[30], path=shots[30].path.with_name(shots[3].path.name))
    return [member for shot in shots for taken in _burst(shot) for member in _with_copy(taken)]


def _wanted(*people: DrawnPerson, **special: object) -> Shot:
    """A shot without a place in time yet."""
    shot = Shot(PurePosixPath(), datetime.min, people, "")
    return replace(shot, **special)  # type: ignore[arg-type]


def _james_alone() -> Iterator[Shot]:
    for i in range(18):
        size = (LANDSCAPE, PORTRAIT, LANDSCAPE, LARGE)[i % 4]
        largest = 0.42 * min(size[1], size[0] / 1.15)
        face = (0.45 + 0.55 * (i * 7 % 18) / 17) * largest
        special = {"burst": {4: 3, 9: 5}.get(i, 0), "copied": i in (1, 12)}
        yield _wanted(JAMES, size=size, face=face, orientation=i % 8 + 1, confirmed=i % 3 != 2, **special)
    yield _wanted(JAMES, size=PORTRAIT, face=360, heic=True)


def _james_from_afar() -> Iterator[Shot]:
    """From the head to the feet."""
    for i in range(8):
        size = (TALL, LARGE, PORTRAIT, LARGE)[i % 4]
        yield _wanted(JAMES, size=size, face=(0.066 + 0.003 * i) * size[1], confirmed=i % 4 != 3, copied=i == 5)


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
    # Large faces of others, which whoever goes by size alone takes first.
    for person, face in ((OMAR, 330), (TOMAS, 520), (JANA, 480), (GRETA, 560)):
        yield _wanted(person, size=LARGE, face=face, confirmed=False, mistaken_for=JAMES)
    yield _wanted(JAMES, face=330, cut_off=True, confirmed=False)
    yield _wanted(JAMES, face=240, blurred=True, confirmed=False)
    for i, face in enumerate((600, 540, 500)):
        yield _wanted(JAMES, size=LARGE, face=face, blurred=True, confirmed=i != 1)
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


def _with_copy(shot: Shot) -> Iterator[Shot]:
    """The shot, and where it was copied the copy: another name and day, half as large."""
    yield replace(shot, copied=False)
    if shot.copied:
        path = shot.path.with_stem(f"{shot.path.stem}-WA")
        later = shot.taken_at + timedelta(days=3)
        yield replace(shot, path=path, taken_at=later, copied=False, copy=True, orientation=1, confirmed=False)
