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
from engine.library.values import json_text

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
        for items in ask(session, person, seen_as):
            for asset in map(asset_of, items):
                if asset is None or asset.id in found or not asset.shown or (asset.archived and not archived):
                    continue
                found[asset.id] = asset
                room -= asset.weight
            if len(found) > MOST_PHOTOS or room < 0:
                raise session.endless()
    return sorted(found.values(), key=lambda each: (each.taken_at is None, each.taken_at or "", each.id))


def _flat(session: ImmichSession, person: str, seen_as: str) -> Iterator[list[Any]]:
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
        items = answer["items"]
        yield items
        following = json_text(answer, "nextPage")
        if not following:
            return
        if following != str(page + 1) or not items:
            raise session.endless()
        page += 1


def _structured(session: ImmichSession, person: str, seen_as: str) -> Iterator[list[Any]]:
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
        yield answer["items"]
        cursor = json_text(answer, "nextCursor")
        if not cursor:
            return
        if cursor in cursors or not answer["items"]:
            raise session.endless()
        cursors.add(cursor)
        asked["cursor"] = cursor


def _assets(session: ImmichSession, asked: dict[str, object]) -> dict[str, Any]:
    """What a search answers about photos, with its list of ``items``. Raises LibraryError where it is none."""
    answer = session.ask(SEARCH, asked)
    assets = answer.get("assets") if isinstance(answer, dict) else None
    if not isinstance(assets, dict) or not isinstance(assets.get("items"), list):
        what = f"{session.address.where} does not answer as Immich does"
        raise LibraryError(what, "update Immich, or check the address")
    return assets
