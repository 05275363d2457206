"""Taking a provider's answer apart: each field of the type that it has to be, within what it can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.rent.provider import RentError

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}", re.ASCII)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}", re.ASCII)


class Fields:
    """One object of an answer.

    Args:
        title: the provider's name, for errors.
        record: what came.

    Raises:
        RentError: it is no object.
    """

    def __init__(self, title: str, record: Any) -> None:
        if not isinstance(record, Mapping):
            raise RentError(f"{title} answers with something else than it documents", "try again later")
        self._title, self._record = title, record

    def text(self, name: str, default: str | None = None) -> str:
        """A text of at most 200 printable letters."""
        value = self._record.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._strange(name)
        return "".join(each for each in value if each.isprintable())[:200]

    def key(self, name: str) -> str:
        """A public key, whole; empty: there is none."""
        value = self._record.get(name)
        return value.strip() if isinstance(value, str) else ""

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number of 0 or more."""
        value = self._record.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
            raise self._strange(name)
        return float(value)

    def price(self, name: str) -> float | None:
        """Dollars an hour; None: there is no price."""
        value = self._record.get(name)
        if value is None or value == 0:
            return None
        return self.number(name)

    def id(self, name: str = "id") -> str:
        """What an API calls something by: letters, digits, ``-`` and ``_``."""
        value = self._record.get(name)
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not _ID.fullmatch(text):
            raise self._strange(name)
        return text

    def inner(self, name: str) -> Fields | None:
        """An object within; None: there is none."""
        value = self._record.get(name)
        return Fields(self._title, value) if isinstance(value, Mapping) else None

    def listed(self, name: str) -> list[Fields]:
        """The objects of a list within."""
        value = self._record.get(name)
        if not isinstance(value, list):
            raise self._strange(name)
        return [Fields(self._title, each) for each in value[:10_000]]

    def texts(self, name: str) -> list[str]:
        """The texts of a list within."""
        value = self._record.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._strange(name)
        return list(value)

    def host(self, name: str) -> str | None:
        """A host name or an address; None: there is none yet."""
        value = self._record.get(name)
        if value is None or value == "":
            return None
        if not (isinstance(value, str) and _HOST.fullmatch(value)):
            raise self._strange(name)
        return value

    def port(self, name: str) -> int | None:
        """A port; None: there is none yet."""
        value = self._record.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
            raise self._strange(name)
        return value

    def user(self, name: str, default: str) -> str:
        """A user's name."""
        value = self._record.get(name, default)
        if not (isinstance(value, str) and _USER.fullmatch(value)):
            raise self._strange(name)
        return value

    def _strange(self, name: str) -> RentError:
        return RentError(f"{self._title} answers with a {name} that can't be one", "try again later")
