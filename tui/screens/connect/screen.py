"""Screen 1: where the photos are, whether they can be read, and whose faces to take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from textual import on
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from engine.counting import many
from engine.errors import LimnerError
from engine.events import JobState
from engine.library.spelling import folded
from engine.project import create_project
from engine.security.trust import NotConfirmed
from tui.actions import Scope
from tui.app.job_watcher import JobFollower, JobStatus
from tui.screens.connect.confirm_server import ask_to_confirm
from tui.screens.connect.fields import FIELDS, Checked, Entered, look
from tui.screens.connect.folder_people import merge_person, rename_person
from tui.screens.shared.base import NOTHING_HERE, WorkScreen
from tui.screens.shared.dialogs import NewProject, NewWords
from tui.text.meter import bar
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, Line, content_of, giving_way, key_line, title_of
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.library.people import Person
    from engine.settings import LibrarySettings, PersonSettings, Settings

NOBODY = ([(" Here the people of the library are listed, once it was looked at.", Ink.MUTED)],)
"""What stands in the list before that, and where it has none."""

ROW_CELLS = 100
"""No person's row is wider."""

NAME_CELLS = 16
"""Enough of a person's name to know who it is, and the mark before it."""

POLL_SECONDS = 0.25
"""How often a scan's log is looked at."""


def person_line(person: Person, width: int, chosen: str | None) -> Line:
    """A person's row: name, faces, how many of them are confirmed, the years."""
    years = f"{person.first_year}–{person.last_year}" if person.first_year else ""
    if person.first_year == person.last_year:
        years = f"{person.first_year or ''}"
    confirmed = " " * 17 if person.confirmed is None else f"{person.confirmed:>7,} confirmed"
    told: list[Line] = [
        [(f"{person.faces:>7,} faces ", Ink.PLAIN)],
        [(confirmed, Ink.PLAIN)],
        [(f"   {years:<9} ", Ink.MUTED)],
    ]
    # On a wide screen the eye would lose the row between a name and its numbers.
    width = min(width, ROW_CELLS)
    mark = ("● " if person.id == chosen else "  ", Ink.ACTIVE)
    name: Line = [mark, (person.name, Ink.STRONG if person.id == chosen else Ink.PLAIN)]
    return giving_way(name, told, width, least=NAME_CELLS)


