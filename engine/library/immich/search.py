"""Immich's search for a person's photos, in the form that its version takes.

Before 3.2 conditions lie side by side and pages are counted; from there on they are a ``filter``, and an opaque cursor
goes on. 3.0 and 3.1 know no ``filter`` and return everything; the two forms are never mixed (both: 400). Numbers are
numbers and ids UUIDs, or 3.x refuses them. Source: Immich's ``dtos/search.dto.ts`` and ``services/search.service.ts``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.errors import LibraryError
from engine.library.immich.records import Asset, asset_of
from engine.library.immich.session import SEARCH, STRUCTURED_SEARCH, ImmichSession, Version

PAGE = 500
"""Photos an answer."""

MOST_PHOTOS = 1_000_000
"""Photos of one person."""

MOST_MEMORY = 1_000_000_000
"""Bytes that the photos of one person may take."""

TIMELINE, ARCHIVE = "timeline", "archive"
"""Values of ``visibility``: what is shown, and what its owner put away. ``hidden`` is the moving half of a live photo,
and ``locked`` takes a PIN."""


def photos_of(session: ImmichSession, version: Version, person: str, archived: bool) -> list[Asset]:
    """The photos that a person is on, oldest first; no videos, nothing from the trash.

    Args:
        session: to Immich.
        version: Immich's.
        person: the person's id.
        archived: whether photos count that were put into the archive.

    Raises:
        LibraryError: as ``ImmichSession.ask``; or its pages have no end.
    """
    found: dict[str, Asset] = {}
    room = MOST_MEMORY
    for seen_as in (TIMELINE, ARCHIVE) if archived else (TIMELINE,):
        ask = _structured if version >= STRUCTURED_SEARCH else _flat
        seen: set[str] = set()
        for items, last in ask(session, person, seen_as):
            before = len(seen)
            for asset in map(asset_of, items):
                if asset is None or asset.id in seen:
                    continue
                seen.add(asset.id)
                room -= asset.weight
                if asset.shown and (archived or not asset.archived):
                    found.setdefault(asset.id, asset)
            if len(seen) > MOST_PHOTOS or room < 0 or (len(seen) == before and not last):
                raise session.endless()
    return sorted(found.values(), key=lambda each: (each.taken_at is None, each.taken_at or "", each.id))


def _flat(session: ImmichSession, person: str, seen_as: str) -> Iterator[tuple[list[Any], bool]]:
    """Pages, and whether each is the last one."""
    page = 1
    while True:
        asked: dict[str, object] = {
            "personIds": [person],
            "type": "IMAGE",
            "visibility": seen_as,
            "size": PAGE,
            "page": page,
            "withExif": True,
        }
        if seen_as == ARCHIVE:
            # Before 1.133, which drop ``visibility``.
            asked["withArchived"] = True
        answer = _assets(session, asked)
        following = answer.get("nextPage")
        yield answer["items"], not following
        if not following:
            return
        if str(following) != str(page + 1):
            raise session.endless()
        page += 1


def _structured(session: ImmichSession, person: str, seen_as: str) -> Iterator[tuple[list[Any], bool]]:
    """Pages, and whether each is the last one."""
    # Without ``trashedAt`` the trash is searched, too.
    wanted = {
        "personIds": {"any": [person]},
        "type": {"eq": "IMAGE"},
        "visibility": {"eq": seen_as},
        "trashedAt": {"eq": None},
    }
    asked: dict[str, object] = {"filter": wanted, "size": PAGE, "withExif": True}
    cursors: set[str] = set()
    while True:
        answer = _assets(session, asked)
        cursor = answer.get("nextCursor")
        yield answer["items"], not cursor
        if not cursor and answer.get("nextPage"):
            raise _strange(session)
        if not cursor:
            return
        if not isinstance(cursor, str) or cursor in cursors:
            raise session.endless()
        cursors.add(cursor)
        asked["cursor"] = cursor


def _assets(session: ImmichSession, asked: dict[str, object]) -> dict[str, Any]:
    """What a search answers about photos, with its list of ``items``. Raises LibraryError where it is none."""
    answer = session.ask(SEARCH, asked)
    assets = answer.get("assets") if isinstance(answer, dict) else None
    if not isinstance(assets, dict) or not isinstance(assets.get("items"), list):
        raise _strange(session)
    return assets


def _strange(session: ImmichSession) -> LibraryError:
    what = f"{session.address.where} does not answer as Immich does"
    return LibraryError(what, "update Immich, or check the address")
