"""Screen 1: where the photos are, whether they can be read, and whose faces to take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from engine.counting import many
from engine.errors import LimnerError
from engine.events import JobState
from engine.jobs.folder import JobFolder
from engine.project import create_project
from engine.security.trust import NotConfirmed
from tui.actions import Scope
from tui.app.background.job_watcher import JobStatus
from tui.screens.connect.address_form import AddressForm
from tui.screens.connect.choose_kind import ChooseKind
from tui.screens.connect.confirm_server import ask_to_confirm
from tui.screens.connect.fields import Checked, Entered, kind_at, look
from tui.screens.connect.folder_people import merge_person, rename_person
from tui.screens.connect.people_pane import PeoplePane
from tui.screens.connect.results import MARKS, of_error, of_library
from tui.screens.shared.base import NOTHING_HERE, WorkScreen
from tui.screens.shared.dialogs import NewProject, NewWords
from tui.screens.shared.job_watch import JobWatch
from tui.text.meter import bar
from tui.theming.bindings import bindings_for
from tui.widgets.ink import Ink, Line, content_of, key_line
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.library.kind import LibraryKind
    from engine.library.people import Person
    from engine.settings import LibrarySettings, PersonSettings, Settings


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
        self._photos: LimnerError | None = None
        """Why the photos of what was looked at can't be opened."""
        self._photos_of: Entered | None = None
        self._looked_at: Entered | None = None
        self._results: list[Line] = []
        self._scan = JobWatch(self, "scan", self._scans, self._scanned)
        self._scanning = ""
        self._password = ""
        self._person: PersonSettings | None = None
        self._saved_kind: LibraryKind | None = None
        """What kind of library the settings name."""
        self._grouped: LibrarySettings | None = None
        """The library, where it is a plain folder that was looked at."""

    def body(self) -> Iterable[Widget]:
        """The fields, what the test said, the people."""
        yield AddressForm()
        yield Static(id="results")
        yield PeoplePane()

    def on_mount(self) -> None:
        """Fills the fields from the settings, and looks at the library if there is one."""
        if self.limner.project is not None:
            # A thread that reads would take turns with what draws the first frame.
            self.call_after_refresh(self._read_settings, self._fill)

    def status(self) -> Line:
        """Whom the project is about, as soon as its settings are read."""
        if self._person is None:
            return []
        person = self._person
        name = [(f"{person.name} → ", Ink.MUTED)] if person.name else []
        words = [("trigger ", Ink.MUTED), (person.trigger, Ink.ACTIVE), (", class ", Ink.MUTED)]
        return [*name, *words, (person.class_word, Ink.ACTIVE)]

    @property
    def _form(self) -> AddressForm:
        return self.query_one(AddressForm)

    @property
    def _people(self) -> PeoplePane:
        return self.query_one(PeoplePane)

    def shown(self) -> None:
        """The settings may have changed elsewhere."""
        self._read_settings(lambda _: None)

    def _read_settings(self, then: Callable[[Settings], None]) -> None:
        """In a thread: the first time they are read takes as long as all the rest up to the first frame."""
        project = self.project

        def settings_and_kind() -> tuple[Settings, LibraryKind | None]:
            url = project.settings.library.url
            return project.settings, kind_at(url, project.root) if url else None

        def read(found: tuple[Settings, LibraryKind | None]) -> None:
            settings, self._saved_kind = found
            self._person = settings.person
            self._people.mark(settings.person)
            self.ask()
            then(settings)

        self.run_latest("fill" if then == self._fill else "settings", settings_and_kind, read)

    def focus_list(self) -> None:
        """The people."""
        self.set_focus(self.query_one("#people"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a project there is nothing but making one."""
        if action in ("scan", "find"):
            return bool(self._people.people)
        if action in ("test", "save", "edit", "kind"):
            return self.limner.project is not None
        if action == "new_project":
            return self.limner.project is None
        if action in ("rename", "merge"):
            return bool(self._people.people) and self._grouped is not None
        return True

    def action_new_project(self) -> None:
        """Asks for the words and makes the project."""

        def made(words: NewWords | None) -> None:
            if words is None:
                return
            project = self.try_show(lambda: create_project(self.limner.folder, words.trigger, words.class_word))
            if project is None:
                # What was written is there to be mended.
                self.app.push_screen(NewProject(str(self.limner.folder), words), made)
                return
            self.limner.use_project(project)
            self.show_empty(None)
            self._read_settings(self._fill)
            self.keys_changed()
            self.action_kind()

        self.app.push_screen(NewProject(str(self.limner.folder)), made)

    def action_rename(self) -> None:
        """Gives the person under the cursor a name."""
        person = self._people.person
        if person is not None and self._grouped is not None:
            rename_person(self, person, self._grouped, self.action_test)

    def action_merge(self) -> None:
        """Makes one of the person under the cursor and another."""
        person = self._people.person
        if person is not None and self._grouped is not None:
            merge_person(self, person, list(self._people.people), self._grouped, self.action_test)

    def action_edit(self) -> None:
        """Into the address, once it was said what keeps the photos."""
        if self._form.kind is None:
            self.action_kind()
        else:
            self._form.focus_field("address")

    def action_kind(self) -> None:
        """Asks what keeps the photos, then for what that needs."""

        def chosen(kind: LibraryKind | None) -> None:
            if kind is not None:
                self._choose(kind)
                self._form.focus_field("address")
                hint: Line = [(self.keyed("{field.submit}"), Ink.ACTIVE), (" moves on, then tests.", Ink.PLAIN)]
                self._show_results([hint, [("Nothing is ever written to the library.", Ink.MUTED)]])

        from engine.library.registry import KINDS, kinds

        # A package whose kind can't be loaded is told of, and keeps nobody from the others.
        self.app.push_screen(ChooseKind(self.try_show(kinds) or KINDS, self._form.kind), chosen)

    def _choose(self, kind: LibraryKind) -> None:
        self._form.choose(kind, [(self.keyed("{connect.kind}"), Ink.ACTIVE), (" chooses another", Ink.MUTED)])

    def action_find(self) -> None:
        """Shows the search line."""
        self._people.find()

    def action_test(self) -> None:
        """Looks at what the fields name; saves nothing."""
        if self._form.kind is None and not self._form.entered.address:
            self.action_kind()
        else:
            self._look(asked=True)

    def action_save(self) -> None:
        """Writes the fields into the settings and looks again."""
        if not self._save():
            return
        if self._form.kind is not None and self._form.kind.finds_faces:
            self._look_for_faces()
        else:
            self._look(asked=True)

    def _look_for_faces(self) -> None:
        """Starts the job that looks through a plain folder."""
        if self._scan.watching:
            self.notify("A scan is already running.", severity="warning", timeout=3)
            return
        project = self.project

        def begin() -> JobFolder:
            from engine.faces.scan import start_index

            return start_index(project)

        self._show_results([[("· ", Ink.MUTED), ("looking for faces …", Ink.MUTED)]])
        self._scanning = ""
        self._scan.start(begin)

    def action_scan(self) -> None:
        """Starts a scan of the person under the cursor."""
        person = self._people.person
        if person is None:
            return
        if self._scan.watching:
            self.notify("A scan is already running.", severity="warning", timeout=3)
            return
        if self._photos is not None and self._photos_of == self._form.entered:
            # Every face would come to nothing: the field that is wrong is shown instead.
            self.show_error(self._photos)
            kind = self._form.kind
            asked = any(field.name == "originals" for field in kind.fields) if kind else False
            self._form.focus_field("originals" if asked else "address")
            return
        if not self._save():
            return
        project, name, password = self.project, person.id, self._password or None

        def begin() -> JobFolder:
            from engine.faces.scan import start_scan

            return start_scan(project, name, password)

        self._show_results([[("· ", Ink.MUTED), (f"scanning {person.name} …", Ink.MUTED)]])
        self._scanning = person.name
        self._scan.start(begin)

    @on(AddressForm.Completed)
    def _completed(self) -> None:
        self.focus_list()
        self._look(asked=True)

    @on(TextLine.Submitted, "#find")
    def _found(self) -> None:
        self.focus_list()

    @on(Rows.Chosen, "#people")
    def _chosen(self) -> None:
        self.action_scan()

    def _fill(self, settings: Settings) -> None:
        """Writes the settings into the fields, but where somebody was quicker."""
        library = settings.library
        if library.url:
            if self._saved_kind is not None and self._form.kind is None:
                self._choose(self._saved_kind)
            self._form.fill(library)
            self._look()
        elif self._form.kind is None:
            first = key_line(
                self.keyed("{connect.kind}"), "chooses what keeps your photos: PhotoPrism, Immich, a folder."
            )
            self._show_results([first, [("Nothing is ever written to the library.", Ink.MUTED)]])

    def _look(self, asked: bool = False) -> None:
        """Looks at the library; where ``asked`` by a key, an address that was never confirmed is asked about."""
        entered = self._form.entered
        self._password, self._looked_at = entered.password, entered
        base, private = self.project.root, False
        self._show_results([[("· looking …", Ink.MUTED)]])

        def refused(error: LimnerError) -> None:
            self._not_looked(error)
            if asked and isinstance(error, NotConfirmed):
                kind = self._form.kind
                ask_to_confirm(self, error, f"your {kind.secret_name if kind else 'password'}", self._look)

        self.run_latest("look", lambda: look(entered, private, base), self._looked, refused)

    def _looked(self, checked: Checked) -> None:
        self._photos, self._photos_of = checked.photos, self._looked_at
        self._grouped = checked.settings if checked.editable else None
        self._show_results(of_library(checked))
        self._show_people(checked.people, checked.about.faces)
        self.keys_changed()

    def _not_looked(self, error: LimnerError) -> None:
        self._show_people((), 0)
        self.keys_changed()
        confirms = key_line(self.keyed("{connect.test}"), "confirms it, if it is yours")
        self._show_results(of_error(error, confirms if isinstance(error, NotConfirmed) else None))

    def _save(self) -> bool:
        """Writes what differs from the settings. Returns whether the settings now hold the fields."""
        entered, project = self._form.entered, self.project
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

        saved = self.try_show(write) or False
        if saved and entered.password:
            self.run_latest("password", lambda: self._keep_password(entered), lambda _: None)
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

    def _show_people(self, people: tuple[Person, ...], faces: int) -> None:
        # Whoever was scanned, named or merged since may be another.
        self._person = self.project.settings.person
        self.ask()
        self._people.show_people(people, faces, self._person)

    def _scans(self, status: JobStatus) -> None:
        phase = status.phase
        if phase is not None and phase.total:
            what = f"{many(phase.total, 'face')} of {self._scanning}" if phase.name == "faces" else phase.name
            if phase.name in ("photos", "names"):
                sought = "faces" if phase.name == "photos" else "names that are written into them"
                what = f"{many(phase.total, 'photo')} searched for {sought}"
            words = f" {phase.done:,} of {what}"
            self._show_results([[*bar(phase.done / phase.total, 24), (words, Ink.PLAIN)]])

    def _scanned(self, status: JobStatus) -> None:
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
        mark = MARKS[not useless]
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
        self._show_results(of_error(error))
