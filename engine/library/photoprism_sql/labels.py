"""What PhotoPrism says of photos: the labels that it or a person gave them, and where they were taken.

Names: PhotoPrism's ``internal/entity`` (``label.go``, ``photo_label.go``, ``place.go``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, bindparam, inspect, text

from engine.library.photo_words import PhotoWords
from engine.library.photoprism_terms import LEAST_SURE, UNKNOWN_PLACE
from engine.library.values import text_of

AT_ONCE = 200
"""Photos a query."""

_LABELS = """
SELECT p.photo_uid AS photo, l.label_name AS name FROM photos p
JOIN photos_labels pl ON pl.photo_id = p.id JOIN labels l ON l.id = pl.label_id
WHERE p.photo_uid IN :photos AND pl.uncertainty <= :most AND l.deleted_at IS NULL
ORDER BY pl.uncertainty, l.label_name
"""

_PLACES = """
SELECT p.photo_uid AS photo, s.place_city AS city, s.place_label AS label FROM photos p
JOIN places s ON s.id = p.place_id WHERE p.photo_uid IN :photos
"""


def read_words(connection: Connection, photos: Collection[str]) -> Iterator[PhotoWords]:
    """Labels and places of photos; of a release without these tables nothing is told."""
    wanted = sorted(set(photos))
    tables = set(inspect(connection).get_table_names())
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        labels = _labels(connection, some) if {"labels", "photos_labels"} <= tables else {}
        places = _places(connection, some) if "places" in tables else {}
        yield from (PhotoWords(uid, tuple(labels.get(uid, ())), places.get(uid, "")) for uid in some)


def _labels(connection: Connection, photos: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    query = text(_LABELS).bindparams(bindparam("photos", expanding=True))
    for row in connection.execute(query, {"photos": photos, "most": LEAST_SURE}):
        found.setdefault(text_of(row.photo), []).append(text_of(row.name))
    return found


def _places(connection: Connection, photos: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    query = text(_PLACES).bindparams(bindparam("photos", expanding=True))
    for row in connection.execute(query, {"photos": photos}):
        names = (text_of(row.city), text_of(row.label).partition(",")[0])
        place = next((name.strip() for name in names if name.strip() not in UNKNOWN_PLACE), "")
        if place:
            found[text_of(row.photo)] = place
    return found
