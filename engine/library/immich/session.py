"""Asking Immich by its API: who we are, its version, its errors. Only ever reads.

The interface: https://api.immich.app, and ``server/src`` of https://github.com/immich-app/immich. An API key goes with
each question as ``x-api-key``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from engine.errors import LibraryError, NotALibrary, WrongPassword
from engine.library.address import LibraryAddress
from engine.library.immich.permissions import ALL, GIVE_ALL, WHERE, Permission
from engine.library.values import json_number, json_text, well_formed
from engine.library.web.messages import record_of
from engine.library.web.originals import MOST_WORDS
from engine.library.web.session import Refused, WebSession
from engine.network.bounded_http import Answer
from engine.secrets import IMMICH_KEY_VARIABLE, register_secret
from engine.security.private_files import for_a_header

SEARCH = "search/metadata"
"""The one question that is a POST; it reads."""

LONGEST_WORDS = 200

_LACKING = re.compile(r"^Missing required permission: ([\w.]{1,60})$")
"""``server/src/middleware/auth.guard.ts``."""

_OUR_401 = re.compile(r"Authentication required|Invalid API key|Invalid user token", re.IGNORECASE)
"""``server/src/services/auth.service.ts``; a login in front of Immich says something else."""


@dataclass(frozen=True, order=True)
class Version:
    """Immich's version."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


OLDEST = Version(1, 132, 0)
STRUCTURED_SEARCH = Version(3, 2, 0)
"""From here on a search is asked by ``filter`` and goes on by ``cursor``; the older form is to go in version 4."""


class ImmichSession(WebSession):
    """Questions to one Immich, from any number of threads.

    Args:
        address: where it is.
        key: an API key; None: it will say that it wants one.
    """

    title = "Immich"
    root = "/api/"

    def __init__(self, address: LibraryAddress, key: str | None) -> None:
        super().__init__(address)
        register_secret(key)
        self._key = for_a_header(key, "the API key", LibraryError)

    def identity(self) -> dict[str, str]:
        """The key."""
        return {"x-api-key": self._key} if self._key else {}

    def ask(self, path: str, body: object = None, **query: object) -> Any:
        """As ``WebSession.ask``; nothing but a search is ever a POST."""
        assert body is None or path == SEARCH
        return super().ask(path, body, **query)

    def version(self) -> Version:
        """Immich's version; no key is sent for it.

        Raises:
            NotALibrary: it is not Immich, or one of before 1.132.
        """
        # A server without such a page shows its web app, or says that there is none.
        told = self.read("/api/server/version", self._if_there, fine=(200, 404), known=False)
        if not isinstance(told, dict) or not isinstance(told.get("major"), int):
            raise self.not_ours()
        version = Version(*(max(0, json_number(told, part)) for part in ("major", "minor", "patch")))
        if version < OLDEST:
            what = f"{self.address.where} is Immich {version}, which is too old"
            raise NotALibrary(what, "update it to 1.132 or later")
        return version

    def may(self, permission: Permission) -> bool:
        """Whether the key is allowed to something. Raises WrongPassword where it is no key at all."""
        path = f"{self.root}{permission.probe}"
        said = self.read(path, self._why_not, fine=(200, 400, 403, 404, 500))
        if said is not None and not _LACKING.match(said):
            raise self.refusal(403, said, "")
        return said is None

    def _if_there(self, response: Answer) -> Any:
        return self.json(response) if response.status == 200 else None

    def _why_not(self, response: Answer) -> str | None:
        """The words of a refusal; None where there is none."""
        if response.status == 403:
            return self.words_of(response)
        response.read(MOST_WORDS)
        return None

    def words_of(self, response: Answer) -> str:
        """An error's own words: ``message`` is a text or several, and validation has ``errors`` beside it (since 3.0);
        ``error`` is the status in words alone."""
        record = record_of(response)
        message, errors = record.get("message"), record.get("errors")
        words = [message] if isinstance(message, str) else message if isinstance(message, list) else []
        if isinstance(errors, list):
            words += [json_text(each, "message") for each in errors[:5] if isinstance(each, dict)]
        text = ", ".join(" ".join(each.split()) for each in words[:5] if isinstance(each, str) and each)
        return well_formed(text[:LONGEST_WORDS])

    def refusal(self, status: int, said: str, location: str) -> LibraryError:
        """What it means that Immich answered with an error."""
        where = self.address.where
        if status == 401:
            if not _OUR_401.search(said):
                what = f"a login stands in front of {where}, and does not let the API key through"
                return WrongPassword(what, "let /api/ pass there, or give an address that leads to Immich itself")
            if self._key is None:
                fix = f"set {IMMICH_KEY_VARIABLE} to one that may: {ALL} ({WHERE})"
                return WrongPassword(f"{where} requires an API key", fix)
            return WrongPassword(f"{where} refused the API key", f"make a new one ({WHERE}) that may: {ALL}")
        if status == 403:
            if lacking := _LACKING.match(said):
                return WrongPassword(f"the API key lacks the permission {lacking[1]}", GIVE_ALL)
            return WrongPassword(f"{where} lets this key see no photos{f' ({said})' if said else ''}", GIVE_ALL)
        return super().refusal(status, said, location)

    def is_gone(self, error: Refused) -> bool:
        """Whether an answer says that something is not there, or somebody else's: ``Not found or no asset.read
        access`` (``server/src/utils/access.ts``)."""
        return error.status in (400, 404)
