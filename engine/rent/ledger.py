"""The record of rented machines: written before one is asked for, and kept until its end is confirmed.

It is one JSON file in the user's state folder. Nothing secret is in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.jobs.folder import JobFolder
from engine.rent.ledger_file import ledger_file
from engine.rent.provider import LABEL_PREFIX, RentError
from engine.storage.atomic_files import sync_folder, write_text
from engine.storage.file_locks import file_lock
from engine.storage.own_files import set_aside
from engine.storage.untrusted_files import read_json

LARGEST_BYTES = 4_000_000
"""A larger record is not ours."""

KEPT_ENDED = 100
"""Rentals that have ended are listed for so long: the last ones."""

TOLD_AFTER = 60.0
"""Seconds that ending may take before every command tells of it."""


class Stage(StrEnum):
    """How far a rental is."""

    ASKED = "asked"
    """It was asked for, or is about to be; nobody knows yet whether there is a machine."""
    RENTED = "rented"
    """There is a machine, and it costs."""
    ENDING = "ending"
    """Its end was asked for and is not confirmed: it may still cost."""
    ENDED = "ended"
    """The provider has said that it is gone, or that it never was."""


@dataclass(frozen=True)
class Rental:
    """One machine that was rented, or may have been."""

    label: str
    """Its name at the provider's; no two have the same."""
    provider: str
    card: str
    price: float
    """Dollars an hour."""
    asked: float
    """When it was asked for, in seconds since 1970."""
    ends: float
    """When it ends at the latest."""
    run: str
    """The folder of the run that it is for."""
    stage: Stage = Stage.ASKED
    offer: str = ""
    """The offer that it came from."""
    id: str | None = None
    """As its provider calls it."""
    ended: float | None = None
    prepared: bool = False
    """Whether it was proven to be the one that was rented, and Limner and the watchdog are on it."""
    program: str = "limner"
    """How Limner is called there."""
    outcome: Mapping[str, Any] | None = None
    """How the run ended, once all of it is here."""
    problem: str = ""
    """Why its end is not confirmed."""

    @property
    def over(self) -> bool:
        """Whether it costs no more."""
        return self.stage is Stage.ENDED

    @property
    def title(self) -> str:
        """As a person reads it: ``RTX 4090 (vast)``."""
        return f"{self.card} ({self.provider})"

    def spent(self, now: float | None = None) -> float:
        """Dollars so far, or in all."""
        until = self.ended or now or time.time()
        return self.price * max(0.0, until - self.asked) / 3600

    def followed(self) -> bool:
        """Whether a process here looks after it."""
        return JobFolder(Path(self.run)).alive()


def rentals() -> list[Rental]:
    """All that are recorded, the newest last.

    Raises:
        RentError: the record can't be read, or was damaged: then it is kept aside, and providers know what costs.
    """
    path = ledger_file()
    try:
        record = read_json(path, LARGEST_BYTES)
        return [_read(each) for each in record["rentals"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RentError(f"{path} can't be read: {error.strerror}", "check its rights") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        set_aside(path)
        what = f"the record of rented machines was damaged and is kept as {path.name}.damaged"
        raise RentError(what, "see what is still rented: limner rented") from error


def rental_labelled(label: str) -> Rental:
    """One of them. Raises RentError where there is none of that label."""
    found = next((each for each in rentals() if each.label == label), None)
    if found is None:
        raise RentError(f"no rented machine is called {label[:60]}", "list them: limner rented")
    return found


def rentals_for(run: Path) -> list[Rental]:
    """Those that were rented for a run, the newest last."""
    return [each for each in rentals() if each.run == str(run)]


def write_down(rental: Rental) -> Rental:
    """Adds one, on the disk when it returns. Raises RentError where there is one of its label."""

    def added(known: list[Rental]) -> list[Rental]:
        if any(each.label == rental.label for each in known):
            raise RentError(f"{rental.label} is recorded already", "try again")
        return [*known, rental]

    _change(added)
    return rental


def change(label: str, **changes: Any) -> Rental:
    """Changes what is recorded of one, on the disk when it returns. Raises RentError where there is none."""

    def changed(known: list[Rental]) -> list[Rental]:
        if all(each.label != label for each in known):
            raise RentError(f"no rented machine is called {label[:60]}", "list them: limner rented")
        return [replace(each, **changes) if each.label == label else each for each in known]

    return next(each for each in _change(changed) if each.label == label)


def notices(now: float | None = None) -> list[str]:
    """What every command says first: rentals that may cost though nobody looks after them. Asks no provider."""
    if not ledger_file().exists():
        return []
    now = time.time() if now is None else now
    try:
        known = rentals()
    except RentError as error:
        return [error.one_line()]
    return [line for each in known if (line := _notice(each, now)) is not None]


def _notice(rental: Rental, now: float) -> str | None:
    if rental.over or (rental.followed() and now < rental.ends + TOLD_AFTER):
        return None
    costs = f"{rental.price:.2f} $/h, {rental.spent(now):.2f} $ so far"
    end = f"limner rented end {rental.label}"
    match rental.stage:
        case Stage.ENDING:
            why = f" ({rental.problem})" if rental.problem else ""
            return f"{rental.title} may still cost, {costs}: its end is not confirmed{why}. End it: {end}"
        case Stage.ASKED:
            return f"{rental.title} may have been rented, {costs}: no answer came. Look: limner rented; end it: {end}"
        case _:
            return f"{rental.title} costs {costs}, and nothing here follows it. Follow it: limner watch; end it: {end}"


def _read(record: Any) -> Rental:
    known = {each.name for each in fields(Rental)}
    rental = Rental(**{key: value for key, value in record.items() if key in known})
    for text in (rental.label, rental.provider, rental.card, rental.run, rental.program, rental.problem, rental.offer):
        if not isinstance(text, str):
            raise TypeError(text)
    for number in (rental.price, rental.asked, rental.ends, rental.ended):
        if not (number is None or isinstance(number, int | float)):
            raise TypeError(number)
    if not rental.label.startswith(LABEL_PREFIX) or not (rental.id is None or isinstance(rental.id, str)):
        raise ValueError(rental.label)
    return replace(rental, stage=Stage(rental.stage))


def _change(change: Callable[[list[Rental]], list[Rental]]) -> list[Rental]:
    path = ledger_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_suffix(".lock")):
        found = change(rentals())
        ended = [each.label for each in found if each.over][:-KEPT_ENDED]
        found = [each for each in found if each.label not in ended]
        write_text(path, json.dumps({"rentals": [asdict(each) for each in found]}, indent=1, ensure_ascii=False) + "\n")
        sync_folder(path.parent)
    return found
