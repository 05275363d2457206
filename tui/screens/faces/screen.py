"""Screen 2: which faces are good. One key a face, saved before the next key is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from engine.errors import LimnerError
from engine.faces.photo.geometry import Framing
from engine.faces.records.decisions import Decision, Ledger
from tui.actions import Scope, verbs_of
from tui.screens.faces import commands
from tui.screens.faces.decisions import FaceDecisions
from tui.screens.faces.measuring import Measuring
from tui.screens.faces.view import FacesPanes
from tui.theming.bindings import bindings_for
from tui.widgets.filter_line import FilterLine
from tui.widgets.ink import Ink, Line, key_line
from tui.widgets.text_line import TextLine
from tui.widgets.thumbnails.cache import ThumbnailCache

if TYPE_CHECKING:
    from engine.faces.selection.face_table import FaceColumns

MANY = 5_000
"""From how many faces on the garbage collector is told that they stay."""

HINTS = 6
"""How many completions of the word being typed are shown."""


class FacesScreen(FacesPanes):
    """The faces of the person, filtered, decided on one by one."""

    SCOPE = Scope.FACES
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings_for(Scope.FACES)
    QUESTION = "Which faces are good?"
    AUTO_FOCUS = "#faces"
    COMES_BACK = ("#filter",)
    EMPTY = (
        [("Choose the faces that are good enough to train on: about twenty.", Ink.PLAIN)],
        [],
        [("No faces have been scanned yet.", Ink.ATTENTION)],
        [],
        key_line("{app.connect}", "goes to Connect; there, {connect.scan} scans the person under the cursor."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._version: int | None = None
        self._decisions = FaceDecisions(self)
        self._hints: list[str] = []
        self._measuring = Measuring(self)

    def shown(self) -> None:
        """Reads the faces anew where a scan, a job or a command changed the project."""
        project = self.project
        version = self._decisions.ledger.version()
        if version == self._version:
            return
        self._version = version

        def read() -> tuple[FaceColumns, dict[str, str], dict[Framing, int], int]:
            from engine.faces.selection.face_table import FaceColumns
            from engine.faces.selection.pick import target_of
            from engine.faces.selection.saved_filters import SavedFilters
            from engine.faces.start_measuring import unmeasured

            settings = project.settings
            with project.store() as store:
                faces = Ledger(store).faces(settings.person.uid, gone=True)
                saved = SavedFilters(store).all()
            columns = FaceColumns(faces).ready()
            if len(columns) >= MANY:
                # A hundred thousand faces are a million objects.
                self.limner.idle_gc.keep_what_is_there()
            left = unmeasured(face for face in faces if not face.gone)
            return columns, saved, target_of(settings.faces), left

        self.run_latest("read", read, self._take, self._refused)

    def status(self) -> Line:
        """``214 of 1,098 · 18 kept``, how measuring goes, or what is wrong with the filter."""
        if self.filter_error is not None:
            return [(self.filter_error.one_line(), Ink.ATTENTION)]
        columns = self.columns
        if columns is None:
            return []
        kept, shown = int(columns.states["keep"].sum()), len(self._selection or ())
        gone = int(columns.states["gone"].sum())
        hints = "  ".join(self._hints[:HINTS])
        return [
            (f"{hints}   " if hints else "", Ink.MUTED),
            *self._measuring.status(),
            (f"{shown:,}", Ink.STRONG),
            (f" of {len(columns) - gone:,} · ", Ink.MUTED),
            (f"{kept:,} kept", Ink.GOOD if kept else Ink.MUTED),
            *([(f" · {gone:,} gone", Ink.ATTENTION)] if gone else []),
        ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without faces there is nothing to decide; in a field a slash is a letter."""
        if action == "filter" and isinstance(self.focused, TextLine):
            return False
        if action == "filter" and self.columns is None and self.limner.project is not None:
            # They are still being read; what is typed behind a slash must not become decisions on them.
            return True
        return bool(self.columns) or action not in verbs_of(Scope.FACES)

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
        commands.decide_all(self, self._decisions, Decision.KEEP)

    def action_reject_all(self) -> None:
        """Rejects all that is shown, once its number was agreed to."""
        commands.decide_all(self, self._decisions, Decision.REJECT)

    def action_undo(self) -> None:
        """Takes the last decision back."""
        self._decisions.undo()

    def action_redo(self) -> None:
        """Does it again."""
        self._decisions.redo()

    def action_next_undecided(self) -> None:
        """To the next face without a decision, from the top again after the last."""
        commands.go_to_undecided(self)

    def action_previous_undecided(self) -> None:
        """To the face before without a decision, from the bottom again after the first."""
        commands.go_to_undecided(self, backwards=True)

    def action_best(self) -> None:
        """To the best of the burst that the face is one of."""
        commands.go_to_best(self)

    def action_filter(self) -> None:
        """Into the filter line."""
        self.set_focus(self.query_one("#filter"))

    def action_group(self) -> None:
        """Groups what is shown by burst, by day, by framing, or not at all: the filter line says so."""
        field = self.query_one("#filter", FilterLine)
        field.value = commands.next_grouping(field.value)

    def action_save_filter(self) -> None:
        """Asks for the name that the filter is saved under."""
        commands.save_filter(self, self._decisions, self.query_one("#filter", TextLine).value.strip())

    def action_framing(self) -> None:
        """Cuts the face closer or with more around it; part of the journal, so that u undoes it."""
        commands.next_framing(self, self._decisions)

    def action_crop(self) -> None:
        """Into the crop editor."""
        commands.crop_by_hand(self, self._decisions)

    def action_compare(self) -> None:
        """Two faces side by side."""
        from tui.screens.faces.compare import CompareScreen

        if len(self.rows.items) < 2:
            self.say("There is only one face here, nothing to compare it with.")
            return

        def done(face_id: int | None) -> None:
            place = self.place_of(face_id) if face_id is not None else None
            if place is not None:
                self.rows.cursor = place

        faces, place = self.rows.items, self.rows.cursor
        compare = CompareScreen(faces, place, self._decisions.decide, self.subject, self._decisions.turn)
        self.app.push_screen(compare, done)

    def action_pick(self) -> None:
        """Shows what would be picked and why; agreed to, it is kept as one action that one undo takes back."""
        if self.columns is not None:
            commands.pick_faces(self, self._decisions, list(self.columns.faces), dict(self._target))

    def action_measure(self) -> None:
        """Measures what is new."""
        self._measuring.start()

    def action_build(self) -> None:
        """Builds the training images from the kept faces, and goes to see them."""
        from tui.screens.shared.build_dataset import build_dataset

        build_dataset(self)

    @on(TextLine.Changed, "#filter")
    def _typed(self) -> None:
        self._select()

    @on(TextLine.Submitted, "#filter")
    def _filtered(self) -> None:
        if self.filter_error is not None:
            # Over the list there is room for its beginning only.
            self.show_error(self.filter_error)
        self.focus_list()

    def on_unmount(self) -> None:
        """Closes the database."""
        self._decisions.close()

    def _refused(self, error: LimnerError) -> None:
        self._version = None
        self.could_not_read(error)

    def _take(self, read: tuple[FaceColumns, dict[str, str], dict[Framing, int], int]) -> None:
        if self.columns is None:
            # Once, and after what is looked at: the folder of thumbnails is held to its size.
            self.run_latest("sweep", ThumbnailCache(self.project.cache).sweep, lambda _: None)
        self.columns, self.saved, self._target, unmeasured = read
        self.show_empty(None if len(self.columns) else self.EMPTY)
        self.keys_changed()
        self._select()
        if unmeasured:
            self._measuring.once_for(face.id for face in self.columns.faces)

    def _select(self) -> None:
        """Filters: a few milliseconds for a hundred thousand faces, so that every key shows its count at once."""
        from engine.faces.selection.filter import filter_as_typed
        from engine.filter_line import FilterError

        if self.columns is None:
            return
        field = self.query_one("#filter", FilterLine)
        try:
            self._selection, self._hints = filter_as_typed(field.value, self.columns, self.saved)
            self.filter_error = None
            field.point_at(0, 0)
        except FilterError as error:
            self.filter_error = error
            field.point_at(error.start, error.end)
            self.ask()
            return
        before = self.rows.item
        # As it was left, as far as the list itself does not come back to it.
        on = before.id if before is not None else self._left_on if self.in_grid else None
        place = self._selection.place(on) if on is not None else None
        self.show_faces(self._selection, place or 0)
        self.ask()

    def _decide(self, decision: Decision, go_on: bool = True) -> None:
        face = self.rows.item
        if face is not None and self._decisions.decide(face, decision) and go_on:
            self.rows.cursor += 1
