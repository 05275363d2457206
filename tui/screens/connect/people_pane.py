"""The pane with the library's people: one row each, found by a part of the name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from engine.counting import many
from engine.library.people import Person
from engine.library.spelling import folded
from tui.widgets.ink import Ink, Line, giving_way, title_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.settings import PersonSettings

NOBODY = ([(" The library's people are listed here once it is connected.", Ink.MUTED)],)
"""What stands in the list before that, and where it has none."""

ROW_CELLS = 100
"""No person's row is wider."""

NAME_CELLS = 16
"""Enough of a person's name to know who it is, and the mark before it."""


class PeoplePane(Vertical):
    """The people of the library that was looked at; marks whom the project is about."""

    def __init__(self) -> None:
        super().__init__(id="people-pane", classes="pane")
        self.border_title = "people"
        self._people: tuple[Person, ...] = ()
        self._faces = 0
        self._subject: str | None = None

    def compose(self) -> ComposeResult:
        """The search line, the list."""
        yield TextLine(placeholder="a name", id="find")
        yield Rows[Person](self._draw, nothing=NOBODY, id="people")

    def on_mount(self) -> None:
        """The search line appears when it is asked for."""
        self.query_one("#find").display = False

    @property
    def people(self) -> tuple[Person, ...]:
        """All of them, whatever is searched for."""
        return self._people

    @property
    def person(self) -> Person | None:
        """The person under the cursor."""
        person: Person | None = self.query_one("#people", Rows).item
        return person

    def show_people(self, people: Sequence[Person], faces: int, subject: PersonSettings | None) -> None:
        """Lists other people.

        Args:
            people: in the order in which they are listed.
            faces: how many faces the library has.
            subject: whom the project is about.
        """
        self._people, self._faces = tuple(people), faces
        self._subject = subject.uid if subject is not None else None
        self._list()

    def mark(self, subject: PersonSettings) -> None:
        """Marks whom the project is about."""
        if subject.uid != self._subject:
            self._subject = subject.uid
            self._list()

    def find(self) -> None:
        """Shows the search line, with the focus."""
        find = self.query_one("#find", TextLine)
        find.display = True
        find.focus()

    @on(TextLine.Changed, "#find")
    def _list(self) -> None:
        wanted = folded(self.query_one("#find", TextLine).value.strip())
        people = [person for person in self._people if wanted in folded(person.name)]
        self.query_one("#people", Rows).show(people)
        found = f"{len(people)} of {len(self._people)}" if wanted else f"{len(self._people):,}"
        self.border_title = title_of(f"people · {found} · {many(self._faces, 'face')}" if self._people else "people")

    def _draw(self, person: Person, width: int) -> Line:
        return person_line(person, width, self._subject)


def person_line(person: Person, width: int, chosen: str | None) -> Line:
    """A person's row: name, faces, how many of them are confirmed, the years."""
    years = f"{person.first_year}–{person.last_year}" if person.first_year else ""
    if person.first_year == person.last_year:
        years = f"{person.first_year or ''}"
    confirmed = " " * 17 if person.confirmed is None else f"{person.confirmed:>7,} confirmed"
    told: list[Line] = [
        [(f"{person.faces:>7,} {'face ' if person.faces == 1 else 'faces'} ", Ink.PLAIN)],
        [(confirmed, Ink.PLAIN)],
        [(f"   {years:<9} ", Ink.MUTED)],
    ]
    # On a wide screen the eye would lose the row between a name and its numbers.
    width = min(width, ROW_CELLS)
    mark = ("● " if person.id == chosen else "  ", Ink.ACTIVE)
    name: Line = [mark, (person.name, Ink.STRONG if person.id == chosen else Ink.PLAIN)]
    return giving_way(name, told, width, least=NAME_CELLS)
