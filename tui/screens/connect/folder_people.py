"""The persons of a plain folder, named and merged by keys; PhotoPrism's people are named and merged there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.counting import many
from engine.library.people import Person
from tui.actions import Scope
from tui.screens.shared.ask_text import AskText
from tui.screens.shared.dialogs import Confirm
from tui.screens.shared.overlay import Hints, Overlay, overlay_bindings
from tui.widgets.ink import Ink, Line, spread, title_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from engine.library.kind import EditablePeople
    from engine.settings import LibrarySettings
    from tui.screens.shared.base import WorkScreen


class AskPerson(Overlay[Person | None]):
    """Asks for one of several people."""

    CSS_PATH = "ask_person.tcss"
    SCOPES = (Scope.CHOICE,)
    BINDINGS = overlay_bindings(Scope.CHOICE)

    def __init__(self, question: str, people: list[Person]) -> None:
        super().__init__()
        self._question = question
        self._people = people

    def compose(self) -> ComposeResult:
        """The people, the keys."""
        with Vertical() as box:
            box.border_title = title_of(self._question)
            yield Rows[Person](_person_line)
            yield Hints("{choice.take} this one   {choice.leave} cancel")

    def on_mount(self) -> None:
        """Fills the list."""
        self.query_one(Rows).show(self._people)

    def action_take(self) -> None:
        """Closes with the person under the cursor."""
        self.dismiss(self.query_one(Rows).item)

    def action_leave(self) -> None:
        """Closes with nobody."""
        self.dismiss(None)


def rename_person(screen: WorkScreen, person: Person, library: LibrarySettings, then: Callable[[], object]) -> None:
    """Asks for the person's name and keeps it; ``then`` is called once it is kept."""

    def named(name: str | None) -> None:
        if name and name != person.name:
            _change(
                screen,
                library,
                lambda opened: (opened.rename(person.id, name)[1], [person.id], person.id),
                f"{person.name} is {name} now.",
                then,
            )

    detail = f"{person.name}, {many(person.faces, 'face')}"
    screen.app.push_screen(AskText("What is the person's name?", detail, person.name), named)


def merge_person(
    screen: WorkScreen,
    person: Person,
    people: list[Person],
    library: LibrarySettings,
    then: Callable[[], object],
) -> None:
    """Asks who else the person is, and makes one of both once that was agreed to; then calls ``then``."""

    def chosen(other: Person | None) -> None:
        if other is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                _change(
                    screen,
                    library,
                    lambda opened: (opened.merge(person.id, [other.id])[0].name, [other.id], person.id),
                    f"{person.name} has {many(person.faces + other.faces, 'face')} now. {{connect.scan}} imports them.",
                    then,
                )

        question = f"Are {person.name} and {other.name} one person?"
        detail = f"All {many(person.faces + other.faces, 'face')} are {person.name}'s then. This can't be undone."
        screen.app.push_screen(Confirm(question, detail), answered)

    others = [each for each in people if each.id != person.id]
    if not others:
        screen.say("There is nobody else to merge with.")
        return
    screen.app.push_screen(AskPerson(f"Who else is {person.name}?", others), chosen)


def _change(
    screen: WorkScreen,
    settings: LibrarySettings,
    change: Callable[[EditablePeople], tuple[str, list[str], str]],
    told: str,
    then: Callable[[], object],
) -> None:
    """Does it in a thread. ``change`` returns a name, who has it now by another id, and that id: where the project is
    about one of them, it stays so."""
    project = screen.project

    def work() -> None:
        from engine.errors import LibraryError
        from engine.library.kind import EditablePeople
        from engine.library.registry import connect, kind_of

        with connect(settings, None, project.root) as library:
            opened: Any = library
            if not isinstance(opened, EditablePeople):
                writer = kind_of(library.address).title
                raise LibraryError(f"{writer} keeps these people, and Limner never writes to it", "name them there")
            name, were, is_now = change(opened)
        if project.settings.person.uid in were:
            project.change({"person.uid": is_now, "person.name": name})

    def done(_: None) -> None:
        screen.say(told)
        then()

    screen.run_queued(work, done)


def _person_line(person: Person, width: int) -> Line:
    return spread([(person.name, Ink.PLAIN)], [(f"{many(person.faces, 'face')} ", Ink.MUTED)], width)
