"""The people of PhotoPrism's index, counted by one query."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, select

from engine.errors import LibraryError
from engine.library.people import MOST_PEOPLE, Person
from engine.library.photoprism_sql.rows import AT_ONCE
from engine.library.photoprism_sql.schema import Schema
from engine.library.photoprism_terms import CONFIRMED
from engine.library.values import date_of, text_of


def read_people(connection: Connection, schema: Schema, private: bool) -> list[Person]:
    """Everyone who is neither hidden nor deleted and has a face, those with the most faces first."""
    m, s, p = schema.markers, schema.subjects, schema.photos
    counts = (
        func.count().label("faces"),
        func.sum(case((m.c.subj_src.in_(CONFIRMED), 1), else_=0)).label("confirmed"),
        func.min(p.c.taken_at).label("first"),
        func.max(p.c.taken_at).label("last"),
    )
    query = schema.faces_of_people(select(s.c.subj_uid, s.c.subj_name, *counts), private)
    query = query.group_by(s.c.subj_uid, s.c.subj_name).limit(MOST_PEOPLE + 1)
    people = [
        Person(
            id=text_of(row.subj_uid),
            name=text_of(row.subj_name),
            faces=int(row.faces),
            confirmed=int(row.confirmed),
            first_year=_year(row.first),
            last_year=_year(row.last),
        )
        for row in connection.execute(query, execution_options={"yield_per": AT_ONCE})
    ]
    if len(people) > MOST_PEOPLE:
        raise LibraryError(f"the library has more than {MOST_PEOPLE:,} people", "give PhotoPrism's own index")
    return sorted(people, key=lambda person: (-person.faces, person.name.casefold(), person.id))


def _year(value: object) -> int | None:
    taken = date_of(value)
    return int(taken[:4]) if taken else None