class ConnectScreen(WorkScreen):
    """Asks for the library, tests it, and starts scans."""

    SCOPE = Scope.CONNECT
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings_for(Scope.CONNECT)
    QUESTION = "Where are your photos?"
    AUTO_FOCUS = "#people"
    EMPTY = (
        [("Limner learns one person from your photos, and paints portraits.", Ink.PLAIN)],
        [],
        NOTHING_HERE,
        [],
        key_line("{connect.new_project}", "makes one here: a settings file, a small database, nothing else."),
        [],
        [("To try it all with drawn people, leave with {app.quit} and run: limner demo DIR", Ink.MUTED)],
    )
    NO_PROJECT = EMPTY

    def __init__(self) -> None:
        super().__init__()
        self._people: tuple[Person, ...] = ()
        self._photos: LimnerError | None = None
        """Why the photos of what was looked at can't be opened."""
        self._photos_of: Entered | None = None
        self._looked_at: Entered | None = None
        self._results: list[Line] = []
        self._scan: JobFollower | None = None
        self._scanning = ""
        self._timer: Timer | None = None
        self._password = ""
        self._person: PersonSettings | None = None
        self._grouped: LibrarySettings | None = None
        """The library, where it is a plain folder that was looked at."""
        self._faces = 0

    def body(self) -> Iterable[Widget]:
        """The fields, what the test said, the people."""
        with Vertical(id="form"):
            for name, hint in FIELDS:
                with Horizontal(classes="field"):
                    yield Static(name, classes="label")
                    yield TextLine(placeholder=hint, password=name == "password", id=name)
        yield Static(id="results")
        with Vertical(id="people-pane", classes="pane") as pane:
            pane.border_title = "people"
            yield TextLine(placeholder="a name", id="find")
            yield Rows[Any](self._draw, nothing=NOBODY, id="people")

    def on_mount(self) -> None:
        """Fills the fields from the settings, and looks at the library if there is one."""
        self.query_one("#find").display = False
        if self.limner.project is not None:
            # A thread that reads would take turns with what draws the first frame.
            self.call_after_refresh(self._read_settings, self._fill)

    def status(self) -> Line:
        """Whom the project is about, as soon as its settings are read."""
        if self._person is None:
            return []
        person = self._person
        name = [(f"{person.name} is ", Ink.MUTED)] if person.name else []
        return [*name, (f"{person.trigger} {person.class_word}", Ink.ACTIVE)]

    def shown(self) -> None:
        """The settings may have changed elsewhere."""
        self._read_settings(lambda _: None)

    def _read_settings(self, then: Callable[[Settings], None]) -> None:
        """In a thread: the first time they are read takes as long as all the rest up to the first frame."""
        project = self.project

        def read(settings: Settings) -> None:
            self._person = settings.person
            self.ask()
            then(settings)

        self.do("fill" if then == self._fill else "settings", lambda: project.settings, read)

    def focus_list(self) -> None:
        """The people."""
        self.set_focus(self.query_one("#people"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a project there is nothing but making one."""
        if action in ("scan", "find"):
            return bool(self._people)
        if action in ("test", "save", "edit"):
            return self.limner.project is not None
        if action == "new_project":
            return self.limner.project is None
        if action in ("rename", "merge"):
            return bool(self._people) and self._grouped is not None
        return True

    def action_new_project(self) -> None:
        """Asks for the words and makes the project."""

        def made(words: NewWords | None) -> None:
            if words is None:
                return
            project = self.attempt(lambda: create_project(self.limner.folder, words.trigger, words.class_word))
            if project is None:
                # What was written is there to be mended.
                self.app.push_screen(NewProject(str(self.limner.folder), words), made)
                return
            self.limner.use_project(project)
            self.show_empty(None)
            self._read_settings(self._fill)
            self.keys_changed()
            self.query_one("#address").focus()

        self.app.push_screen(NewProject(str(self.limner.folder)), made)

    def action_rename(self) -> None:
        """Gives the person under the cursor a name."""
        person = self.query_one("#people", Rows).item
        if person is not None and self._grouped is not None:
            rename_person(self, person, self._grouped)

    def action_merge(self) -> None:
        """Makes one of the person under the cursor and another."""
        person = self.query_one("#people", Rows).item
        if person is not None and self._grouped is not None:
            merge_person(self, person, list(self._people), self._grouped)

    def action_edit(self) -> None:
        """Into the address."""
        self.set_focus(self.query_one("#address"))

    def action_find(self) -> None:
        """Shows the search line."""
        find = self.query_one("#find", TextLine)
        find.display = True
        self.set_focus(find)

    def action_test(self) -> None:
        """Looks at what the fields name; saves nothing."""
        self._look(asked=True)

    def action_save(self) -> None:
        """Writes the fields into the settings and looks again."""
        if not self._save():
            return
        if self._is_folder():
            self._look_for_faces()
        else:
            self._look(asked=True)

    def _is_folder(self) -> bool:
        """Whether the address is that of a plain folder."""
        return self._entries().address.lower().startswith("folder://")

    def _look_for_faces(self) -> None:
        """Starts the job that looks through a plain folder."""
        if self._scan is not None:
            self.notify("A scan is under way already.", severity="warning", timeout=3)
            return
        project = self.project

        def begin() -> JobFollower:
            from engine.faces.scan import start_index

            return JobFollower(start_index(project))

        self._show_results([[("· ", Ink.MUTED), ("looking for faces …", Ink.MUTED)]])
        self.do("scan", begin, lambda follower: self._follow(follower, ""))

    def _follow(self, follower: JobFollower, name: str) -> None:
        self._scan = follower
        self._scanning = name
        self._timer = self.set_interval(POLL_SECONDS, self._poll)

    def action_scan(self) -> None:
        """Starts a scan of the person under the cursor."""
        person: Person | None = self.query_one("#people", Rows).item
        if person is None:
            return
        if self._scan is not None:
            self.notify("A scan is under way already.", severity="warning", timeout=3)
            return
        if self._photos is not None and self._photos_of == self._entries():
            # Every face would come to nothing: the field that is wrong is shown instead.
            self.show_error(self._photos)
            self.set_focus(self.query_one("#originals"))
            return
        if not self._save():
            return
        project, name, password = self.project, person.id, self._password or None

        def begin() -> JobFollower:
            from engine.faces.scan import start_scan

            return JobFollower(start_scan(project, name, password))

        self._show_results([[("· ", Ink.MUTED), (f"scanning {person.name} …", Ink.MUTED)]])
        self.do("scan", begin, lambda follower: self._follow(follower, person.name))

    @on(TextLine.Changed, "#find")
    def _found(self) -> None:
        self._show_people()

    @on(TextLine.Submitted)
    def _entered(self, event: TextLine.Submitted) -> None:
        order = [name for name, _ in FIELDS]
        if event.input.id == "find" or event.input.id == order[-1]:
            self.focus_list()
            if event.input.id != "find":
                self._look(asked=True)
        else:
            # At once: the next key may be here already.
            self.set_focus(self.query_one(f"#{order[order.index(event.input.id or order[0]) + 1]}"))

    @on(Rows.Chosen, "#people")
    def _chosen(self) -> None:
        self.action_scan()

    def _fill(self, settings: Settings) -> None:
        """Writes the settings into the fields, but where somebody was quicker."""
        library = settings.library
        values = {"address": library.url or "", "originals": library.originals, "sidecar": library.sidecar}
        if library.url and library.url.startswith("folder://"):
            values |= {"address": unquote(library.url)}
        elif library.url and library.url.startswith("sqlite://"):
            values |= {"address": "/" + library.url.removeprefix("sqlite://").lstrip("/")}
        elif library.url and "://" in library.url:
            scheme, _, rest = library.url.partition("://")
            user, at, host = rest.rpartition("@")
            values |= {"address": f"{scheme}://{host}", "user": user if at else ""}
        for name, value in values.items():
            field = self.query_one(f"#{name}", TextLine)
            field.value = field.value or str(value or "")
        if library.url:
            self._look()
        else:
            first = [
                *key_line(self.keyed("{connect.edit}"), "goes to the address; "),
                (self.keyed("{field.submit}"), Ink.ACTIVE),
                (" goes on, and tests in the end.", Ink.PLAIN),
            ]
            self._show_results([first, [("Nothing is ever written to the library.", Ink.MUTED)]])

    def _entries(self) -> Entered:
        return Entered(*(self.query_one(f"#{name}", TextLine).value.strip() for name, _ in FIELDS))

    def _look(self, asked: bool = False) -> None:
        """Looks at the library; where ``asked`` by a key, an address that was never confirmed is asked about."""
        entered = self._entries()
        self._password, self._looked_at = entered.password, entered
        base, private = self.project.root, False
        self._show_results([[("· looking …", Ink.MUTED)]])

        def refused(error: LimnerError) -> None:
            self._not_looked(error)
            if asked and isinstance(error, NotConfirmed):
                ask_to_confirm(self, error, "your password", self._look)

        self.do("look", lambda: look(entered, private, base), self._looked, refused)

    def _looked(self, checked: Checked) -> None:
        self._people = checked.people
        self._photos, self._photos_of = checked.photos, self._looked_at
        self._grouped = checked.settings if (checked.settings.url or "").startswith("folder://") else None
        about = checked.about
        said = " · ".join((about.about, many(about.photos, "photo")))
        self._faces = about.faces
        lines: list[Line] = [[("✓ ", Ink.GOOD), (said, Ink.PLAIN)]]
        for good, text in checked.roots:
            lines.append([("✓ " if good else "✗ ", Ink.GOOD if good else Ink.BAD), (text, Ink.PLAIN)])
        self._show_results(lines)
        self._show_people()
        self.keys_changed()

    def _not_looked(self, error: LimnerError) -> None:
        self._people = ()
        self._show_people()
        self.keys_changed()
        lines: list[Line] = [[("✗ ", Ink.BAD), (error.what, Ink.PLAIN)]]
        if isinstance(error, NotConfirmed):
            confirms = key_line(self.keyed("{connect.test}"), "confirms it, if it is yours")
            lines.append([("  → ", Ink.ATTENTION), *confirms])
        elif error.fix:
            lines.append([("  → ", Ink.ATTENTION), (error.fix, Ink.PLAIN)])
        self._show_results(lines)

    def _save(self) -> bool:
        """Writes what differs from the settings. Returns whether the settings now hold the fields."""
        entered, project = self._entries(), self.project
        self._password = entered.password

        def write() -> bool:
            before = project.settings.library
            after = entered.settings(before.private, project.root, before)
            changes: dict[str, Any] = {
                f"library.{name}": getattr(after, name)
                for name in ("url", "originals", "sidecar")
                if getattr(after, name) != getattr(before, name)
            }
            if changes:
                project.change(changes)
                self.say("Saved")
            return True

        saved = self.attempt(write) or False
        if saved and entered.password:
            self.do("password", lambda: self._keep_password(entered), lambda _: None)
        return saved

    def _keep_password(self, entered: Entered) -> None:
        """In a thread: puts the password into the keyring."""
        from engine.library.address import parse_address
        from engine.library.password import save_password

        settings = entered.settings(False, self.project.root)
        save_password(parse_address(settings.url or ""), entered.password)

    def _show_results(self, lines: list[Line]) -> None:
        self._results = lines
        self.query_one("#results", Static).update(content_of(*lines))

    def _show_people(self) -> None:
        wanted = folded(self.query_one("#find", TextLine).value.strip())
        people = [person for person in self._people if wanted in folded(person.name)]
        # Whoever was scanned, named or merged since may be another.
        self._person = self.project.settings.person
        self.ask()
        rows: Rows[Any] = self.query_one("#people", Rows)
        rows.show(people)
        found = f"{len(people)} of {len(self._people)}" if wanted else f"{len(self._people):,}"
        pane = self.query_one("#people-pane")
        pane.border_title = title_of(f"people · {found} · {many(self._faces, 'face')}" if self._people else "people")

    def _draw(self, person: Person, width: int) -> Line:
        return person_line(person, width, self._person.uid if self._person is not None else None)

    def _poll(self) -> None:
        if self._scan is not None:
            self.do("scan-poll", self._scan.poll, self._scanned)

    def _scanned(self, status: JobStatus) -> None:
        if self._scan is None:
            return
        if not status.state.ended:
            phase = status.phase
            if phase is not None and phase.total:
                what = f"{many(phase.total, 'face')} of {self._scanning}" if phase.name == "faces" else phase.name
                if phase.name == "photos":
                    what = f"{many(phase.total, 'photo')} looked at for faces"
                words = f" {phase.done:,} of {what}"
                self._show_results([[*bar(phase.done / phase.total, 24), (words, Ink.PLAIN)]])
            return
        self._scan = None
        if self._timer is not None:
            self._timer.stop()
        if status.state is JobState.FAILED:
            self._not_scanned(status)
            return
        if not self._scanning:
            self._look()
            return
        total = status.phase.total if status.phase else 0
        faces = many(total, "face")
        broken = (
            f", {many(status.warnings, 'of them can’t be used', 'of them can’t be used')}" if status.warnings else ""
        )
        text = f"{faces} of {self._scanning}{broken}"
        useless = total > 0 and status.warnings >= total
        # A tick is for success.
        mark = ("✗ ", Ink.BAD) if useless else ("✓ ", Ink.GOOD)
        told: list[Line] = [[("· ", Ink.MUTED), (words, Ink.ATTENTION)] for words in status.told]
        self._show_results([[mark, (text, Ink.PLAIN)], *told])
        self.shown()
        if self.is_current:
            self.app.switch_mode(Scope.FACES.value)
            if status.told:
                # On the Faces screen nothing else would say so.
                self.say("; ".join(status.told))
        else:
            self.say("; ".join((f"Scanned: {text}", *status.told)))

    def _not_scanned(self, status: JobStatus) -> None:
        error = status.error or LimnerError("the scan failed", "try again")
        self._show_results(
            [[("✗ ", Ink.BAD), (error.what, Ink.PLAIN)], [("  → ", Ink.ATTENTION), (error.fix, Ink.PLAIN)]]
        )
