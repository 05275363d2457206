"""Screen 2: which faces are good. One key a face, saved before the next key is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import LimnerError
from engine.faces.geometry import Cut, Framing
from engine.faces.ledger import Decision, Face, Ledger
from engine.store import Store
from tui.actions import Scope, actions_of
from tui.bindings import bindings_for
from tui.face_pictures import face_picture, whole_picture
from tui.screens import face_choices
from tui.screens.base import WorkScreen
from tui.screens.measuring import Measuring
from tui.widgets.face_lines import face_facts, face_line, meter_line
from tui.widgets.filter_line import FilterLine
from tui.widgets.ink import Ink, Line, content_of, key_line, title_of
from tui.widgets.portrait import Portrait, Subject
from tui.widgets.rows import Rows
from tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from engine.faces.columns import FaceColumns
    from engine.faces.filter import Selection

AHEAD = 3
"""How many pictures after the cursor are drawn before they are asked for."""

HINTS = 6
"""How many completions of the word being typed are shown."""


class FacesScreen(WorkScreen):
    """The faces of the person, filtered, decided on one by one."""

    SCOPE = Scope.FACES
    CSS_PATH = "faces.tcss"
    BINDINGS = bindings_for(Scope.FACES)
    QUESTION = "Which faces are good?"
    AUTO_FOCUS = "#faces"
    EMPTY = (
        [("Here you say which faces are good enough to learn from: some twenty do.", Ink.PLAIN)],
        [],
        [("No faces have been scanned yet.", Ink.ATTENTION)],
        [],
        key_line("1", "goes to Connect; there, enter scans the person under the cursor."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._store: Store | None = None
        self._columns: FaceColumns | None = None
        self._selection: Selection | None = None
        self._saved: dict[str, str] = {}
        self._target: dict[Framing, int] = {}
        self._version: int | None = None
        self._whole = False
        self._filter_error: LimnerError | None = None
        self._hints: list[str] = []
        self._measuring = Measuring(self)

    def body(self) -> Iterable[Widget]:
        """The filter, the list, the picture with its facts, the meter."""
        with Horizontal(id="filter-line"):
            yield Static("/", classes="slash")
            hint = "px>512 sharp>40 year:2015..2024 -is:duplicate sort:sharp, or part of a name"
            yield FilterLine(lambda: self._saved, placeholder=hint, id="filter")
        with Horizontal(id="panes"):
            with Vertical(id="list-pane", classes="pane"):
                yield Rows[Face](self._line, id="faces")
            with Vertical(id="picture-pane", classes="pane"):
                yield Portrait(id="picture")
                yield Static(id="facts")
        yield Static(id="meter")

    def shown(self) -> None:
        """Reads the faces anew where a scan, a job or a command changed the project."""
        project = self.project
        version = self.ledger.version()
        if version == self._version:
            return
        self._version = version

        def read() -> tuple[FaceColumns, dict[str, str], dict[Framing, int], int]:
            from engine.faces.columns import FaceColumns
            from engine.faces.measure import unmeasured
            from engine.faces.pick import target_of
            from engine.faces.saved import SavedFilters

            settings = project.settings
            with project.store() as store:
                faces, saved = Ledger(store).faces(settings.person.uid), SavedFilters(store).all()
            return FaceColumns(faces).ready(), saved, target_of(settings.faces), unmeasured(faces)

        self.do("read", read, self._take)

    def status(self) -> Line:
        """``214 of 1,098 · 18 kept``, how measuring goes, or what is wrong with the filter."""
        if self._filter_error is not None:
            return [(self._filter_error.one_line(), Ink.ATTENTION)]
        columns = self._columns
        if columns is None:
            return []
        kept, shown = int(columns.states["keep"].sum()), len(self._selection or ())
        hints = "  ".join(self._hints[:HINTS])
        return [
            (f"{hints}   " if hints else "", Ink.MUTED),
            *self._measuring.status(),
            (f"{shown:,}", Ink.STRONG),
            (f" of {len(columns):,} · ", Ink.MUTED),
            (f"{kept:,} kept", Ink.GOOD if kept else Ink.MUTED),
        ]

    def focus_list(self) -> None:
        """The faces, at once: the next key may be here already."""
        self.set_focus(self.rows)

    @property
    def rows(self) -> Rows[Face]:
        """The list."""
        return self.query_one("#faces", Rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without faces there is nothing to decide; in a field a slash is a letter."""
        if action == "filter" and isinstance(self.focused, TextLine):
            return False
        return bool(self._columns) or action not in {each.verb for each in actions_of(Scope.FACES)}

    def action_keep(self) -> None:
        """Keeps, and goes on."""
        self._decide(Decision.KEEP)

    def action_reject(self) -> None:
        """Rejects, and goes on."""
        self._decide(Decision.REJECT)

    def action_clear(self) -> None:
        """Takes the decision away, and stays."""
        self._decide(Decision.UNDECIDED, go_on=False)

    def action_keep_all(self) -> None:
        """Keeps all that is shown and can be used, once its number was agreed to."""
        face_choices.decide_all(self, Decision.KEEP)

    def action_reject_all(self) -> None:
        """Rejects all that is shown, once its number was agreed to."""
        face_choices.decide_all(self, Decision.REJECT)

    def action_undo(self) -> None:
        """Takes the last decision back."""
        self._turn(undo=True)

    def action_redo(self) -> None:
        """Does it again."""
        self._turn(undo=False)

    def action_next_undecided(self) -> None:
        """To the next face without a decision, from the top again after the last."""
        face_choices.go_to_undecided(self)

    def action_best(self) -> None:
        """To the best of the burst that the face is one of."""
        face_choices.go_to_best(self)

    def action_filter(self) -> None:
        """Into the filter line."""
        self.set_focus(self.query_one("#filter"))

    def action_save_filter(self) -> None:
        """Asks for the name that the filter is saved under."""
        face_choices.save_filter(self, self.query_one("#filter", TextLine).value.strip())

    def action_framing(self) -> None:
        """Cuts the face closer or with more around it; part of the journal, so that u takes it back."""
        face_choices.next_framing(self)

    def action_crop(self) -> None:
        """Into the crop editor."""
        face_choices.crop_by_hand(self)

    def action_whole(self) -> None:
        """The whole photo, or the crop again."""
        self._whole = not self._whole
        self._show_picture()

    def action_compare(self) -> None:
        """Two faces side by side."""
        from tui.screens.comparing import CompareScreen

        def done(face_id: int | None) -> None:
            place = self._place(face_id) if face_id is not None else None
            if place is not None:
                self.rows.cursor = place

        self.app.push_screen(CompareScreen(self.rows.items, self.rows.cursor, self._decide_on, self._subject), done)

    def action_view(self) -> None:
        """The picture alone."""
        from tui.screens.large import LargeScreen

        def step(by: int) -> None:
            self.rows.cursor += by

        def current() -> tuple[Subject | None, Line]:
            face = self.rows.item
            return (self._subject(face), face_line(face, 200)) if face is not None else (None, [])

        self.app.push_screen(LargeScreen(current, step))

    def action_pick(self) -> None:
        """Shows what would be picked and why; agreed to, it is kept as one action that one undo takes back."""
        if self._columns is not None:
            face_choices.pick_faces(self, list(self._columns.faces), dict(self._target))

    def action_measure(self) -> None:
        """Measures what is new."""
        self._measuring.start()

    def action_build(self) -> None:
        """Builds the training images from the kept faces, and goes to see them."""
        from tui.screens.building import build_dataset

        build_dataset(self)

    @on(TextLine.Changed, "#filter")
    def _typed(self) -> None:
        self._select()

    @on(TextLine.Submitted, "#filter")
    def _filtered(self) -> None:
        self.focus_list()

    @on(Rows.Moved, "#faces")
    def _moved(self) -> None:
        self._show_picture()

    @on(Rows.Chosen, "#faces")
    def _chosen(self) -> None:
        self.action_view()

    def on_unmount(self) -> None:
        """Closes the database."""
        if self._store is not None:
            self._store.close()

    def remember(self, saved: dict[str, str]) -> None:
        """Other filters are saved now."""
        self._saved = saved

    @property
    def store(self) -> Store:
        """The database of the app's own thread; opened once, for a decision must cost no more than its write."""
        if self._store is None:
            self._store = Store(self.project.root / "limner.db")
        return self._store

    @property
    def ledger(self) -> Ledger:
        """Faces and decisions."""
        return Ledger(self.store)

    def _line(self, face: Face, width: int) -> Line:
        heads = self._selection.heads if self._selection else {}
        return face_line(face, width, heads.get(face.id, "") if heads else None)

    def _take(self, read: tuple[FaceColumns, dict[str, str], dict[Framing, int], int]) -> None:
        self._columns, self._saved, self._target, unmeasured = read
        self.show_empty(None if len(self._columns) else self.EMPTY)
        self.keys_changed()
        self._select()
        if unmeasured:
            self._measuring.once_for(face.id for face in self._columns.faces)

    def _select(self) -> None:
        """Filters: a few milliseconds for a hundred thousand faces, so that every key shows its count at once."""
        from engine.faces.filter import FilterError, filter_as_typed

        if self._columns is None:
            return
        field = self.query_one("#filter", FilterLine)
        try:
            self._selection, self._hints = filter_as_typed(field.value, self._columns, self._saved)
            self._filter_error = None
            field.point_at(0, 0)
        except FilterError as error:
            self._filter_error = error
            field.point_at(error.start, error.end)
            self.ask()
            return
        before = self.rows.item
        place = self._selection.place(before.id) if before is not None else None
        self.rows.show(self._selection, place or 0)
        self._show_meter()
        self.ask()

    def _decide(self, decision: Decision, go_on: bool = True) -> None:
        face = self.rows.item
        if face is not None and self._decide_on(face, decision) and go_on:
            self.rows.cursor += 1

    def _decide_on(self, face: Face, decision: Decision) -> bool:
        """Decides on one face, saved before this returns; whether it could be."""
        if face.problem and decision is Decision.KEEP:
            self.notify(f"{face.problem}: it can't become a training image", severity="warning", markup=False)
            return False
        if self.attempt(lambda: self.ledger.decide([face.id], decision)) is None:
            return False
        self.update_faces([face.id])
        return True

    def cut_as(self, face: Face, cut: Cut) -> None:
        """Saves how a face is to be cut, and shows it."""
        if self.attempt(lambda: self.ledger.cut(face.id, cut)) is not None:
            self.update_faces([face.id])
            self._show_picture()

    def _turn(self, undo: bool) -> None:
        try:
            ledger = self.ledger
            action = ledger.undo() if undo else ledger.redo()
        except LimnerError as error:
            self.show_error(error)
            return
        word = "undo" if undo else "redo"
        if action is None:
            self.say(f"There is nothing to {word}.")
            return
        self.update_faces(action.faces)
        place = self._place(action.faces[0]) if action.faces else None
        if place is not None:
            self.rows.cursor = place
        self.say(f"{'Undid' if undo else 'Redid'}: {action.label}")

    def update_faces(self, ids: Sequence[int]) -> None:
        """Takes the decisions and cuts of some faces from the database into what is shown."""
        columns, ledger = self._columns, self.ledger
        if columns is None:
            return
        for face_id in ids:
            row = columns.row(face_id)
            if row is not None:
                now = ledger.face(face_id)
                columns.update(replace(columns.faces[row], decision=now.decision, cut=now.cut))
        if len(ids) == 1 and (place := self._place(ids[0])) is not None:
            self.rows.redraw(place)
        else:
            self.rows.show(self.rows.items)
        self._show_facts()
        self._show_meter()
        self.ask()

    def _place(self, face_id: int) -> int | None:
        return self._selection.place(face_id) if self._selection is not None else None

    def _subject(self, face: Face) -> Subject:
        from engine.faces.framing import cut_of

        cut = cut_of(face)
        key = (face.id, face.path, face.box, cut, self._whole)
        if self._whole:
            return Subject(key, partial(whole_picture, face, cut))
        return Subject(key, partial(face_picture, self.project.cache, face, cut))

    def _show_picture(self) -> None:
        face, rows = self.rows.item, self.rows
        portrait = self.query_one("#picture", Portrait)
        if face is None:
            portrait.show(None, words=[("no face fits the filter", Ink.MUTED)] if self._columns else [])
        elif face.problem:
            portrait.show(None, words=[(face.problem, Ink.ATTENTION)])
        else:
            after = [other for other in rows.items[rows.cursor + 1 : rows.cursor + 1 + AHEAD] if not other.problem]
            portrait.show(self._subject(face), [self._subject(other) for other in after])
        self._show_facts()

    def _show_facts(self) -> None:
        face = self.rows.item
        pane, facts = self.query_one("#picture-pane"), self.query_one("#facts", Static)
        pane.border_title = title_of(f"{(face.taken_at or 'no date')[:10]} {face.file_name}"[-60:] if face else "")
        facts.update(content_of(*face_facts(face, self._whole, narrow=self.size.width < 100)) if face else "")

    def _show_meter(self) -> None:
        from engine.faces.mix import mix_of

        columns = self._columns
        if columns is None:
            return
        kept = [columns.faces[row] for row in columns.states["keep"].nonzero()[0]]
        line = meter_line(mix_of(kept, self._target), max(20, self.size.width - 2))
        self.query_one("#meter", Static).update(content_of(line), layout=False)
